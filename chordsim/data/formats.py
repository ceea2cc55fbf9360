"""Reading a data file of any known format: block by block, a few blocks at a time, into one log."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from chordsim.config.model import ColumnsConfig, DataConfig
from chordsim.data.blocks import Block, Lines
from chordsim.data.content import Limits, opened
from chordsim.data.delimited import Table
from chordsim.data.joining import Part, joined
from chordsim.data.json_lines import JsonLines
from chordsim.data.layout import layout_of
from chordsim.data.parquet_tables import MAGIC, Parquet
from chordsim.data.raw import RawLog
from chordsim.data.remarks import remarks_of, settled
from chordsim.data.roles import Roles
from chordsim.data.sniff import BOM, FORMATS, Format, Line, head_lines, known, sniff
from chordsim.data.user_lines import Sequences
from chordsim.door import open_regular
from chordsim.errors import DataError

#: Threads that read blocks, besides the one that unpacks and checks them. Arrow works outside Python's lock.
_THREADS = 2
_SEQUENCE = Roles({"user": 0, "item": 1}, {"user": 0, "item": "all others, in order"}, (), ())

__all__ = ["FORMATS", "Format", "Reading", "read_file"]


@dataclass(frozen=True)
class Reading:
    """What a file held.

    Attributes:
        log: Its columns, in file order.
        format: Its format, found out if it was not given.
        sha256: Of its uncompressed content.
        roles: What was read as what.
        notes: What was assumed, one sentence each.
    """

    log: RawLog
    format: Format
    sha256: str
    roles: Roles
    notes: tuple[str, ...]


def read_file(
    path: Path, format: str = "auto", member: str | None = None, limits: Limits | None = None, config: DataConfig | None = None
) -> Reading:
    """Read a data file of any known format, plain or packed by gzip, bzip2 or zstd.

    Args:
        path: The file.
        format: One of `FORMATS`, or "auto" to find out.
        member: Name of the file inside, if ``path`` is a zip archive.
        limits: Guards against files that ask too much of the machine.
        config: The scenario's word on columns, header and time.

    Raises:
        DataError: One line that names the file, and the line where there is one, and what is wrong.
    """
    limits, config = limits or Limits(), config or DataConfig(source="file", path=str(path))
    if format == "parquet" or (format == "auto" and member is None and _begins(path, limits, MAGIC)):
        table = Parquet(path, config, limits)
        return _reading(path, list(table.parts()), "parquet", table.sha256, table.roles, config, format)
    stated = None if format == "auto" else known(format)
    with opened(path, member, limits) as content:
        lines = Lines(path, content, limits.sequence_line_bytes)
        head = head_lines(lines.head.data)
        if b"\n" not in lines.head.data and b"\r" in lines.head.data.rstrip(b"\r"):
            # The whole file would pass for a header.
            raise DataError(f"{path}: line 1: a carriage return inside the line; end lines with a line feed")
        if not head:
            raise DataError(f"{path}: no line with anything on it")
        found = stated or sniff(path, head)
        lines.longest = limits.sequence_line_bytes if found == "seq" else limits.line_bytes
        reader, roles, blocks = _reader(path, found, head, lines, config, limits)
        # Blocks of a table say nothing of one another once the first has told what its columns hold.
        parts = [part for part in _read(reader, blocks, _THREADS if isinstance(reader, Table) else 0) if part is not None]
        if not parts:
            raise DataError(f"{path}: no interaction in it, only blank lines or a header")
        return _reading(path, parts, found, content.sha256, roles, config, format)


def _reader(
    path: Path, format: Format, head: list[Line], lines: Lines, config: DataConfig, limits: Limits
) -> tuple[Table | JsonLines | Sequences, Roles, Iterator[Block]]:
    """Return what reads blocks, the roles of its columns, and the blocks without a header."""
    start = len(BOM) if lines.head.data.startswith(BOM) else 0
    if format == "seq":
        if config.columns != ColumnsConfig():
            raise DataError(f'{path}: data.columns: a file of one user a line has no columns; for a table set data.format = "blanks"')
        return Sequences(path), _SEQUENCE, lines.after_header(start, 1)
    if format == "jsonl":
        reader = JsonLines(path, head, config, limits)
        return reader, reader.roles, lines.after_header(start, 1)
    layout = layout_of(path, head, start, format, config, limits)
    return Table(path, layout), layout.roles, lines.after_header(layout.start, layout.first_line)


def _read(reader: Table | JsonLines | Sequences, blocks: Iterator[Block], threads: int) -> Iterator[Part | None]:
    yield reader.read(next(blocks))
    if not threads:
        yield from map(reader.read, blocks)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="read") as pool:
        waiting: deque[Future[Part | None]] = deque()
        try:
            for block in blocks:
                waiting.append(pool.submit(reader.read, block))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _reading(path: Path, parts: list[Part], found: Format, sha256: str, roles: Roles, config: DataConfig, asked: str) -> Reading:
    log, notes = settled(path, joined(parts), config.time_unit)
    return Reading(log, found, sha256, roles, (*remarks_of(log, roles, asked == "auto"), *notes))


def _begins(path: Path, limits: Limits, magic: bytes) -> bool:
    with open_regular(path, limits.content_bytes) as raw:
        return raw.read(len(magic)) == magic
