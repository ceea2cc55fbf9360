"""The text of a data file: opened, unpacked within limits, hashed, and checked to be text at all."""

from __future__ import annotations

import gzip
import hashlib
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from chordsim.errors import DataError


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a data file may ask of this machine.

    Attributes:
        content_bytes: Size after decompression.
        ratio: Decompressed over compressed size, judged from ``ratio_from_bytes`` on.
        ratio_from_bytes: Below this size any ratio is harmless.
        line_bytes: Longest line of one interaction.
        sequence_line_bytes: Longest line of a file with one user a line.
    """

    content_bytes: int = 8 << 30
    ratio: float = 200.0
    ratio_from_bytes: int = 64 << 20
    line_bytes: int = 1 << 20
    sequence_line_bytes: int = 64 << 20


@dataclass(frozen=True)
class Content:
    """A file's uncompressed bytes and their sha256."""

    data: bytes
    sha256: str


def read_content(path: Path, member: str | None = None, limits: Limits | None = None) -> Content:
    """Read a plain or gzip file, or one member of a zip archive, wholly into memory.

    Args:
        path: The file.
        member: Name inside a zip archive; only this member is unpacked, and nothing is written to disk.
        limits: Guards against archive bombs.

    Raises:
        DataError: Missing, unreadable, empty, truncated, damaged, or too large once unpacked.
    """
    limits = limits or Limits()
    what = f"{path}" if member is None else f"{path}: {member}"
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise DataError(f"{path}: not a file" + (", but a folder" if stat.S_ISDIR(found.st_mode) else ""))
        with path.open("rb") as raw:
            if member is not None:
                data = _unzip(raw, member, what, limits)
            else:
                magic = raw.read(4)
                raw.seek(0)
                if magic == _ZIP:
                    raise DataError(f"{path}: a zip archive; unpack it and name the file inside")
                packed = magic[:2] == _GZIP
                stream: _Readable = gzip.GzipFile(fileobj=raw) if packed else raw
                data = _drain(stream, found.st_size if packed else None, what, limits)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except EOFError:
        raise DataError(f"{what}: truncated: the compressed data end too early") from None
    # zipfile raises RuntimeError for an encrypted member and its subclass NotImplementedError for an unknown compression.
    except (gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise DataError(f"{what}: damaged or not readable as an archive ({_one_line(error)})") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or _one_line(error)})") from None
    if not data:
        raise DataError(f"{what}: empty file")
    return Content(data, hashlib.sha256(data).hexdigest())


def check_text(path: Path, data: bytes, longest_line_bytes: int) -> None:
    """Check that the data are UTF-8 text with sane lines.

    Raises:
        DataError: Names the first line with a NUL byte, an invalid byte, a bare carriage return, or too much.
    """
    nul = data.find(b"\0")
    if nul >= 0:
        raise DataError(f"{path}: line {line_number(data, nul)}: a NUL byte; this is not a text file")
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: line {line_number(data, error.start)}: not UTF-8 (byte 0x{data[error.start]:02x})") from None
    if data.count(b"\r") != data.count(b"\r\n"):
        at = next(i for i in _positions(data, b"\r") if data[i + 1 : i + 2] != b"\n")
        raise DataError(f"{path}: line {line_number(data, at)}: a carriage return inside the line; end lines with a line feed")
    start = 0
    while start + longest_line_bytes < len(data):
        end = data.rfind(b"\n", start, start + longest_line_bytes + 1)
        if end < 0:
            raise DataError(f"{path}: line {line_number(data, start)}: longer than {longest_line_bytes:,} bytes")
        start = end + 1


def line_number(data: bytes, position: int) -> int:
    """Return the line, from 1, that a byte position lies in."""
    return data.count(b"\n", 0, position) + 1


def _positions(data: bytes, what: bytes) -> list[int]:
    found, at = [], data.find(what)
    while at >= 0:
        found.append(at)
        at = data.find(what, at + 1)
    return found


def _unzip(raw: IO[bytes], member: str, what: str, limits: Limits) -> bytes:
    with zipfile.ZipFile(raw) as archive:
        try:
            entry = archive.getinfo(member)
        except KeyError:
            raise DataError(f"{what}: the archive has no such member") from None
        with archive.open(entry) as stream:
            return _drain(stream, entry.compress_size, what, limits)


def _drain(stream: _Readable, packed_bytes: int | None, what: str, limits: Limits) -> bytes:
    """Read to the end, stopping as soon as a limit is passed; ``packed_bytes`` is None for a plain file."""
    blocks, size = [], 0
    while block := stream.read(_BLOCK):
        blocks.append(block)
        size += len(block)
        if size > limits.content_bytes:
            raise DataError(f"{what}: more than {limits.content_bytes:,} bytes of text; split the file")
        if packed_bytes is not None and size > max(limits.ratio_from_bytes, packed_bytes * limits.ratio):
            raise DataError(f"{what}: unpacks to more than {limits.ratio:g} times its size; unpack it yourself if you trust it")
    return b"".join(blocks)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
