"""What a phone is: its tier, speed, link, power and budgets, in columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from chordsim.arrays import Bools, Floats, Ints
from chordsim.methods import Budgets

Mark = Literal["measured", "scaled", "fitted", "assumed"]

#: Where each of a tier's own numbers comes from; reports repeat the mark. For eras see `eras.CONSTANTS`.
MARKS: Mapping[str, Mark] = {
    "ram_bytes": "assumed",
    "macs_per_s": "assumed",
    "down_bytes_per_s": "assumed",
    "up_bytes_per_s": "assumed",
    "round_trip_s": "assumed",
    "j_per_mac": "assumed",
    "radio_w": "assumed",
    "radio_tail_s": "assumed",
    "memory_bytes": "assumed",
    "latency_s": "assumed",
    "bits": "assumed",
    "by_joules": "assumed",
    "timed": "scaled",  # "measured" for tiers that have rows of their own: `Latency.mark`
}

#: The constant that each part of a phone's joules rests on, by its name in `MARKS`.
ENERGY = {"compute": "j_per_mac", "transfer": "radio_w", "tail": "radio_tail_s"}


def assumed_energy(source: Literal["tiers", "era", "csv"]) -> tuple[str, ...]:
    """Return the parts of the joules whose constants are assumed, by where the phones come from.

    A scenario's own tiers and the eras assume the scale of all of them; a CSV brings its own watts and joules per operation,
    but no tail.
    """
    return ("tail",) if source == "csv" else tuple(name for name, constant in ENERGY.items() if MARKS[constant] == "assumed")


class Timing(Protocol):
    """Measured seconds of some phones, see `chordsim.population.latency`."""

    def infer_s(self, macs: Ints, bits: Floats) -> Floats:
        """Return the seconds of one request, [D]."""
        ...

    def adapt_s(self, macs: Ints, adapt_macs: Ints, train_macs: Ints, bits: Floats) -> Floats:
        """Return the seconds before the first request, [D]."""
        ...


@dataclass(frozen=True)
class Profiles:
    """D phones, shape [D] each.

    Attributes:
        device_ids: Which phones, in the order asked for.
        tier: Index into ``tier_names``.
        tier_names: Names of the tiers, in the scenario's order.
        ram_bytes: Memory of the phone.
        macs_per_s: Multiply-accumulates per second.
        down_bytes_per_s: Rate from the cloud to the phone.
        up_bytes_per_s: Rate from the phone to the cloud.
        round_trip_s: Seconds that a message takes besides its bytes.
        j_per_mac: Joules per multiply-accumulate.
        radio_w: Watts while the radio is on.
        budgets: What the phone grants the app.
        by_joules: Where the latency budget is what the joules of a day allow, rather than the tier's seconds.
        timed: Measured seconds, where the scenario has a table of them.
    """

    device_ids: Ints
    tier: Ints
    tier_names: tuple[str, ...]
    ram_bytes: Ints
    macs_per_s: Floats
    down_bytes_per_s: Floats
    up_bytes_per_s: Floats
    round_trip_s: Floats
    j_per_mac: Floats
    radio_w: Floats
    budgets: Budgets
    by_joules: Bools
    timed: Timing | None = None

    def infer_s(self, macs: Ints, bits: Floats) -> Floats:
        """Return the seconds of one request, [D]: operations over speed, or what was measured.

        Args:
            macs: Operations of a request.
            bits: Stored bits per weight; NaN where no model with weights runs.
        """
        return np.asarray(macs / self.macs_per_s) if self.timed is None else self.timed.infer_s(macs, bits)

    def adapt_s(self, macs: Ints, adapt_macs: Ints, train_macs: Ints, bits: Floats) -> Floats:
        """Return the seconds before the first request, [D].

        Args:
            macs: Operations of a request.
            adapt_macs: Operations that make the model and read the user.
            train_macs: Operations of training.
            bits: Stored bits per weight.
        """
        if self.timed is None:
            return np.asarray((adapt_macs + train_macs) / self.macs_per_s)
        return self.timed.adapt_s(macs, adapt_macs, train_macs, bits)

    def __len__(self) -> int:
        return self.device_ids.size
