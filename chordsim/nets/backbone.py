"""The functions of a backbone, whatever its kind: everything else asks here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol, cast

from torch import Tensor

from chordsim.config.model import BackboneConfig
from chordsim.nets.choice import Attend, Dropout, Fed, Weight
from chordsim.nets.layers import Layer
from chordsim.nets.spec import find
from chordsim.nets.user_input import added


class Net(Protocol):
    """What a kind of backbone says of itself, as a module of functions."""

    def layers(self, config: BackboneConfig) -> tuple[Layer, ...]:
        """Return the frozen layers in plan order."""
        ...

    def attention_macs(self, config: BackboneConfig) -> int:
        """Return multiply-accumulates of one request between activations, which no plan changes."""
        ...

    def activation_bytes(self, config: BackboneConfig) -> int:
        """Return the most memory that one request's activations take at a time."""
        ...

    def position_rows(self, config: BackboneConfig) -> int:
        """Return how many rows the table of position embeddings has."""
        ...

    def pass_macs(self, config: BackboneConfig) -> int:
        """Return multiply-accumulates of one pass over a whole history, all positions."""
        ...

    def kept_numbers(self, config: BackboneConfig) -> int:
        """Return how many activations the backward pass of such a pass needs."""
        ...

    def embed(self, items: Tensor, item_table: Tensor, position_table: Tensor) -> Tensor:
        """Return the input states [D, L, d]."""
        ...

    def forward(
        self,
        items: Tensor,
        states: Tensor,
        weights: Sequence[Weight | Fed],
        config: BackboneConfig,
        *,
        reads: int | None = None,
        dropout: Dropout | None = None,
        **more: Attend,
    ) -> Tensor:
        """Return final states [D, reads, d], or [D, d] of the last position; only a kind that attends is given ``attend``."""
        ...


def net(config: BackboneConfig) -> Net:
    """Return the functions of a backbone's kind."""
    return _net(config.kind)


@lru_cache(maxsize=16)
def _net(kind: str) -> Net:
    return cast(Net, find(kind).module())


@lru_cache(maxsize=16)
def _attends(kind: str) -> bool:
    return find(kind).attends


def position_shape(config: BackboneConfig) -> tuple[int, int]:
    """Return the shape of the table of position embeddings; it has no rows where the kind has none."""
    return net(config).position_rows(config), config.dim


def embed(items: Tensor, item_table: Tensor, position_table: Tensor, config: BackboneConfig) -> Tensor:
    """Return the input states [D, L, d] of item ids [D, L], zero at padding."""
    return net(config).embed(items, item_table, position_table)


def forward(
    items: Tensor,
    states: Tensor,
    weights: Sequence[Weight | Fed],
    config: BackboneConfig,
    *,
    reads: int | None = None,
    dropout: Dropout | None = None,
    attend: Attend | None = None,
) -> Tensor:
    """Run the backbone.

    Args:
        items: Item ids [D, L], int64, padded with 0 on the left.
        states: Input states [D, L, d] from `embed`.
        weights: Per layer [C, K], [D, C, K] or a `Choice`, in plan order.
        config: Kind and shape of the backbone.
        reads: How many of the last positions are computed; None: the last alone.
        dropout: Applied in training where the kind has it.
        attend: What attention is computed with where the kind takes it (`BackboneSpec.attends`); None: its own.

    Returns:
        Final states [D, reads, d], or [D, d] of the last position.
    """
    more: dict[str, Any] = {"attend": attend} if attend is not None and _attends(config.kind) else {}
    return net(config).forward(items, states, weights, config, reads=reads, dropout=dropout, **more)


def last_states(
    items: Tensor,
    item_table: Tensor,
    position_table: Tensor,
    weights: Sequence[Weight | Fed],
    config: BackboneConfig,
    user: Tensor | None = None,
) -> Tensor:
    """Return the state [D, d] that ranks the next item after histories [D, L]; ``user`` [D, d] is added to all inputs."""
    return forward(items, added(embed(items, item_table, position_table, config), items, user), weights, config)
