"""The recommender as modules that exporters read: weights as inputs, as constants, or as levels that a kernel multiplies by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Inputs:
    """What a program takes: ``items`` int64 [1, max_len], padded with 0 on the left, and what else there is, in this order.

    ``rows`` float32 [1, max_len, d], the history's embeddings, where items are cached; ``user`` float32 [1, d]; weights.

    Attributes:
        config: Of the backbone.
        user: Whether the user's vector joins the backbone's inputs (`chordsim.nets.user_input`).
    """

    config: BackboneConfig
    user: bool = False

    def names(self, weights: Sequence[str] = ()) -> list[str]:
        """Return the names of all inputs, in order."""
        return ["items", *(["rows"] if self.config.items == "cached" else []), *(["user"] if self.user else []), *weights]

    def example(self) -> tuple[Tensor, ...]:
        """Return inputs of the right shapes, without weights: a history that is half full."""
        length, dim = self.config.max_len, self.config.dim
        items = torch.zeros(1, length, dtype=torch.int64)
        items[0, length // 2 :] = 1
        rows = (torch.zeros(1, length, dim),) if self.config.items == "cached" else ()
        return items, *rows, *((torch.zeros(1, dim),) if self.user else ())


class Program(nn.Module, ABC):
    """Item ids in, scores out; where the catalogue stays in the cloud, rows of the history in, the last state out.

    Takes `Inputs`, then whatever `weights` takes. Returns scores [1, n_items + 1] or state [1, d].
    """

    def __init__(self, inputs: Inputs, item: Single, position: Single) -> None:
        super().__init__()
        self.inputs, self.config = inputs, inputs.config
        # Of a table without rows, numpy's strides may be 0, which ExecuTorch does not take; a tensor of torch's own has others.
        self.register_buffer("position", torch.empty(position.shape).copy_(torch.from_numpy(position)))
        if self.config.items == "owned":
            self.register_buffer("item", torch.from_numpy(item.copy()))

    @abstractmethod
    def weights(self, given: Sequence[Tensor]) -> list[Weight]:
        """Return the layers, of inputs or of what the module holds."""

    def forward(self, items: Tensor, *rest: Tensor) -> Tensor:
        """Rank."""
        position: Tensor = self.get_buffer("position")
        owned, given = self.config.items == "owned", list(rest)
        rows = None if owned else given.pop(0)
        user = given.pop(0) if self.inputs.user else None
        if rows is None:
            item = self.get_buffer("item")
            return last_states(items, item, position, self.weights(given), self.config, user) @ item.T
        # The rows that came are the table: an item is its place in the history.
        table = torch.cat([torch.zeros(1, rows.shape[2]), rows[0]])
        places = torch.arange(1, rows.shape[1] + 1)[None] * (items > 0)
        return last_states(places, table, position, self.weights(given), self.config, user)


class Shared(Program):
    """One program for all phones: every layer's weights [C, K] are inputs, in plan order."""

    def weights(self, given: Sequence[Tensor]) -> list[Weight]:
        """Return the inputs."""
        return [dense(weight) for weight in given]


class Whole(Program):
    """One model for all phones: weights are constants."""

    def __init__(self, inputs: Inputs, item: Single, position: Single, weights: Sequence[Single]) -> None:
        super().__init__(inputs, item, position)
        self.layers = len(weights)
        for n, weight in enumerate(weights):
            self.register_buffer(f"weight{n}", torch.from_numpy(weight.copy()))

    def weights(self, given: Sequence[Tensor]) -> list[Weight]:
        """Return the constants."""
        return [dense(self.get_buffer(f"weight{n}")) for n in range(self.layers)]
