"""Tables of the page: every cell knows its column's name, so that a table can fold into cards on a narrow screen and on paper."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from chordsim.report.charts.chart import is_missing
from chordsim.report.svg.shapes import css, swatch

#: A table of more columns than this is turned where that makes it narrower: one line for each figure, one column for each method.
_WIDE = 8
#: A number with its unit, which stands at the right of its cell as bare numbers do.
_NUMBER = re.compile(r"[+−-]?[\d.,]+( ?(%|[kMGT]?B))?")


@dataclass(frozen=True)
class Column:
    """A column of a table: its head with the unit, and what it means in one line."""

    head: str
    meaning: str = ""


@dataclass(frozen=True)
class Grid:
    """A table: columns, and rows of texts or numbers.

    Attributes:
        columns: The columns; the first names the row.
        rows: Cells; None where there is no value.
        css: Class of the table; ``facts`` for a list of facts, whose cells may break lines.
        caption: What the table holds; empty where a heading stands right above it, which then names it.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    css: str = ""
    caption: str = ""


class Markup(str):
    """A cell's content that is HTML already."""

    __slots__ = ()


def named(name: str, place: int) -> Markup:
    """Return a method's name behind the marker of its series, as tables that charts stand beside have it."""
    return Markup(f'<span class="{css(place)}">{swatch(place, "marker")}</span>{escape(name)}')


def cell(value: Any) -> str:
    """Return a table cell's words: numbers with up to 4 significant digits, large ones with thousands apart."""
    if is_missing(value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if 1e-4 <= abs(value) < 1:
            return f"{value:.4f}"
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def interval(ci95: tuple[float, float] | None) -> str | None:
    """Return an interval in words."""
    return None if ci95 is None else f"{ci95[0]:.4f} to {ci95[1]:.4f}"


def folded(title: str, inner: str) -> str:
    """Return something that opens on a click."""
    return f"<details><summary>{escape(title)}</summary>{inner}</details>"


def grid_html(grid: Grid) -> str:
    """Return a table with what its columns mean, turned where it is wide and short."""
    if len(grid.columns) > _WIDE and len(grid.rows) <= _WIDE and not grid.css:
        flat = numbers_html(f"Numbers of {grid.caption or 'this table'}", [column.head for column in grid.columns], grid.rows)
        return _turned(grid) + folded(f"The same with one line for each {grid.columns[0].head}, to copy", flat)
    meanings = "".join(f"<dt>{escape(c.head)}</dt><dd>{escape(c.meaning)}</dd>" for c in grid.columns if c.meaning)
    explained = folded("What the columns mean", f"<dl>{meanings}</dl>") if meanings and grid.css != "facts" else ""
    css = "many" if len(grid.columns) > _WIDE else ""
    return _table(grid.caption, grid.columns, grid.rows, f"{grid.css} {css}".strip()) + explained


def numbers_html(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a chart's numbers as a plain table."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(f"<tr>{''.join(_plain(value) for value in row)}</tr>" for row in rows)
    return _scrolled(caption, f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def _turned(grid: Grid) -> str:
    """Return a table whose columns have become lines, each with what it means below its name."""
    heads = [Column(grid.columns[0].head), *(Column(_name(row[0])) for row in grid.rows)]
    lines = [[column, *(row[place] for row in grid.rows)] for place, column in enumerate(grid.columns) if place]
    return _table(grid.caption, heads, lines, "turned")


def _table(caption: str, columns: Sequence[Column], rows: Sequence[Sequence[Any]], css: str) -> str:
    head = "".join(_head(column, [row[place] for row in rows] if place else []) for place, column in enumerate(columns))
    body = "".join(f'<tr role="row">{_row(columns, row)}</tr>' for row in rows)
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    return _scrolled(
        caption or f"Table by {columns[0].head}",
        f'<table class="fold {css}" role="table">{told}<thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{body}</tbody></table>',
    )


def _head(column: Column, values: Sequence[Any]) -> str:
    told = f' title="{escape(column.meaning)}"' if column.meaning else ""
    some = [value for value in values if not is_missing(value)]
    number = " class=number" if some and all(map(_is_number, some)) else ""
    return f'<th role="columnheader" scope="col"{number}{told}>{escape(column.head)}</th>'


def _scrolled(caption: str, table: str) -> str:
    return f'<div class="wide" role="region" tabindex="0" aria-label="{escape(caption)}">{table}</div>'


def _row(columns: Sequence[Column], row: Sequence[Any]) -> str:
    first = row[0]
    meaning = f"<small>{escape(first.meaning)}</small>" if isinstance(first, Column) and first.meaning else ""
    cells = [f'<th role="rowheader" scope="row">{_shown(first)}{meaning}</th>']
    for column, value in zip(columns[1:], row[1:], strict=True):
        # A float is shown short; whoever needs the rest of it finds it here.
        whole = f' data-value="{value!r}"' if isinstance(value, float) and not is_missing(value) else ""
        number = " class=number" if _is_number(value) else ""
        cells.append(f'<td role="cell"{number} data-label="{escape(column.head)}"{whole}>{_shown(value)}</td>')
    return "".join(cells)


def _plain(value: Any) -> str:
    whole = f' data-value="{value!r}"' if isinstance(value, float) and not is_missing(value) else ""
    return f"<td{' class=number' if _is_number(value) else ''}{whole}>{_shown(value)}</td>"


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, Markup) else escape(_name(value))


def _name(value: Any) -> str:
    return value.head if isinstance(value, Column) else cell(value)


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return not isinstance(value, Markup) and bool(_NUMBER.fullmatch(value))
    return (isinstance(value, int | float) and not isinstance(value, bool)) or is_missing(value)
