"""Standard output and error that end no command: closed, full, read by one who has seen enough, or in an encoding without our signs."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

#: What stands for a sign that an encoding lacks.
_PLAIN = {"±": "+-", "–": "-", "—": "-", "…": "...", "×": "x", "→": "->", "µ": "u", "²": "2", "≤": "<=", "≥": ">="}
_GONE = (errno.EPIPE, errno.EBADF, errno.EIO)


class Faults:
    """What was wrong with the streams of a command.

    Attributes:
        said: Why output was lost, where nobody chose to lose it; "" where nothing was.
    """

    def __init__(self) -> None:
        self.said = ""


class _Raw(io.RawIOBase):
    """A file descriptor whose failure is noted, not raised: from then on it leads nowhere."""

    def __init__(self, descriptor: int, name: str, faults: Faults) -> None:
        self._descriptor, self._name, self._faults = descriptor, name, faults

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            raise
        except OSError as error:
            if error.errno not in _GONE:
                self._faults.said = f"{self._name}: cannot be written: {error.strerror}"
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._descriptor)
            os.close(nowhere)
            return len(data)


@contextlib.contextmanager
def forgiving() -> Iterator[Faults]:
    """Let standard output and error swallow what cannot be written in the block; streams that others put in place stay as they are."""
    faults = Faults()
    codecs.register_error("chordsim-plain", _plainly)
    for number in (1, 2):
        _held_open(number)
    before = sys.stdout, sys.stderr
    sys.stdout = _forgiving(sys.stdout, sys.__stdout__, 1, "standard output", faults)
    sys.stderr = _forgiving(sys.stderr, sys.__stderr__, 2, "standard error", faults)
    try:
        yield faults
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        sys.stdout, sys.stderr = before


def _held_open(number: int) -> None:
    """Let a descriptor that was closed lead nowhere, so that no file of the run takes its place."""
    try:
        os.fstat(number)
    except OSError:
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)


def _forgiving(stream: TextIO | None, original: TextIO | None, number: int, name: str, faults: Faults) -> TextIO:
    if stream is not None and (stream is not original or not _is(stream, number)):
        return stream
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.flush()
    raw = _Raw(number, name, faults)
    encoding = (stream.encoding if stream is not None else None) or "utf-8"
    buffered = io.BufferedWriter(raw)  # type: ignore[type-var]
    return io.TextIOWrapper(buffered, encoding, "chordsim-plain", line_buffering=True, write_through=number != 1)


def _is(stream: TextIO, number: int) -> bool:
    try:
        return stream.fileno() == number
    except (OSError, ValueError):
        return False


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end
