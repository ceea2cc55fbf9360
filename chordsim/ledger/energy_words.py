"""What joules rest on, in words: which constants are assumed, and how much a figure moves with the radio's tail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chordsim.population.clock import RADIO_TAIL_S

#: What `chordsim.ledger.served.Served.energy` tells of one method.
Energy = Mapping[str, float | None]


def sensitivity(by_method: Mapping[str, Energy]) -> str:
    """Return in one line how much of the joules is assumed and what another tail of the radio would make of them; nothing without joules.

    Args:
        by_method: Shares of a served session's joules by method.
    """
    known = {name: energy for name, energy in by_method.items() if energy.get("tail_share") is not None}
    if not known:
        return ""
    assumed, tail = (_span([float(energy[f"{part}_share"] or 0.0) for energy in known.values()]) for part in ("assumed", "tail"))
    shares = [float(energy["tail_share"] or 0.0) for energy in known.values()]
    half, twice = (_span([factor * share for share in shares]) for factor in (0.5, 1.0))
    return (
        f"joules: {assumed} of them rests on assumed constants, {tail} on the radio's tail of {RADIO_TAIL_S:g} s alone: "
        f"half that tail takes {half} off, twice adds {twice}"
    )


def rests_on(population: Mapping[str, Any]) -> str:
    """Return what seconds and joules of a run's phones are modelled from.

    Args:
        population: The scenario's table.
    """
    if population.get("csv"):
        return (
            f"Seconds and joules are modelled from your own phones ({population['csv']}) and stand as firm as what it holds; "
            f"the radio's tail of {RADIO_TAIL_S:g} s is assumed."
        )
    if population.get("era"):
        return (
            f"Seconds and joules are modelled from the phones of the {population['era']}: the shapes of speed, links and round trips are "
            "fitted to published measurements; the scale of speed, of joules per operation, the radio's watts and its tail are assumed."
        )
    return "Seconds and joules are modelled from the scenario's own tiers, whose constants are assumed, every one, and not measured."


def phones_of(population: Mapping[str, Any]) -> str:
    """Return in a few words where a run's phones come from."""
    if population.get("csv"):
        return "kinds of phones, from your own list"
    return f"kinds of phones, of the {population['era']}" if population.get("era") else "kinds of phones; their constants are assumed"


def percent(share: float | None) -> float | None:
    """Return a share in per cent."""
    return None if share is None else 100 * share


def _span(shares: list[float]) -> str:
    low, high = (f"{100 * value:.0f}" for value in (min(shares), max(shares)))
    return f"{low} %" if low == high else f"{low} to {high} %"
