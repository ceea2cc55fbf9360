"""Tables and figures for the pages: every number comes out of the CSV files."""

from __future__ import annotations

from benchmarks.throughput.results import Figure

NONE = "not measured"


def plain(value: float) -> str:
    """Return a number with three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def figure(found: Figure | None, unit: str = "") -> str:
    """Return a median with its least and most."""
    if found is None:
        return NONE
    spread = f" ({plain(found.least)} to {plain(found.most)})" if found.count > 1 else ""
    return f"{plain(found.median)}{unit}{spread}"


def times(found: Figure | None) -> str:
    """Return a ratio."""
    return (
        NONE
        if found is None
        else f"{found.median:.2f} ({found.least:.2f} to {found.most:.2f})"
        if found.count > 1
        else f"{found.median:.2f}"
    )


def percent(found: Figure | None) -> str:
    """Return a share."""
    return "" if found is None else f"{found.median:.1%}"


def mebibytes(found: Figure | None) -> str:
    """Return the most of some bytes."""
    return "" if found is None else f"{found.most / 2**20:,.0f}"
