"""From tables, charts and prose to one HTML file that works offline."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby

from chordsim.report.charts.chart import Chart
from chordsim.report.look import SCRIPT, STYLE
from chordsim.report.svg import picture
from chordsim.report.svg.shapes import patterns
from chordsim.report.tables import Column as Column
from chordsim.report.tables import Grid as Grid
from chordsim.report.tables import Markup as Markup
from chordsim.report.tables import cell as cell
from chordsim.report.tables import folded as folded
from chordsim.report.tables import grid_html as grid_html
from chordsim.report.tables import interval as interval
from chordsim.report.tables import named as named
from chordsim.report.tables import numbers_html

#: Rows of a chart's numbers that the page shows; the CSV has all.
_ROWS_SHOWN = 100
#: Nothing may be fetched, whatever a browser would like to.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
#: The section that answers: it stands above the list of the others.
ANSWER = "answer"


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
    return f'<pre tabindex="0"><code>{escape(words)}</code></pre>'


def cards(pairs: Sequence[tuple[str, str]]) -> str:
    """Return short answers side by side, each under its question."""
    items = "".join(f"<div><dt>{escape(asked)}</dt><dd>{escape(said)}</dd></div>" for asked, said in pairs)
    return f'<dl class="cards">{items}</dl>'


def chart_html(chart: Chart) -> str:
    """Return a chart with its title, meaning and numbers."""
    shown = f"The first {_ROWS_SHOWN} of {len(chart.rows):,} rows" if len(chart.rows) > _ROWS_SHOWN else f"{len(chart.rows):,} rows"
    table = numbers_html(f"Numbers of {chart.title}", chart.columns, chart.rows[:_ROWS_SHOWN])
    return (
        f'<figure id="{escape(chart.key)}"><figcaption><h3>{escape(chart.title)}</h3><p>{escape(chart.meaning)}</p></figcaption>'
        f"{picture.figure(chart)}"
        f"{folded('Numbers', f'<p>{shown}, {_csv_link(chart.key, chart.csv())}</p>{table}')}</figure>"
    )


def alone(chart: Chart) -> str:
    """Return a chart outside a page, with the page's look."""
    return f'<div class="alone"><style>{STYLE}</style>{patterns()}<p><b>{escape(chart.title)}</b></p>{picture.figure(chart)}</div>'


def document(title: str, sections: Sequence[Section], about: str = "", question: str = "") -> str:
    """Return the whole page.

    Args:
        title: Of the page.
        sections: Its parts, in order; the answer, where there is one, comes before the list of the others.
        about: What the page is of, in a line above the title's question.
        question: What the scenario asks.
    """
    links = "".join(f'<li><a href="#{escape(s.key)}">{escape(s.title)}</a></li>' for s in sections if s.key != ANSWER)
    first = "".join(_section(s) for s in sections if s.key == ANSWER)
    rest = "".join(_section(s) for s in sections if s.key != ANSWER)
    lines = (text(question, css="question") if question else "") + (text(about, css="about") if about else "")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{patterns()}"
        f'<header><div><h1>{escape(title)}</h1>{lines}</div><button id="theme" type="button">Light or dark</button></header>'
        f'<main>{first}<nav aria-label="Parts of this page"><ul>{links}</ul></nav>{rest}</main>'
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def _section(section: Section) -> str:
    blocks = []
    for is_chart, run in groupby(section.blocks, key=lambda block: isinstance(block, Chart)):
        made = [_block(block) for block in run]
        # Charts that follow one another stand side by side where there is room.
        blocks.append(f'<div class="charts{" pair" if len(made) > 1 else ""}">{"".join(made)}</div>' if is_chart else "".join(made))
    key = escape(section.key)
    return f'<section id="{key}" aria-labelledby="{key}-head"><h2 id="{key}-head">{escape(section.title)}</h2>{"".join(blocks)}</section>'


def _block(block: str | Grid | Chart) -> str:
    if isinstance(block, Chart):
        return chart_html(block)
    return grid_html(block) if isinstance(block, Grid) else block


def _csv_link(key: str, words: str) -> str:
    data = base64.b64encode(words.encode()).decode()
    return f'<a download="{escape(key)}.csv" href="data:text/csv;base64,{data}">download as CSV</a>'
