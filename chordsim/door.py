"""The one door for files that a scenario names: regular files alone, of a bounded size, opened without waiting for anybody.

A device never ends and a pipe waits for a writer, so neither is opened, whatever asks for it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from chordsim.errors import DataError, UserError

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: Path, largest: int, error: type[UserError] = DataError) -> BinaryIO:
    """Open a regular file to read it.

    Args:
        path: The file; a link is followed.
        largest: Size in bytes beyond which it is refused.
        error: What is raised.

    Raises:
        UserError: As ``error``: no such file, not a regular one, larger than allowed, or not readable; one line that names it.
    """
    try:
        # Looked at before it is opened, since opening a device can already do something; and again after, since a name can change hands.
        _check(path, os.stat(path), largest, error)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _check(path, os.fstat(descriptor), largest, error)
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise
    except FileNotFoundError:
        raise error(f"{path}: no such file") from None
    except (OSError, ValueError) as fault:
        raise error(f"{path}: cannot be read ({getattr(fault, 'strerror', None) or fault})") from None


def read_regular(path: Path, largest: int, error: type[UserError] = DataError) -> bytes:
    """Return the whole of a small regular file.

    Raises:
        UserError: As `open_regular`, also where the file grows beyond the limit while it is read.
    """
    with open_regular(path, largest, error) as stream:
        try:
            data = stream.read(largest + 1)
        except OSError as fault:
            raise error(f"{path}: cannot be read ({fault.strerror or fault})") from None
    if len(data) > largest:
        raise error(f"{path}: larger than {largest:,} bytes")
    return data


def _check(path: Path, found: os.stat_result, largest: int, error: type[UserError]) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = next((word for test, word in _KINDS if test(found.st_mode)), "something else")
        raise error(f"{path}: not a file, but {kind}")
    if found.st_size > largest:
        raise error(f"{path}: larger than {largest:,} bytes")
