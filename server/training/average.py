"""The exponential moving average of what is trained: less noisy than the last step, so validation sees it in its place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn


class Average:
    """Follows a model's parameters (Polyak and Juditsky 1992, with exponential weights)."""

    def __init__(self, model: nn.Module, steps: int) -> None:
        """Start from the parameters as they are.

        Args:
            model: What is trained.
            steps: Over about how many steps to average; 0 keeps no average, and everything here leaves the model alone.
        """
        self._steps, self._seen = steps, 0
        self._names = [name for name, _ in model.named_parameters()] if steps else []
        self._live = [value for _, value in model.named_parameters()] if steps else []
        self._mean = [value.detach().clone() for value in self._live]

    @torch.no_grad()
    def update(self) -> None:
        """Take one step's parameters in; the first steps weigh the same, so that the start is forgotten."""
        self._seen += 1
        for mean, live in zip(self._mean, self._live, strict=True):
            mean.lerp_(live, max(1 / self._seen, 1 / self._steps))

    def restart(self) -> None:
        """Forget what was seen: the next `update` begins anew."""
        self._seen = 0

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the average into the model inside this block, once there is one."""
        if not (self._mean and self._seen):
            yield
            return
        kept = [live.detach().clone() for live in self._live]
        self._copy(self._mean)
        try:
            yield
        finally:
            self._copy(kept)

    def state(self) -> dict[str, Tensor]:
        """Return what `load` needs."""
        if not self._steps:
            return {}
        return {**dict(zip(self._names, self._mean, strict=True)), "seen": torch.tensor(self._seen)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from a state; one that holds no average leaves it as it is."""
        if self._steps and state:
            self._seen = int(state["seen"])
            for name, mean in zip(self._names, self._mean, strict=True):
                mean.copy_(state[name])

    @torch.no_grad()
    def _copy(self, values: list[Tensor]) -> None:
        for live, value in zip(self._live, values, strict=True):
            live.copy_(value)
