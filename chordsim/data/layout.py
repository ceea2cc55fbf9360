"""How a table of text is laid out: what stands between its columns, whether the first line names them, and which is which."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chordsim.config.model import DataConfig
from chordsim.data import looks, roles
from chordsim.data.content import Limits
from chordsim.data.names import ROLES
from chordsim.data.roles import NONE, Roles
from chordsim.data.sniff import BLANK, BLANKS, SEPARATORS, TAB, Format, Line, fields_of, separator_of
from chordsim.errors import DataError


@dataclass(frozen=True)
class Layout:
    """How to cut the lines of a table.

    Attributes:
        separator: Between two columns; a blank stands for any number of blanks.
        width: How many columns there are.
        quotes: Whether a field may stand in double quotes.
        roles: Which column is what.
        start: Byte at which the first row begins, after any header.
        first_line: Number of its line, or of the first one after the header.
        complaint: What is said of a line of ``found`` fields where there should be ``width``.
    """

    separator: str
    width: int
    quotes: bool
    roles: Roles
    start: int
    first_line: int
    complaint: str = "{found} fields, not {width}"


def layout_of(path: Path, lines: Sequence[Line], start: int, format: Format, config: DataConfig, limits: Limits) -> Layout:
    """Find the layout of a table from its first lines.

    Args:
        path: For messages.
        lines: The first lines that are not blank, at least one.
        start: Byte at which the first of all lines begins.
        format: What the file is.
        config: The scenario's word on columns and header.
        limits: Guards against endless headers.

    Raises:
        DataError: No layout, or more than one, that the lines can have; says which key decides.
    """
    first = lines[0]
    where = f"{path}: line {first.number}"
    if format == "pairs":
        two = roles.by_place(where, 2, [(first.text.split() + ["", ""])[:2]], config.columns)
        return Layout(BLANK, 2, False, two, start, 1, "{found} words, not 'user item'")
    separator = separator_of(lines, SEPARATORS[format]) or SEPARATORS[format][0]
    quotes = format == "csv" or (separator == TAB and _quoted(first.text))
    try:
        head = fields_of(first.text, separator, quotes)
    except csv.Error as error:
        raise DataError(f"{where}: broken quotes ({error})") from None
    if len(head) > limits.columns:
        raise DataError(f"{where}: {len(head):,} columns; {limits.columns:,} at most")
    sample = _sample(lines[1:], separator, quotes, len(head))
    if format == "inter":
        if not all(":" in name for name in head):
            raise DataError(f"{where}: an .inter file begins with a header such as user_id:token<tab>item_id:token")
        head = [name.partition(":")[0] for name in head]
        found = roles.by_name(where, head, sample, config.columns)
    elif _has_header(where, head, sample, config):
        found = roles.by_name(where, head, sample, config.columns)
    else:
        found = roles.by_place(where, len(head), [head, *sample], config.columns)
        return Layout(separator, len(head), quotes, found, start, 1)
    return Layout(separator, len(head), quotes, found, first.end, first.number + 1)


def _has_header(where: str, head: Sequence[str], sample: Sequence[Sequence[str]], config: DataConfig) -> bool:
    if config.header != "auto":
        return config.header == "yes"
    named = looks.like_header(head, sample)
    if named is not None:
        return named
    given = [getattr(config.columns, role) for role in ROLES]
    if any(isinstance(word, str) and word != NONE for word in given):
        return True
    if len(head) == 1:
        return False
    raise DataError(
        f'{where}: cannot tell whether {roles.listed(head)} names the columns: set data.header = "yes" or "no", '
        "and data.columns.user and data.columns.item to names or positions from 0"
    )


def _quoted(text: str) -> bool:
    return any(len(field) > 1 and field[0] == field[-1] == '"' for field in (part.strip(BLANKS) for part in text.split(TAB)))


def _sample(lines: Sequence[Line], separator: str, quotes: bool, width: int) -> list[list[str]]:
    """Return the fields of the first rows that are well formed; reading them names those that are not."""
    rows = []
    for line in lines:
        try:
            row = fields_of(line.text, separator, quotes)
        except csv.Error:
            continue
        if len(row) == width:
            rows.append(row)
    return rows
