"""Defaults of a cloud half: admits everyone, answers nothing, learns nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from torch import nn

from chordsim.arrays import Bools, Bytes, Floats, State
from chordsim.data.split import TrainLogs
from chordsim.errors import MethodError, RunError
from chordsim.kernels.choose import kernels, training_kernels
from chordsim.methods import INVALID, Batch, Blob, Budgets, CloudTurn, Leg, MethodContext
from chordsim.nets.recommender import Trainable
from chordsim.nets.shapes import shapes_of
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from server.training import cache, dense
from server.training.fit import fit


class Cloud:
    """Base of the shipped cloud halves; a third party may use it or write its own."""

    def __init__(self, context: MethodContext) -> None:
        self.context = context
        self.shapes = shapes_of(context.backbone, context.n_items, context.ranked)
        self.kernels = kernels(context.kernel)
        self.training_kernels = training_kernels(context.training.kernel)

    def recipe(self) -> dict[str, Any]:
        """Return the settings that every trained state depends on."""
        c = self.context
        return {
            "backbone": c.backbone.model_dump(mode="json"),
            "training": {**c.training.model_dump(mode="json"), "kernel": self.training_kernels.name},
            "n_items": c.n_items,
            "seed": c.seed,
        }

    def trained(self, logs: TrainLogs, progress: Progress) -> State:
        """Return the trained state as a run has it: from the cache where it holds one."""
        return cache.trained(cast(cache.Source, self), logs, progress)[0]

    def bootstrap(self, state: State) -> list[Blob]:
        """Return nothing."""
        return []

    def admit(self, state: State, budgets: Budgets) -> npt.NDArray[np.uint8]:
        """Refuse nobody: what fits is for the phone to say."""
        return np.zeros(budgets.memory_bytes.size, np.uint8)

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Fail: a method without down legs is never asked."""
        raise RunError(f"method {self.context.name!r} has no answer for leg {leg.direction} {leg.kind}")

    def learn(self, state: State, reports: Sequence[tuple[Batch, Ragged]]) -> State:
        """Return the state unchanged."""
        return state

    def basis(self, state: State) -> Floats:
        """Fail: only a method that buffers is asked."""
        raise RunError(f"method {self.context.name!r} does not take in updates made from an older state")

    def rebased(self, updates: Ragged, then: Floats, now: Floats, weight: float) -> Ragged:
        """Fail: only a method that buffers is asked."""
        raise RunError(f"method {self.context.name!r} does not take in updates made from an older state")


class OfReference(Cloud):
    """Base of the halves whose state is the trained full-precision reference as it is, shared with one another."""

    def trainee(self) -> dense.Reference:
        """Return what is trained in place of this half."""
        return dense.Reference(self.context, Cloud.recipe(self))

    def recipe(self) -> dict[str, Any]:
        """Return the recipe of the shared training."""
        return self.trainee().recipe()

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Train the reference."""
        return self.trainee().train(logs, progress)


class Trained(Cloud):
    """Base of the halves that train one network of their own with the shared training loop."""

    def __init__(self, context: MethodContext) -> None:
        super().__init__(context)
        self._held: tuple[State, Any] | None = None

    def network(self) -> Any:
        """Return the untrained network, a `Trainable` module; a half that trains none in this way has a `train` of its own.

        Raises:
            MethodError: The half has neither.
        """
        name = type(self).__name__
        raise MethodError(f"method {self.context.name}, cloud half: {name} has no network(): return the untrained one, or write train()")

    def recipe(self) -> dict[str, Any]:
        """Return backbone, training and the method's settings."""
        settings = {key: value for key, value in self.context.settings.items() if key not in self.untrained()}
        half = {"trainer": type(self).__name__, "settings": settings}
        return {**dense.recipe(super().recipe()), **half}

    def untrained(self) -> tuple[str, ...]:
        """Return settings that training does not depend on."""
        return ()

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> frozenset[str]:
        """Give the network its first values, by default its own draws, and return which parameters are trained already."""
        return frozenset()

    def start_from_reference(self, network: Any, logs: TrainLogs, progress: Progress, *names: str) -> frozenset[str]:
        """Give the network what it shares with the trained reference, all of it or ``names`` alone, and return what that is."""
        reference = self.reference(logs, progress)
        shared = frozenset(names or reference) & frozenset(name for name, _ in network.named_parameters())
        network.load_state_dict({name: reference[name] for name in shared}, strict=False)
        return shared

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Train the network from its start."""
        network: Trainable = self.network()
        started = self.start(network, logs, progress)
        c = self.context
        return fit(network, logs, c.training, c.backbone.max_len, c.seed, c.name, progress, started)

    def reference(self, logs: TrainLogs, progress: Progress) -> State:
        """Return the trained full-precision reference, shared with the other methods through the cache."""
        return dense.without_notes(dense.cached(self.context, Cloud.recipe(self), logs, progress))

    def restored(self, state: State) -> Any:
        """Return the trained network, rebuilt once per state."""
        if self._held is None or self._held[0] is not state:
            network = self.network()
            assert isinstance(network, nn.Module)
            network.load_state_dict(dense.without_notes(state))
            self._held = (state, network.requires_grad_(False).eval())
        return self._held[1]


def answer(who: Batch, payload: Bytes, valid: Bools, macs: int) -> CloudTurn:
    """Return a turn that sends one row of ``payload`` [D, n] to every active phone whose question made sense."""
    refusal = np.where(who.active & ~valid, INVALID, 0).astype(np.uint8)
    spent = np.full(len(who), macs, np.int64)
    return CloudTurn(Ragged.of_matrix(payload, who.active & valid), spent, refusal, np.zeros(len(who), np.uint8))
