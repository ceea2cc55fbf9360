"""The content of a data file as a stream: opened, unpacked within limits, and hashed as it is read."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import pyarrow as pa

from chordsim.door import open_regular
from chordsim.errors import DataError, one_line


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


_BLOCK = 1 << 20
#: Of an archive, whose other members may be large; what is read of it has limits of its own.
_LARGEST_FILE = 1 << 40
_ARCHIVES = {b"PK\x03\x04": "a zip", b"\xfd7zX": "an xz", b"7z\xbc\xaf": "a 7z", b"Rar!": "a rar", b"\x04\x22\x4d\x18": "an lz4"}
#: What is no text either, and how it becomes something that is read.
_OTHERS = {
    b"ARROW1": "a Feather or Arrow file: write it as Parquet",
    b"ORC": "an ORC file: write it as Parquet",
    b"SQLite format 3": "an SQLite data base: write the table as CSV or Parquet",
    b"\x89HDF": "an HDF5 file: write the table as CSV or Parquet",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: save the sheet as CSV",
    b"\xff\xfe": "a text in UTF-16: save it as UTF-8",
    b"\xfe\xff": "a text in UTF-16: save it as UTF-8",
}
#: The first member of a workbook, which is a zip archive.
_WORKBOOK = b"[Content_Types].xml"
_LONGEST_MAGIC = 64


@dataclass(frozen=True)
class Limits:
    """What a data file may ask of this machine.

    Attributes:
        content_bytes: Size after decompression.
        ratio: Decompressed over compressed size, judged from ``ratio_from_bytes`` on.
        ratio_from_bytes: Below this size any ratio is harmless.
        line_bytes: Longest line of one interaction.
        sequence_line_bytes: Longest line of a file with one user a line.
        columns: Most columns of a table.
    """

    content_bytes: int = 8 << 30
    ratio: float = 200.0
    ratio_from_bytes: int = 64 << 20
    line_bytes: int = 1 << 20
    sequence_line_bytes: int = 64 << 20
    columns: int = 4096


@dataclass(frozen=True)
class Content:
    """A file's uncompressed bytes and their sha256."""

    data: bytes
    sha256: str


class Unpacked:
    """A file's uncompressed bytes, read once from the beginning to the end.

    Attributes:
        what: How errors name it.
    """

    def __init__(self, stream: _Readable, packed_bytes: int | None, what: str, limits: Limits) -> None:
        """Read from a stream; ``packed_bytes`` is its size before it was unpacked, None for a plain file."""
        self.what = what
        self._stream, self._packed, self._limits = stream, packed_bytes, limits
        self._size, self._running = 0, hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes more; nothing is left where it returns none.

        Raises:
            DataError: Truncated, damaged, or too large once unpacked.
        """
        with _told(self.what):
            block = self._stream.read(size)
        self._size += len(block)
        limits = self._limits
        if self._size > limits.content_bytes:
            raise DataError(f"{self.what}: more than {limits.content_bytes:,} bytes of text; split the file")
        if self._packed is not None and self._size > max(limits.ratio_from_bytes, self._packed * limits.ratio):
            raise DataError(f"{self.what}: unpacks to more than {limits.ratio:g} times its size; unpack it yourself if you trust it")
        self._running.update(block)
        return block

    def blocks(self) -> Iterator[bytes]:
        """Yield all that is left.

        Raises:
            DataError: As `read`, and for a file with nothing in it.
        """
        while block := self.read(_BLOCK):
            yield block
        if not self._size:
            raise DataError(f"{self.what}: empty file")

    @property
    def sha256(self) -> str:
        """Of what was read so far."""
        return self._running.hexdigest()


@contextmanager
def opened(path: Path, member: str | None = None, limits: Limits | None = None) -> Iterator[Unpacked]:
    """Open a file that is plain, or packed by gzip, bzip2 or zstd; or one member of a zip archive.

    Args:
        path: The file; what packed it is told by its first bytes, not by its name.
        member: Name inside a zip archive; only this member is unpacked, and nothing is written to disk.
        limits: Guards against archive bombs.

    Raises:
        DataError: Missing, not a regular file, unreadable, or no archive that is read here.
    """
    limits = limits or Limits()
    with open_regular(path, _LARGEST_FILE) as raw:
        size = os.fstat(raw.fileno()).st_size
        if member is not None:
            what = f"{path}: {member}"
            with _told(what):
                archive = zipfile.ZipFile(raw)
                if member not in archive.namelist():
                    raise DataError(f"{what}: the archive has no such member")
                entry = archive.getinfo(member)
                stream = archive.open(entry)
            yield Unpacked(stream, entry.compress_size, what, limits)
        else:
            with _told(f"{path}"):
                packed = _unpacking(path, raw)
            yield Unpacked(packed or raw, size if packed else None, f"{path}", limits)


def read_content(path: Path, member: str | None = None, limits: Limits | None = None) -> Content:
    """Read a small file wholly into memory.

    Raises:
        DataError: As `opened` and `Unpacked.blocks`.
    """
    with opened(path, member, limits) as content:
        data = b"".join(content.blocks())
        return Content(data, content.sha256)


def digest_content(path: Path, member: str | None = None) -> str:
    """Return the sha256 of a file's uncompressed content.

    Raises:
        DataError: As `opened` and `Unpacked.blocks`.
    """
    with opened(path, member) as content:
        for _ in content.blocks():
            pass
        return content.sha256


def _unpacking(path: Path, raw: BinaryIO) -> _Readable | None:
    """Return what unpacks the file, or None for a plain one."""
    head = raw.read(_LONGEST_MAGIC)
    magic = head[:4]
    raw.seek(0)
    if _WORKBOOK in head:
        raise DataError(f"{path}: an Excel workbook: save the sheet as CSV")
    if magic in _ARCHIVES:
        raise DataError(f"{path}: {_ARCHIVES[magic]} archive; unpack it and name the file inside")
    other = next((what for begins, what in _OTHERS.items() if head.startswith(begins)), None)
    if other is not None:
        raise DataError(f"{path}: {other}")
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=raw)
    if magic[:3] == b"BZh":
        return bz2.BZ2File(raw)
    if magic == b"\x28\xb5\x2f\xfd":
        unpacking = pa.CompressedInputStream(pa.PythonFile(cast(Any, raw), "r"), "zstd")
        return cast(_Readable, unpacking)
    return None


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Say in one line what unpacking stumbled over."""
    try:
        yield
    except EOFError:
        raise DataError(f"{what}: truncated: the compressed data end too early") from None
    # zipfile raises RuntimeError for an encrypted member and its subclass NotImplementedError for an unknown compression.
    except (gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise DataError(f"{what}: damaged or not readable as an archive ({one_line(error)})") from None
    except OSError as error:
        # bzip2 and Arrow say with an OSError without a number that the data are damaged.
        why = f"cannot be read ({error.strerror})" if error.errno else f"damaged or truncated ({one_line(error)})"
        raise DataError(f"{what}: {why}") from None
