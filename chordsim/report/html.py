"""From tables, charts and prose to one HTML file that works offline."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from typing import Any

from chordsim.report.charts.chart import SWAPS, Chart, is_missing
from chordsim.report.look import SCRIPT, STYLE

#: Rows of a chart's numbers that the page shows; the CSV has all.
_ROWS_SHOWN = 200
#: A chart higher than this takes the whole width, so that no hole stands beside it.
_TALL_PIXELS = 450
#: Nothing may be fetched, whatever a library would like to.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


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
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    css: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        key: Its anchor.
        title: Its heading.
        blocks: Prose as HTML made with `text` and the like, tables and charts, in order.
    """

    key: str
    title: str
    blocks: list[str | Grid | Chart] = field(default_factory=list)


def text(words: str, *, kind: str = "p", css: str = "") -> str:
    """Return a paragraph, or another element, with the words escaped."""
    style = f' class="{css}"' if css else ""
    return f"<{kind}{style}>{escape(words)}</{kind}>"


def code(words: str) -> str:
    """Return a block of code."""
    return f"<pre><code>{escape(words)}</code></pre>"


def folded(title: str, inner: str) -> str:
    """Return something that opens on a click."""
    return f"<details><summary>{escape(title)}</summary>{inner}</details>"


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


def grid_html(grid: Grid) -> str:
    """Return a table that scrolls sideways where it is too wide, with what its columns mean."""
    head = "".join(f'<th title="{escape(c.meaning)}">{escape(c.head)}</th>' for c in grid.columns)
    meanings = "".join(f"<dt>{escape(c.head)}</dt><dd>{escape(c.meaning)}</dd>" for c in grid.columns if c.meaning)
    explained = folded("What the columns mean", f"<dl>{meanings}</dl>") if meanings else ""
    style = f' class="{grid.css}"' if grid.css else ""
    return f'<div class="wide"><table{style}><thead><tr>{head}</tr></thead><tbody>{_body(grid.rows)}</tbody></table></div>{explained}'


def chart_html(chart: Chart) -> str:
    """Return a chart with its title, meaning and numbers."""
    head = "".join(f"<th>{escape(c)}</th>" for c in chart.columns)
    shown = f"the first {_ROWS_SHOWN} of {len(chart.rows):,} rows" if len(chart.rows) > _ROWS_SHOWN else f"{len(chart.rows):,} rows"
    link = _csv_link(chart.key, chart.csv())
    table = f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{_body(chart.rows[:_ROWS_SHOWN])}</tbody></table></div>'
    height = int(chart.figure.layout.height or 340)
    tall = ' class="tall"' if height > _TALL_PIXELS else ""
    return (
        f'<figure id="{escape(chart.key)}"{tall}><figcaption><h3>{escape(chart.title)}</h3><p>{escape(chart.meaning)}</p></figcaption>'
        f'<div class="plot" style="min-height:{height}px" data-figure="figure-{escape(chart.key)}"></div>'
        f"{folded('Numbers', f'<p>{shown}, {link}</p>{table}')}</figure>"
        f'<script type="application/json" id="figure-{escape(chart.key)}">{_json(json.loads(chart.figure.to_json()))}</script>'
    )


def document(title: str, sections: Sequence[Section]) -> str:
    """Return the whole page.

    Args:
        title: Of the page.
        sections: Its parts, in order.
    """
    from plotly.offline import get_plotlyjs

    links = "".join(f'<a href="#{escape(s.key)}">{escape(s.title)}</a>' for s in sections)
    body = "".join(_section(s) for s in sections)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f'<header><h1>{escape(title)}</h1><button id="theme" type="button" aria-label="Switch between light and dark">light / dark</button>'
        f"</header><nav>{links}</nav><main>{body}</main>"
        f'<script type="application/json" id="swaps">{_json(SWAPS)}</script>'
        f"<script>{get_plotlyjs()}</script><script>{SCRIPT}</script></body></html>\n"
    )


def _section(section: Section) -> str:
    blocks = []
    for is_chart, run in groupby(section.blocks, key=lambda block: isinstance(block, Chart)):
        made = [_block(block) for block in run]
        # Charts that follow one another stand side by side where there is room.
        blocks.append(f'<div class="pair">{"".join(made)}</div>' if is_chart and len(made) > 1 else "".join(made))
    return f'<section id="{escape(section.key)}"><h2>{escape(section.title)}</h2>{"".join(blocks)}</section>'


def _block(block: str | Grid | Chart) -> str:
    if isinstance(block, Chart):
        return chart_html(block)
    return grid_html(block) if isinstance(block, Grid) else block


def _body(rows: Sequence[Sequence[Any]]) -> str:
    def one(value: Any) -> str:
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        # A float is shown short; whoever needs the rest of it finds it here.
        whole = f' data-value="{value!r}"' if isinstance(value, float) and not is_missing(value) else ""
        return f"<td{' class=number' if numeric else ''}{whole}>{escape(cell(value))}</td>"

    return "".join(f"<tr>{''.join(one(v) for v in row)}</tr>" for row in rows)


def _csv_link(key: str, words: str) -> str:
    data = base64.b64encode(words.encode()).decode()
    return f'<a download="{escape(key)}.csv" href="data:text/csv;base64,{data}">download as CSV</a>'


def _json(value: Any) -> str:
    """Return JSON that cannot end the script element that holds it."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
