"""The recommender as modules that exporters read: weights as inputs, as constants, or as levels that a kernel multiplies by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim.config.model import BackboneConfig
from chordsim.nets.backbone import last_states
from chordsim.nets.choice import Choice, Weight

Single = npt.NDArray[np.float32]


class Product(Choice):
    """A layer whose product with its inputs is given as a function, so that exporters see the operator that runtimes know."""

    def __init__(self, of: Callable[[Tensor], Tensor]) -> None:
        object.__setattr__(self, "of", of)

    def product(self, x: Tensor) -> Tensor:
        """Return x [D, n, K] times the layer's weights, [D, n, C]."""
        made: Tensor = self.of(x)  # type: ignore[attr-defined]
        return made


def dense(weight: Tensor) -> Weight:
    """Return a layer with weights [C, K] as one linear operator."""
    return Product(lambda x: F.linear(x, weight))


class Program(nn.Module, ABC):
    """Item ids in, scores out; where the catalogue stays in the cloud, rows of the history in, the last state out.

    Inputs: ``items`` int64 [1, max_len], padded with 0 on the left; then ``rows`` float32 [1, max_len, d] where items are
    cached; then whatever `weights` takes. Outputs: scores [1, n_items + 1] or state [1, d].
    """

    def __init__(self, config: BackboneConfig, item: Single, position: Single) -> None:
        super().__init__()
        self.config = config
        # Of a table without rows, numpy's strides may be 0, which ExecuTorch does not take; a tensor of torch's own has others.
        self.register_buffer("position", torch.empty(position.shape).copy_(torch.from_numpy(position)))
        if config.items == "owned":
            self.register_buffer("item", torch.from_numpy(item.copy()))

    @abstractmethod
    def weights(self, given: Sequence[Tensor]) -> list[Weight]:
        """Return the layers, of inputs or of what the module holds."""

    def forward(self, items: Tensor, *rest: Tensor) -> Tensor:
        """Rank."""
        position: Tensor = self.get_buffer("position")
        if self.config.items == "owned":
            item = self.get_buffer("item")
            return last_states(items, item, position, self.weights(rest), self.config) @ item.T
        rows, *given = rest
        # The rows that came are the table: an item is its place in the history.
        table = torch.cat([torch.zeros(1, rows.shape[2]), rows[0]])
        places = torch.arange(1, rows.shape[1] + 1)[None] * (items > 0)
        return last_states(places, table, position, self.weights(given), self.config)


class Shared(Program):
    """One program for all phones: every layer's weights [C, K] are inputs, in plan order."""

    def weights(self, given: Sequence[Tensor]) -> list[Weight]:
        """Return the inputs."""
        return [dense(weight) for weight in given]


class Whole(Program):
    """One model for all phones: weights are constants."""

    def __init__(self, config: BackboneConfig, item: Single, position: Single, weights: Sequence[Single]) -> None:
        super().__init__(config, item, position)
        self.layers = len(weights)
        for n, weight in enumerate(weights):
            self.register_buffer(f"weight{n}", torch.from_numpy(weight.copy()))

    def weights(self, given: Sequence[Tensor]) -> list[Weight]:
        """Return the constants."""
        return [dense(self.get_buffer(f"weight{n}")) for n in range(self.layers)]


def example(config: BackboneConfig) -> tuple[Tensor, ...]:
    """Return inputs of the right shapes, without weights: a history that is half full."""
    items = torch.zeros(1, config.max_len, dtype=torch.int64)
    items[0, config.max_len // 2 :] = 1
    return (items,) if config.items == "owned" else (items, torch.zeros(1, config.max_len, config.dim))


def input_names(config: BackboneConfig, weights: Sequence[str] = ()) -> list[str]:
    """Return the names of a program's inputs, in order."""
    return ["items", *(["rows"] if config.items == "cached" else []), *weights]
