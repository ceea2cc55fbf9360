"""Who these phones are, drawn: histograms of memory, speed, link and energy by tier, for the terminal and as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from chordsim.arrays import Floats, Ints
from chordsim.population.profile import Profiles

BINS = 48
_BLOCKS = " ▁▂▃▄▅▆▇█"
_COLOURS = ("#b5533c", "#c9a227", "#3d7a6b", "#3f5a8a", "#7a4f86", "#6b6b6b")


@dataclass(frozen=True)
class Histogram:
    """One quantity: counts by tier over logarithmic bins.

    Attributes:
        title: Name and unit.
        edges: Bounds of the bins, [BINS + 1].
        counts: Phones by tier and bin, [T, BINS].
    """

    title: str
    edges: Floats
    counts: Ints


def histograms(phones: Profiles) -> list[Histogram]:
    """Return the histograms of D phones."""
    quantities: dict[str, Floats] = {
        "RAM (GB)": np.asarray(phones.ram_bytes * 1e-9, np.float64),
        "speed (GMAC/s)": phones.macs_per_s * 1e-9,
        "down (Mbit/s)": phones.down_bytes_per_s * 8e-6,
        "up (Mbit/s)": phones.up_bytes_per_s * 8e-6,
        "round trip (ms)": phones.round_trip_s * 1e3,
        "nJ per MAC": phones.j_per_mac * 1e9,
    }
    return [_histogram(title, np.asarray(values, np.float64), phones.tier, len(phones.tier_names)) for title, values in quantities.items()]


def as_text(found: Sequence[Histogram]) -> list[str]:
    """Return one line per quantity: its ends and the shape over all tiers."""
    lines = []
    for one in found:
        total = one.counts.sum(0)
        level = np.ceil(total / max(int(total.max()), 1) * (len(_BLOCKS) - 1)).astype(int)
        lines.append(f"{one.title:<16} {one.edges[0]:>8.3g} {''.join(_BLOCKS[n] for n in level)} {one.edges[-1]:.3g}")
    return lines


def as_svg(found: Sequence[Histogram], tiers: Sequence[str], title: str) -> str:
    """Return a page of small histograms, bars stacked by tier, logarithmic axes."""
    wide, high, gap = 300, 120, 46
    parts = []
    for number, one in enumerate(found):
        left, top = 30 + (number % 2) * (wide + gap), 64 + (number // 2) * (high + gap)
        parts.append(f'<text x="{left}" y="{top - 6}" font-weight="bold">{escape(one.title)}</text>')
        most = max(int(one.counts.sum(0).max()), 1)
        below = np.zeros(BINS)
        for tier, row in enumerate(one.counts):
            for n in np.flatnonzero(row).tolist():
                tall = row[n] / most * high
                y = top + high - below[n] - tall
                place = f'x="{left + n * wide / BINS:.2f}" y="{y:.2f}" width="{wide / BINS:.2f}" height="{tall:.2f}"'
                parts.append(f'<rect {place} fill="{_COLOURS[tier % len(_COLOURS)]}"/>')
            below += row / most * high
        base = top + high
        parts.append(f'<line x1="{left}" y1="{base}" x2="{left + wide}" y2="{base}" stroke="#444"/>')
        parts.append(f'<text x="{left}" y="{base + 14}">{one.edges[0]:.3g}</text>')
        parts.append(f'<text x="{left + wide}" y="{base + 14}" text-anchor="end">{one.edges[-1]:.3g} (log)</text>')
    legend = "".join(
        f'<rect x="{30 + 130 * n}" y="34" width="10" height="10" fill="{_COLOURS[n % len(_COLOURS)]}"/>'
        f'<text x="{45 + 130 * n}" y="43">{escape(name)}</text>'
        for n, name in enumerate(tiers)
    )
    height = 64 + (len(found) + 1) // 2 * (high + gap)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * wide + gap + 60} {height}" font-family="sans-serif" font-size="11">'
    name = f'<text x="30" y="20" font-size="14" font-weight="bold">{escape(title)}</text>'
    return "\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', name, legend, *parts, "</svg>", ""])


def _histogram(title: str, values: Floats, tier: Ints, tiers: int) -> Histogram:
    some = values > 0
    logs = np.log(np.where(some, values, 1.0))
    low, high = (float(logs[some].min()), float(logs[some].max())) if some.any() else (0.0, 0.0)
    high = high if high > low else low + 1e-9
    place = np.clip(((logs - low) / (high - low) * BINS).astype(np.int64), 0, BINS - 1)
    counts = np.bincount((tier * BINS + place)[some], minlength=tiers * BINS).reshape(tiers, BINS)
    return Histogram(title, np.exp(np.linspace(low, high, BINS + 1)), counts)
