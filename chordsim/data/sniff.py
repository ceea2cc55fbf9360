"""Which format a data file has, told by its first lines."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chordsim.data.names import candidates
from chordsim.errors import DataError

Format = Literal["u.data", "inter", "csv", "ratings.dat", "blanks", "pairs", "seq", "jsonl", "parquet"]
FORMATS: tuple[Format, ...] = ("u.data", "inter", "csv", "ratings.dat", "blanks", "pairs", "seq", "jsonl", "parquet")

BOM = b"\xef\xbb\xbf"
#: Blanks around a field are no part of it.
BLANKS = " \t\r\v\f"
TAB, DOUBLE_COLON, BLANK = "\t", "::", " "
#: What may stand between the columns of a format, the likeliest first.
SEPARATORS: dict[Format, tuple[str, ...]] = {
    "ratings.dat": (DOUBLE_COLON,),
    "inter": (TAB,),
    "u.data": (TAB,),
    "csv": (",", ";", "|"),
    "blanks": (BLANK,),
    "pairs": (BLANK,),
}
_SNIFFED_LINES, _SNIFFED_BYTES = 1000, 1 << 20
#: Any prose would pass for a sequence of words, so ids that are not numbers need a stated format.
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?")
#: What some programs write before the table: spreadsheets which separator follows, others a comment. An id may begin with # too, as in
#: #a1,12, so a comment has a blank or the mark again behind its mark.
_PREAMBLES = {
    "a spreadsheet's note of the separator": re.compile(r'"?sep=.?"?', re.IGNORECASE),
    "a comment": re.compile(r"(#|%|//)(\s|\1).*"),
}


@dataclass(frozen=True)
class Line:
    """A line that is not blank.

    Attributes:
        number: Counted from 1.
        text: Without its end.
        end: Byte at which the next line begins.
    """

    number: int
    text: str
    end: int


def head_lines(head: bytes) -> list[Line]:
    """Return the first lines of a file that are not blank; the last one may be cut where the file is longer."""
    return [line for line, _ in zip(_lines(head), range(_SNIFFED_LINES), strict=False)]


def fields_of(text: str, separator: str, quotes: bool) -> list[str]:
    """Return the fields of a line, without the blanks around them.

    Raises:
        csv.Error: Broken quotes.
    """
    if separator == BLANK:
        return text.split()
    if quotes and '"' in text:
        return [field.strip(BLANKS) for field in next(csv.reader([text], delimiter=separator, strict=True))]
    return [field.strip(BLANKS) for field in text.split(separator)]


def known(format: str) -> Format:
    """Return a format by its name.

    Raises:
        DataError: There is no such format.
    """
    for one in FORMATS:
        if format == one:
            return one
    raise DataError(f"data.format = {format!r}: choose from auto, {', '.join(FORMATS)}")


def sniff(path: Path, lines: Sequence[Line]) -> Format:
    """Return the format that the first lines have.

    Raises:
        DataError: They have none of the known ones.
    """
    first = lines[0].text
    if first.lstrip().startswith("{"):
        return "jsonl"
    if first.lstrip().startswith("["):
        raise DataError(f"{path}: line {lines[0].number}: a JSON array; write JSON lines, one object of user, item, ... a line")
    if TAB in first and re.search(r"\w:(token|float)", first):
        return "inter"
    _check_preamble(path, lines[0])
    separator = separator_of(lines, (DOUBLE_COLON, TAB, *SEPARATORS["csv"]))
    if separator is not None:
        return "ratings.dat" if separator == DOUBLE_COLON else "u.data" if separator == TAB else "csv"
    rows = [line.text.split() for line in lines]
    if candidates("user", rows[0]) and candidates("item", rows[0]):
        return "blanks"
    widths = {len(row) for row in rows}
    if min(widths) >= 2 and all(_NUMBER.fullmatch(word) for row in rows for word in row):
        if widths == {2}:
            return "pairs"
        # A file with one user a line names no user twice; a table of ratings does.
        table = widths in ({3}, {4}) and (len({row[0] for row in rows}) < len(rows) or any("." in word for row in rows for word in row))
        return "blanks" if table else "seq"
    raise DataError(f"{path}: line {lines[0].number}: cannot tell the format; set data.format to one of {', '.join(FORMATS)}")


def separator_of(lines: Sequence[Line], choices: Sequence[str]) -> str | None:
    """Return what stands between the columns, or None where the first line has none of the choices.

    Where it has several, one that cuts out known names of a user and an item goes first, then one that cuts all lines alike, the
    more often the better: ``7;12;4,5`` has three columns.
    """
    there = [choice for choice in choices if choice in lines[0].text]
    if len(there) < 2:
        return there[0] if there else None
    bare = [re.sub(r'"[^"]*"', "", line.text) for line in lines]

    def merit(choice: str) -> tuple[bool, int]:
        names = [field.strip(BLANKS + '"') for field in lines[0].text.split(choice)]
        counts = {text.count(choice) for text in bare}
        return bool(candidates("user", names) and candidates("item", names)), max(counts) if len(counts) == 1 else 0

    return max(there, key=lambda choice: (*merit(choice), -there.index(choice)))


def _check_preamble(path: Path, line: Line) -> None:
    """Refuse a first line that belongs to no table; one such as ``#user,item`` names its columns."""
    words = re.findall(r"\w+", line.text)
    what = next((what for what, pattern in _PREAMBLES.items() if pattern.fullmatch(line.text.strip())), None)
    if what is not None and not (candidates("user", words) and candidates("item", words)):
        raise DataError(f"{path}: line {line.number}: {what}, which is no part of the table: leave such lines out")


def _lines(head: bytes) -> Iterator[Line]:
    start = number = 0
    stop = min(len(head), _SNIFFED_BYTES)
    while start < stop:
        end = head.find(b"\n", start) + 1 or len(head)
        number += 1
        text = head[start:end].removeprefix(BOM if not start else b"").decode("utf-8", "replace").rstrip("\r\n")
        start = end
        if text.strip(BLANKS):
            yield Line(number, text, end)
