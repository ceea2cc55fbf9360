"""Amounts in words: a number with the unit that keeps it short."""

from __future__ import annotations


def amount(value: float, unit: str) -> str:
    """Return a number of bytes or watt-hours with the unit that keeps it short."""
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 0.9995 * size:
            return f"{value / size:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}" if value >= 0.001 or not value else f"<0.001 {unit}"
