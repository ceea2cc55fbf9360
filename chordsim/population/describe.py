"""A population in a few numbers per tier, or one line per phone."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Ints
from chordsim.files import atomic_write
from chordsim.population.profile import Profiles


@dataclass(frozen=True)
class TierFacts:
    """One tier's phones, or another group's: how many, what share, and medians.

    Attributes:
        name: Of the tier or group.
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


def per_group(profiles: Profiles, fp32_peak_bytes: int, codes: Ints, names: Sequence[str]) -> list[TierFacts]:
    """Return the facts of every group that has phones: each phone's is ``names[codes[d]]``."""
    facts = []
    for index, name in enumerate(names):
        mine = codes == index
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


def write_csv(path: Path, profiles: Profiles, user_ids: Ints, further: Mapping[str, npt.NDArray[np.str_]] | None = None) -> None:
    """Write one line per phone: its id, user, tier, every number, and the ``further`` columns of its file.

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
            **(further or {}),
        }
    )
    text = io.StringIO()
    table.to_csv(text, index=False, lineterminator="\n")
    atomic_write(path, text.getvalue().encode())
