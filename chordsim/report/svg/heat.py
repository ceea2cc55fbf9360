"""A map of numbers as a small picture inside the drawing: a pixel for each, rows with their names, and what the colours mean."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

from chordsim.report.charts.plot import Map, Plot, Value
from chordsim.report.svg.letters import LINE, plain, shortened, text, width

#: Cividis (Nuñez, Anderton and Renslow 2018) at five places: the same order for every colour vision, and in grey.
_STOPS = ((0, 34, 78), (65, 77, 107), (124, 123, 120), (188, 175, 111), (254, 232, 56))
_ROW = 22.0


def draw(plot: Plot, wide: float) -> tuple[str, float]:
    """Return the drawing and its height in pixels."""
    (heat,) = [mark for mark in plot.marks if isinstance(mark, Map)]
    left = min(max(map(width, heat.names)), 0.4 * wide) + 8
    right, tall = wide - 8, _ROW * len(heat.names)
    columns = max(map(len, heat.values))
    parts = [text(left - 6, 2 + _ROW * (n + 0.5) + 4, shortened(name, left - 8), "tick", "end") for n, name in enumerate(heat.names)]
    parts.append(_image(png(heat.values, heat.top), (left, 2, right - left, tall)))
    for tick in sorted({0, columns // 4, columns // 2, 3 * columns // 4, columns - 1}):
        at = left + (tick + 0.5) * (right - left) / columns
        parts.append(text(min(at, wide - width(f"{tick}") / 2), tall + 18, f"{tick}", "tick", "middle"))
    parts.append(text(right, tall + 18 + LINE, plot.x.title, "title", "end"))
    parts.append(_image(png([[heat.top * n / 63 for n in range(64)]], heat.top), (left, tall + 24 + LINE, 90, 9)))
    parts.append(text(left - 6, tall + 32 + LINE, "0", "tick", "end"))
    parts.append(text(left + 96, tall + 32 + LINE, f"{plain(heat.top)} {heat.title}", "tick"))
    return "".join(parts), tall + 40 + LINE


def png(rows: Sequence[Sequence[Value]], top: float) -> bytes:
    """Return numbers from zero to the top as an image of a pixel each, clear where there is none."""
    lines = b"".join(b"\0" + b"".join(_pixel(value, top) for value in row) for row in rows)
    size = struct.pack(">IIBBBBB", max(map(len, rows)), len(rows), 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", size) + _chunk(b"IDAT", zlib.compress(lines, 9)) + _chunk(b"IEND", b"")


def _pixel(value: Value, top: float) -> bytes:
    if value is None:
        return b"\0\0\0\0"
    place = min(max(value / top, 0.0), 1.0) * (len(_STOPS) - 1)
    low = min(int(place), len(_STOPS) - 2)
    share = place - low
    return bytes([*(round(a + (b - a) * share) for a, b in zip(_STOPS[low], _STOPS[low + 1], strict=True)), 255])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _image(data: bytes, box: tuple[float, float, float, float]) -> str:
    x, y, wide, high = box
    shape = f'x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" preserveAspectRatio="none" style="image-rendering:pixelated"'
    return f'<image {shape} href="data:image/png;base64,{base64.b64encode(data).decode()}"/>'
