"""How series are told apart: colour by a class of the page, and beside it a marker, a dash or a pattern of their own."""

from __future__ import annotations

from html import escape

#: A class each, s0 to s7, gives the colour in light and dark.
COLOURS = 8
_MARKERS = (
    "M-4.4 0a4.4 4.4 0 1 0 8.8 0a4.4 4.4 0 1 0-8.8 0z",
    "M-4-4h8v8h-8z",
    "M0-5.4L5.4 0 0 5.4-5.4 0z",
    "M0-5.2L5 3.9H-5z",
    "M-1.7-5h3.4v3.3H5v3.4H1.7V5h-3.4V1.7H-5v-3.4h3.3z",
    "M-3.2-5L0-1.8 3.2-5 5-3.2 1.8 0 5 3.2 3.2 5 0 1.8-3.2 5-5 3.2-1.8 0-5-3.2z",
    "M0-5.8L1.5-1.8 5.7-1.8 2.4 .8 3.6 5 0 2.5-3.6 5-2.4 .8-5.7-1.8-1.5-1.8z",
    "M0 5.2L5-3.9H-5z",
)
_NAMED = ("circle", "square", "diamond", "triangle", "plus", "cross", "star", "hanging triangle")
_DASHES = ("", "8 4", "2 3", "9 3 2 3", "14 4", "14 3 2 3 2 3", "5 2", "1 5")
#: Strokes laid over a bar's colour; the first part of each bar has none.
_HATCHES = (
    "",
    "M-2 2L2-2M0 8L8 0M6 10L10 6",
    "M4 0V8",
    "M-2 6L2 10M0 0L8 8M6-2L10 2",
    "M0 4H8",
    "M0 4H8M4 0V8",
    "M0 0L8 8M0 8L8 0",
    "M2 2h1M6 6h1",
)


def css(place: int) -> str:
    """Return the class of a series' colour; after eight series markers are hollow, after sixteen colours have the next one's shape."""
    return f"s{place % COLOURS}" + (" hollow" if place // COLOURS % 2 else "")


def marker(place: int, x: float, y: float, tip: str = "", shape: int | None = None) -> str:
    """Return a marker in its series' colour and shape, with what a pointer is told."""
    told = f' data-tip="{escape(tip)}"' if tip else ""
    drawn = _MARKERS[(place + place // 16 if shape is None else shape) % len(_MARKERS)]
    return f'<path class="mark {css(place)}" transform="translate({x:.1f} {y:.1f})" d="{drawn}"{told}/>'


def marker_name(shape: int) -> str:
    """Return what a marker is called."""
    return _NAMED[shape % len(_NAMED)]


def line(place: int, path: str, tip: str = "") -> str:
    """Return a line in its series' colour and dash."""
    dash = _DASHES[(place + place // 8) % len(_DASHES)]
    told = (f' stroke-dasharray="{dash}"' if dash else "") + (f' data-tip="{escape(tip)}"' if tip else "")
    return f'<path class="line {css(place)}" d="{path}"{told}/>'


def bar(place: int, order: int, box: tuple[float, float, float, float], tip: str = "") -> str:
    """Return a bar (x, y, width, height) in its series' colour, and in the pattern of its order among the parts."""
    x, y, wide, high = box
    shape = f'x="{x:.1f}" y="{y:.1f}" width="{max(wide, 0.5):.1f}" height="{high:.1f}"'
    told = f' data-tip="{escape(tip)}"' if tip else ""
    over = f'<rect {shape} fill="url(#hatch{order % len(_HATCHES)})" pointer-events="none"/>' if _HATCHES[order % len(_HATCHES)] else ""
    return f'<rect class="bar {css(place)}" {shape}{told}/>{over}'


def patterns() -> str:
    """Return the patterns of bars, to stand once in a page."""
    made = "".join(
        f'<pattern id="hatch{order}" width="8" height="8" patternUnits="userSpaceOnUse"><path class="hatch" d="{strokes}"/></pattern>'
        for order, strokes in enumerate(_HATCHES)
        if strokes
    )
    return f'<svg class="patterns" width="0" height="0" aria-hidden="true" focusable="false"><defs>{made}</defs></svg>'


def swatch(place: int, kind: str, order: int = 0) -> str:
    """Return a small picture of a series for legends and tables: ``line``, ``marker``, ``both`` or ``bar``."""
    parts = bar(place, order, (1, 2, 24, 11)) if kind == "bar" else ""
    parts += line(place, "M0 7.5H26") if kind in ("line", "both") else ""
    parts += marker(place, 13, 7.5) if kind in ("marker", "both") else ""
    return f'<svg class="swatch" width="26" height="15" viewBox="0 0 26 15" aria-hidden="true" focusable="false">{parts}</svg>'
