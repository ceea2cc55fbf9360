"""Cloud half of `fedavg`: ship the weights in force, average what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from chordsim.arrays import Floats, State
from chordsim.methods import Batch
from chordsim.methods.fedavg import strategies
from chordsim.methods.shipped.cloud import ShippedCloud
from chordsim.ragged import Ragged
from chordsim.round.updates import bounded, note
from chordsim.wire.floats import pack_floats, unpack_floats
from server.training import dense


class FedAvgCloud(ShippedCloud):
    """The reference, whole or begun, then averages of what phones made of it."""

    def trainee(self) -> dense.Reference:
        """Return the reference, or one that was trained for the first ``start_steps`` steps alone."""
        steps, training = int(self.context.settings["start_steps"]), self.context.training
        if not steps:
            return super().trainee()
        context = replace(self.context, training=training.model_copy(update={"max_steps": min(steps, training.max_steps)}))
        return dense.Reference(context, ShippedCloud(context).trainee().base)

    def learn(self, state: State, reports: Sequence[tuple[Batch, Ragged]]) -> State:
        """Return the state with the mean of the received weights, each counted by its number of examples.

        A strategy of Flower's may stand in the mean's place. No phone moves the weights further than its steps can lead,
        or counts more examples than it may train on.
        """
        total, examples = np.zeros(self.shapes.weights), 0.0
        current = self._flat(state)
        s = self.context.settings
        of_flower = str(s["strategy"]) != "average"
        heard_weights, heard_examples = [], []
        reach, most = int(s["steps"]) * float(s["rate"]), float(s["positions"])
        for who, updates in reports:
            values, sound = unpack_floats(updates, self.shapes.weights + 1)
            heard = who.active & sound
            note("senseless updates", who.active & ~sound)
            note("weights of updates capped", heard & ~((values[:, -1] >= 0.0) & (values[:, -1] <= most)))
            count = np.where(heard, np.clip(values[:, -1], 0.0, most), 0.0).astype(np.float64)
            near = bounded(values[:, :-1], current, reach, heard)
            if of_flower:
                heard_weights.append(near[count > 0])
                heard_examples.append(count[count > 0])
                continue
            total += count @ near
            examples += float(count.sum())
        if of_flower:
            return self._by_strategy(state, reports[0][0].round if reports else 1, heard_weights, heard_examples)
        if examples == 0.0:
            return state
        mean = torch.from_numpy((total / examples).astype(np.float32))
        parts = torch.split(mean, [n.channels * n.fan_in for n in self.shapes.layers])
        shaped = (part.view(n.channels, n.fan_in).clone() for part, n in zip(parts, self.shapes.layers, strict=True))
        return {**state, **{f"weights.{n}": weight for n, weight in enumerate(shaped)}}

    def basis(self, state: State) -> Floats:
        """Return the weights that phones train on from, [N]."""
        return np.asarray(self._flat(state), np.float64)

    def rebased(self, updates: Ragged, then: Floats, now: Floats, weight: float) -> Ragged:
        """Return older updates as the weights that the same steps lead to from the weights in force, with fewer examples."""
        values, sound = unpack_floats(updates, self.shapes.weights + 1)
        count = np.clip(values[:, -1:], 0.0, float(self.context.settings["positions"])) * weight
        made = np.concatenate([values[:, :-1] + (now - then), count], 1)
        return Ragged.of_matrix(pack_floats(made.astype(np.float32)), sound)

    def _flat(self, state: State) -> Any:
        return torch.cat([state[f"weights.{n}"].flatten() for n in range(len(self.shapes.layers))]).numpy()

    def _by_strategy(self, state: State, round: int, weights: list[Any], examples: list[Any]) -> State:
        """Return the state that one of Flower's strategies makes of the updates that were heard."""
        if not sum(map(len, examples)):
            return state
        s = self.context.settings
        before = dense.weights(self.shapes, state)
        heard = np.concatenate(weights), np.concatenate(examples)
        made = strategies.aggregated(str(s["strategy"]), s["strategy_options"], round, before, state, *heard)
        return state if made is None else {**state, **made}
