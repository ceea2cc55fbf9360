"""A population in a few numbers per tier, or one line per phone."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chordsim.arrays import Ints
from chordsim.files import atomic_write
from chordsim.population.profile import Profiles


@dataclass(frozen=True)
class TierFacts:
    """One tier's phones: how many, what share, and medians.

    Attributes:
        name: Of the tier.
        phones: How many.
        share: Of all phones shown.
        medians: By the name of the column, in its unit.
        fp32_share: Share whose memory budget holds the full-precision model.
    """

    name: str
    phones: int
    share: float
    medians: dict[str, float]
    fp32_share: float


def columns(profiles: Profiles) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    """Return every number of every phone by name, [D] each."""
    return {
        "ram_bytes": profiles.ram_bytes,
        "macs_per_s": profiles.macs_per_s,
        "down_bytes_per_s": profiles.down_bytes_per_s,
        "up_bytes_per_s": profiles.up_bytes_per_s,
        "round_trip_s": profiles.round_trip_s,
        "j_per_mac": profiles.j_per_mac,
        "radio_w": profiles.radio_w,
        "memory_budget_bytes": profiles.budgets.memory_bytes,
        "latency_budget_s": profiles.budgets.latency_s,
        "bits_budget": profiles.budgets.bits,
    }


def per_tier(profiles: Profiles, fp32_peak_bytes: int) -> list[TierFacts]:
    """Return the facts of every tier that has phones, in the scenario's order."""
    facts = []
    for index, name in enumerate(profiles.tier_names):
        mine = profiles.tier == index
        if mine.any():
            facts.append(
                TierFacts(
                    name=name,
                    phones=int(mine.sum()),
                    share=float(mine.mean()),
                    medians={column: float(np.median(values[mine])) for column, values in columns(profiles).items()},
                    fp32_share=float((profiles.budgets.memory_bytes[mine] >= fp32_peak_bytes).mean()),
                )
            )
    return facts


def write_csv(path: Path, profiles: Profiles, user_ids: Ints) -> None:
    """Write one line per phone: its id, user, tier and every number.

    Raises:
        UserError: The file cannot be written.
    """
    import pandas as pd

    table = pd.DataFrame(
        {
            "device_id": profiles.device_ids,
            "user_id": user_ids,
            "tier": np.array(profiles.tier_names)[profiles.tier],
            **columns(profiles),
        }
    )
    text = io.StringIO()
    table.to_csv(text, index=False, lineterminator="\n")
    atomic_write(path, text.getvalue().encode())
