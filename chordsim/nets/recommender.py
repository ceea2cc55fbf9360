"""What every recommender that the cloud trains shares, the one of dense weights, and the one that reads its user beside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from chordsim import seeds
from chordsim.nets import backbone, embeddings, extractor
from chordsim.nets.choice import Attend, Fed, Weight
from chordsim.nets.draws import draw_parameters
from chordsim.nets.dropout import Thin, dropped, thinned
from chordsim.nets.reads import reach_of
from chordsim.nets.shapes import Shapes
from chordsim.nets.user_input import added
from chordsim.nets.windows import Windows

EMBEDDING_STD = 0.02


class Ranking(Protocol):
    """What a validation asks of a model."""

    def last_states(self, items: Tensor) -> Tensor:
        """Return the state [B, d] that ranks the next item, as a phone would compute it."""
        ...

    def item_as_shipped(self) -> Tensor:
        """Return the item embeddings [n_items + 1, d] that a phone compares that state with."""
        ...


class Trainable(Ranking, Protocol):
    """What the training loop asks of a model."""

    horizon: int
    item: nn.Parameter

    def groups(self, lr: float, plan_lr: float) -> list[dict[str, Any]]:
        """Return optimiser parameter groups."""
        ...

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states of a training batch at its last positions, [B, n, d]; n reaches back to the first target."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A model whose next steps depend on more than parameters and buffers: on counters, or gradients that wait."""

    def between_steps(self) -> dict[str, Tensor]:
        """Return all of that, for a training that is cut off here."""
        ...

    def go_on(self, kept: dict[str, Tensor]) -> None:
        """Put it back."""
        ...


@runtime_checkable
class Watched(Protocol):
    """A model that tells, beside its score, what it does to the users of a validation."""

    def watched(self) -> dict[str, Tensor]:
        """Return by name what was seen since this was asked last, always of the same shape, and forget it."""
        ...


class Recommender(nn.Module):
    """Embeddings and the batched pass that every trained recommender shares."""

    def __init__(self, shapes: Shapes, seed: int, purpose: str) -> None:
        super().__init__()
        self.shapes, self.horizon = shapes, shapes.backbone.max_len
        #: Items that `Windows.history` and histories of a validation hold; set by who reads more of a user than the backbone's window.
        self.reach = shapes.backbone.max_len
        self.generator = seeds.torch_generator(seed, purpose)
        #: Bits of each item's row, where they differ by how often it occurs; set by who knows the logs.
        self.item_widths: Tensor | None = None
        #: What attention is computed with in training; None: torch. Set by who trains.
        self.attend: Attend | None = None
        #: What multiplies in dropout; set by who trains.
        self.thin: Thin = thinned
        config = shapes.backbone
        self.item = nn.Parameter(torch.randn(shapes.n_items + 1, config.dim, generator=self.generator) * EMBEDDING_STD)
        self.position = nn.Parameter(torch.randn(backbone.position_shape(config), generator=self.generator) * EMBEDDING_STD)
        with torch.no_grad():
            self.item[0] = 0.0

    def item_as_shipped(self) -> Tensor:
        """Return item embeddings as phones hold them."""
        return embeddings.rounded(self.item.detach(), self.shapes.backbone.embedding_bits, self.item_widths)

    def run(
        self, items: Tensor, weights: Sequence[Weight | Fed], dropout: float, generator: torch.Generator, user: Tensor | None = None
    ) -> Tensor:
        """Return the states of a training batch under dropout, at the positions that have targets; ``user`` [B, d] joins all inputs."""

        def drop(x: Tensor) -> Tensor:
            return dropped(x, dropout, generator, self.thin)

        states = drop(added(backbone.embed(items, self.item, self.position, self.shapes.backbone), items, user))
        reads = min(self.horizon, items.shape[1])
        return backbone.forward(items, states, weights, self.shapes.backbone, reads=reads, dropout=drop, attend=self.attend)


class Dense(Recommender):
    """A backbone with trained weights."""

    def __init__(self, shapes: Shapes, seed: int, start_std: float | None = None) -> None:
        """Draw what training starts from.

        Args:
            shapes: Of the backbone, and how many items there are.
            seed: The scenario's.
            start_std: Standard deviation of the weights; None: the root of gain over fan-in (He et al. 2015). With 0.02, as published
                trainings of transformers have it, layers add little at first, so that a state begins as its last item.
        """
        super().__init__(shapes, seed, "train.dense.init")
        self.weights = nn.ParameterList(
            torch.randn(n.channels, n.fan_in, generator=self.generator) * (start_std or math.sqrt(n.gain / n.fan_in)) for n in shapes.layers
        )

    def groups(self, lr: float, plan_lr: float) -> list[dict[str, Any]]:
        """Return one group."""
        return [{"params": list(self.parameters()), "lr": lr}]

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, L, d] of a training batch."""
        return self.run(windows.inputs, list(self.weights), dropout, generator)

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d] with embeddings as shipped."""
        return backbone.last_states(items, self.item_as_shipped(), self.position, list(self.weights), self.shapes.backbone)


class Reading(Dense):
    """A backbone with trained weights, and an extractor that reads its user."""

    def __init__(self, shapes: Shapes, seed: int, settings: Mapping[str, Any]) -> None:
        """Draw both.

        Args:
            shapes: The backbone's.
            seed: Of the run.
            settings: ``extractor``, ``profile_dim``, ``reads`` and ``horizon`` of a method.
        """
        super().__init__(shapes, seed)
        self.horizon = int(settings["horizon"])
        self.reach = max(self.reach, reach_of(settings["reads"]))
        dim, width = shapes.backbone.dim, int(settings["profile_dim"])
        self.extractor = extractor.build(settings["extractor"], dim, width, settings["reads"])
        draw_parameters(self.extractor, self.generator)
