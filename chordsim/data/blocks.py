"""A text file as blocks of whole lines, each checked to be text at all before anything is read from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chordsim.data.content import Unpacked
from chordsim.errors import DataError

#: Large enough that what is done once a block costs nothing, small enough that a few of them are nothing beside the columns.
BLOCK_BYTES = 8 << 20


@dataclass(frozen=True)
class Block:
    """Whole lines.

    Attributes:
        data: Their bytes; the last line of the file may lack its end.
        first_line: Number of the first line, from 1.
    """

    data: bytes
    first_line: int

    def line_at(self, position: int) -> int:
        """Return the number of the line that a byte lies in."""
        return self.first_line + self.data.count(b"\n", 0, position)

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield number and text of every line that is not blank."""
        for number, line in enumerate(self.data.decode("utf-8").split("\n"), self.first_line):
            if line.strip(" \t\r\v\f"):
                yield number, line.rstrip("\r")


def one_row_a_line(data: bytes, rows: int) -> bool:
    """Return whether lines that are not blank are as many as the rows that were read from them."""
    return rows == data.count(b"\n") + (not data.endswith(b"\n")) or rows == sum(1 for line in data.split(b"\n") if line.strip())


class Lines:
    """The blocks of a file, in order.

    Attributes:
        path: The file, for messages.
        head: The first block, which may be looked at before anything is known of the file.
        longest: Longest line in bytes; may be changed once the format is known.
    """

    def __init__(self, path: Path, content: Unpacked, longest: int) -> None:
        """Read the first block.

        Raises:
            DataError: An empty file, or a first line beyond ``longest``.
        """
        self.path, self.longest = path, longest
        self._content, self._size, self._rest = content, BLOCK_BYTES, b""
        self.head = self._cut(1)
        # Blank lines at the top tell nothing; a file of nothing else is not read for them to its end.
        while self.head.data and not self.head.data.strip() and len(self.head.data) < longest:
            more = self._cut(1 + self.head.data.count(b"\n"))
            if not more.data:
                break
            self.head = Block(self.head.data + more.data, 1)
        if not self.head.data:
            raise DataError(f"{content.what}: empty file")

    def blocks(self) -> Iterator[Block]:
        """Yield all blocks, the first one included.

        Raises:
            DataError: Names the first line with a NUL byte, an invalid byte, a bare carriage return, or too much.
        """
        block = self.head
        while block.data:
            _check(self.path, block, self.longest)
            yield block
            block = self._cut(block.first_line + block.data.count(b"\n"))

    def after_header(self, start: int, first_line: int) -> Iterator[Block]:
        """Yield all blocks without what stands before byte ``start``, where line ``first_line`` begins.

        Raises:
            DataError: As `blocks`.
        """
        rest = self.blocks()
        yield Block(next(rest).data[start:], first_line)
        yield from rest

    def _cut(self, first_line: int) -> Block:
        """Return the next whole lines, about a block of them, and at least one however long it is."""
        parts, size, open_bytes = [self._rest], len(self._rest), len(self._rest)
        while True:
            data = self._content.read(max(self._size - size, self._size // 4))
            end = data.rfind(b"\n") + 1
            size += len(data)
            if not data or (end and size >= self._size):
                self._rest = data[end:]
                return Block(b"".join([*parts, data[:end]]), first_line)
            parts.append(data)
            open_bytes = len(data) - end if end else open_bytes + len(data)
            if open_bytes > self.longest:
                number = first_line + sum(part.count(b"\n") for part in parts)
                raise DataError(f"{self.path}: line {number}: longer than {self.longest:,} bytes")


def _check(path: Path, block: Block, longest: int) -> None:
    data = block.data
    nul = data.find(b"\0")
    if nul >= 0:
        raise DataError(f"{path}: line {block.line_at(nul)}: a NUL byte; this is not a text file")
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: line {block.line_at(error.start)}: not UTF-8 (byte 0x{data[error.start]:02x})") from None
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        at = data.find(b"\r")
        while data[at + 1 : at + 2] == b"\n":
            at = data.find(b"\r", at + 1)
        raise DataError(f"{path}: line {block.line_at(at)}: a carriage return inside the line; end lines with a line feed")
    start = 0
    while start + longest < len(data):
        end = data.rfind(b"\n", start, start + longest + 1)
        if end < 0:
            raise DataError(f"{path}: line {block.line_at(start)}: longer than {longest:,} bytes")
        start = end + 1
