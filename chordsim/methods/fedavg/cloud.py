"""Cloud half of `fedavg`: ship the weights in force, average what comes back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from chordsim.arrays import State
from chordsim.methods import Batch
from chordsim.methods.shipped.cloud import ShippedCloud
from chordsim.ragged import Ragged
from chordsim.round.updates import bounded, note
from chordsim.wire.floats import unpack_floats


class FedAvgCloud(ShippedCloud):
    """The reference, then averages of what phones made of it."""

    def learn(self, state: State, reports: Sequence[tuple[Batch, Ragged]]) -> State:
        """Return the state with the mean of the received weights, each counted by its number of examples.

        No phone moves the weights further than its steps can lead, or counts more examples than it may train on.
        """
        total, examples = np.zeros(self.shapes.weights), 0.0
        current = torch.cat([state[f"weights.{n}"].flatten() for n in range(len(self.shapes.layers))]).numpy()
        s = self.context.settings
        reach, most = int(s["steps"]) * float(s["rate"]), float(s["positions"])
        for who, updates in reports:
            values, sound = unpack_floats(updates, self.shapes.weights + 1)
            heard = who.active & sound
            note("senseless updates", who.active & ~sound)
            note("weights of updates capped", heard & ~((values[:, -1] >= 0.0) & (values[:, -1] <= most)))
            count = np.where(heard, np.clip(values[:, -1], 0.0, most), 0.0).astype(np.float64)
            total += count @ bounded(values[:, :-1], current, reach, heard)
            examples += float(count.sum())
        if examples == 0.0:
            return state
        mean = torch.from_numpy((total / examples).astype(np.float32))
        parts = torch.split(mean, [n.channels * n.fan_in for n in self.shapes.layers])
        shaped = (part.view(n.channels, n.fan_in).clone() for part, n in zip(parts, self.shapes.layers, strict=True))
        return {**state, **{f"weights.{n}": weight for n, weight in enumerate(shaped)}}
