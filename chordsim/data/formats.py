"""Which format a data file has, and reading it: a vectorised pass, and a slow one that can say what is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chordsim.data import columns, lines
from chordsim.data.content import Content, Limits, check_text, read_content
from chordsim.data.raw import RawLog
from chordsim.errors import DataError

Format = Literal["u.data", "inter", "csv", "ratings.dat", "pairs", "seq"]
FORMATS: tuple[Format, ...] = ("u.data", "inter", "csv", "ratings.dat", "pairs", "seq")

_BOM = b"\xef\xbb\xbf"
_FOUR = ("user", "item", "rating", "timestamp")
_ALIASES = {
    "user": {"user", "user_id", "userid", "uid", "reviewerid"},
    "item": {"item", "item_id", "itemid", "iid", "movie_id", "movieid", "movie", "product_id", "productid", "parent_asin", "asin"},
    "rating": {"rating", "ratings", "score", "stars", "overall"},
    "timestamp": {"timestamp", "time", "ts", "unixreviewtime"},
}
_DELIMITERS: dict[str, bytes] = {"u.data": b"\t", "inter": b"\t", "csv": b",", "ratings.dat": b"::"}
_SNIFFED_LINES = 1000
#: Any prose would pass for a sequence of words, so ids that are not numbers need a stated format.
_NUMBERS = re.compile(rb"[\s0-9]+")


@dataclass(frozen=True)
class Reading:
    """What a file held.

    Attributes:
        log: Its columns, in file order.
        format: Its format, found out if it was not given.
        sha256: Of its uncompressed content.
    """

    log: RawLog
    format: Format
    sha256: str


def read_file(path: Path, format: str = "auto", member: str | None = None, limits: Limits | None = None) -> Reading:
    """Read a data file of any known format, plain or gzip.

    Args:
        path: The file.
        format: One of `FORMATS`, or "auto" to find out.
        member: Name of the file inside, if ``path`` is a zip archive.
        limits: Guards against files that ask too much of the machine.

    Raises:
        DataError: One line that names the file, and the line where there is one, and what is wrong.
    """
    limits = limits or Limits()
    return parse(path, read_content(path, member, limits), format, limits)


def parse(path: Path, content: Content, format: str, limits: Limits) -> Reading:
    """Parse a file's content; ``path`` is for error messages only."""
    data = content.data
    found = sniff(path, data) if format == "auto" else _known(format)
    check_text(path, data, limits.sequence_line_bytes if found == "seq" else limits.line_bytes)
    start = len(_BOM) if data.startswith(_BOM) else 0
    if found in ("pairs", "seq"):
        sequence = found == "seq"
        log = columns.read_words(data[start:], sequence)
        return Reading(lines.read_words(path, data, start, sequence) if log is None else log, found, content.sha256)
    layout = _layout(path, data, start, found)
    log = columns.read_delimited(data, layout)
    return Reading(lines.read_delimited(path, data, layout) if log is None else log, found, content.sha256)


def sniff(path: Path, data: bytes) -> Format:
    """Return the format that the first lines have.

    Raises:
        DataError: They have none of the known ones.
    """
    head = data[len(_BOM) if data.startswith(_BOM) else 0 :][: 1 << 20]
    rows = [row for row in head.split(b"\n")[:_SNIFFED_LINES] if row.strip()]
    if not rows:
        raise DataError(f"{path}: no line with anything on it")
    first = rows[0]
    if b"\t" in first and re.search(rb"\w:(token|float)", first):
        return "inter"
    for format in ("ratings.dat", "u.data", "csv"):
        if _DELIMITERS[format] in first:
            return _known(format)
    # The last row may be cut by the end of the sniffed part.
    whole = rows[:-1] or rows
    widths = {len(row.split()) for row in whole}
    if min(widths) >= 2 and all(_NUMBERS.fullmatch(row) for row in whole):
        return "pairs" if widths == {2} else "seq"
    raise DataError(f"{path}: line 1: cannot tell the format; set data.format to one of {', '.join(FORMATS)}")


def _known(format: str) -> Format:
    for known in FORMATS:
        if format == known:
            return known
    raise DataError(f"data.format = {format!r}: choose from auto, {', '.join(FORMATS)}")


def _layout(path: Path, data: bytes, start: int, format: Format) -> lines.Layout:
    """Find the columns, and where the rows begin, from the format and the first line that is not blank."""
    delimiter = _DELIMITERS[format]
    end, first = start, b""
    number = 0
    while not first and end < len(data):
        begin = end
        end = data.find(b"\n", begin) + 1 or len(data)
        first = data[begin:end].strip(b" \r\n")
        number += 1
    if not first:
        raise DataError(f"{path}: no line with anything on it")
    fields = [f.strip().strip('"').lower() for f in first.decode("utf-8", "replace").split(delimiter.decode())]
    if format == "inter":
        names = tuple({"user_id": "user", "item_id": "item"}.get(n, n) for n in (f.partition(":")[0] for f in fields))
        if "user" not in names or "item" not in names or not all(":" in f for f in fields):
            raise DataError(f"{path}: line {number}: an .inter file begins with a header such as user_id:token<tab>item_id:token")
        return _headed(path, delimiter, names, end, number)
    if format in ("csv", "u.data"):
        # Between tabs as between commas: MovieLens' own u.data has no header, the same table from elsewhere often has.
        known = tuple(next((c for c, words in _ALIASES.items() if f in words), "") for f in fields)
        if "user" in known and "item" in known:
            return _headed(path, delimiter, known, end, number)
        if format == "csv" and len(fields) != len(_FOUR):
            raise DataError(
                f"{path}: line {number}: {len(fields)} columns without a header; write user,item,rating,timestamp, "
                "or name the columns (user and item at least) in a first line"
            )
    return lines.Layout(delimiter, _FOUR, data_start=start, first_line=1)


def _headed(path: Path, delimiter: bytes, names: tuple[str, ...], data_start: int, number: int) -> lines.Layout:
    wanted = tuple(n if n in _FOUR else "" for n in names)
    twice = [n for n in _FOUR if wanted.count(n) > 1]
    if twice:
        raise DataError(f"{path}: line {number}: two columns are named {twice[0]}")
    return lines.Layout(delimiter, wanted, data_start, number + 1)
