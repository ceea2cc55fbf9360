"""Letters of a chart: about how wide words are, how they break, and numbers as people write them."""

from __future__ import annotations

import math
from html import escape

#: Size of all letters, in pixels; charts are drawn for the width that they are shown at, so that letters keep it.
SIZE = 12.0
LINE = 15.0
_NARROW, _WIDE = frozenset("ijlI|.,:;'!()[]ft -"), frozenset("mwMW@%")
_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))


def width(words: str) -> float:
    """Return about how wide words are in a sans serif of `SIZE`, in pixels; rather too much than too little."""
    return SIZE * sum(0.34 if c in _NARROW else 0.9 if c in _WIDE else 0.69 if c.isupper() else 0.58 for c in words)


def wrapped(words: str, room: float, most: int = 3) -> list[str]:
    """Return words in lines that fit; what is longer than all lines ends in an ellipsis."""
    lines = [""]
    for word in words.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if width(longer) <= room or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    kept = lines[:most]
    if len(lines) > most:
        kept[-1] += "…"
    return [shortened(line, room) for line in kept]


def shortened(words: str, room: float) -> str:
    """Return words that fit, cut in the middle where they do not: names differ at both ends."""
    if width(words) <= room:
        return words
    for kept in range(len(words) - 1, 2, -1):
        head, tail = (kept + 1) // 2, kept // 2
        made = f"{words[:head]}…{words[len(words) - tail :]}"
        if width(made) <= room:
            return made
    return words[:1] + "…"


def plain(value: float, step: float | None = None) -> str:
    """Return a number without powers of ten: as many places as a step of ticks has, or three digits."""
    if not value:
        return "0"
    if step is not None:
        places = max(0, -math.floor(math.log10(step) + 1e-9))
        places += round(step * 10**places, 6) != round(step * 10**places)
        return f"{value:,.{places}f}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    words = f"{value:.{min(places, 12)}f}"
    return words.rstrip("0").rstrip(".") if "." in words else words


def in_bytes(value: float) -> str:
    """Return bytes in B, kB, MB or more, three digits."""
    size, unit = next(((size, unit) for size, unit in _SIZES if abs(value) >= size), (1.0, "B"))
    shown = value / size
    return f"{plain(float(f'{shown:.3g}'))} {unit}"


def written(value: float, unit: str, step: float | None = None) -> str:
    """Return a number in an axis' unit."""
    return in_bytes(value) if unit == "B" else plain(value, step)


def text(x: float, y: float, words: str, css: str = "", anchor: str = "") -> str:
    """Return words at a point of the picture."""
    style = (f' class="{css}"' if css else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text x="{x:.1f}" y="{y:.1f}"{style}>{escape(words)}</text>'
