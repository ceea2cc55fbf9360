"""Caser (Tang and Wang 2018) as pure functions: convolutions over the last items, shared or per-phone weights.

A state reads the last ``window`` items, an image of ``window`` rows and d columns. Vertical filters sum each column over
the rows; horizontal filters of every height from 1 to ``window`` slide over the rows, ReLU, and keep their largest
answer; one layer and a ReLU turn all answers into the state.

Against the authors' code (graytowne/caser_pytorch): no user table, since a phone has no user id to look up and personality
is what methods add; the output table is the item table; no biases, so that padding answers zero to every filter, as if it were
not there; item embeddings times sqrt(d) and the final norm as in our SASRec, so that scores have the same scale; the loss over
all items comes from the training loop. Kept: heights 1 to ``window``, vertical filters without activation, dropout before the
last layer (and, as for every backbone here, on the embeddings).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from chordsim.config.model import BackboneConfig
from chordsim.nets.choice import Dropout, Fed, Weight, linear
from chordsim.nets.embeddings import scaled_rows
from chordsim.nets.layers import Layer


def layers(config: BackboneConfig) -> tuple[Layer, ...]:
    """Return the frozen layers in plan order: vertical filters, horizontal filters by height, the last layer.

    Fan-ins are rows of one column, height times d from the oldest row to the newest, and all answers: those of the first
    vertical filter for every column, of the next, then the horizontal filters by height. Gains keep the mean square
    on the way: 1 for vertical filters, which are linear; for horizontal ones what makes up for a ReLU and the maximum
    over their places; 2 for the last, whose ReLU keeps half.
    """
    d, rows = config.dim, config.window
    vertical = Layer("vertical", config.vertical, rows, 1.0, d)
    horizontal = [Layer(f"horizontal{h}", config.horizontal, h * d, pooled_gain(rows - h + 1), rows - h + 1) for h in range(1, rows + 1)]
    answers = config.vertical * d + config.horizontal * rows
    return (vertical, *horizontal, Layer("combine", d, answers, 2.0, 1))


@lru_cache(maxsize=256)
def pooled_gain(places: int) -> float:
    """Return 1 / E[max(0, z_1, ..., z_n)^2] for n standard normals, to two decimals so that it is the same everywhere.

    The expectation is the integral of 2 x (1 - Phi(x)^n) over positive x; n = 1 gives the 2 of He et al. (2015).
    """
    step = 1e-3
    total = sum(2 * x * (1 - (0.5 * math.erfc(-x / math.sqrt(2))) ** places) for x in (step * (i + 0.5) for i in range(9000)))
    return round(1 / (total * step), 2)


def attention_macs(config: BackboneConfig) -> int:
    """Return 0: nothing attends, all multiplications are those of the layers."""
    return 0


def activation_bytes(config: BackboneConfig) -> int:
    """Return the most memory that one request's activations take at a time, float32: window, answers, one height's places."""
    d, rows = config.dim, config.window
    return 4 * (rows * d + config.vertical * d + 2 * config.horizontal * rows)


def position_rows(config: BackboneConfig) -> int:
    """Return 0: where an item stands is what filters tell apart, so there is no table of positions."""
    return 0


def pass_macs(config: BackboneConfig) -> int:
    """Return multiply-accumulates of one pass over a whole history, all positions; windows share horizontal answers."""
    return config.max_len * sum(n.channels * n.fan_in * (config.dim if n.name == "vertical" else 1) for n in layers(config))


def kept_numbers(config: BackboneConfig) -> int:
    """Return how many activations the backward pass of such a pass needs: embeddings, answers before and after pooling, states."""
    d, rows = config.dim, config.window
    return config.max_len * (d + config.vertical * d + 2 * config.horizontal * rows + d)


def embed(items: Tensor, item_table: Tensor, position_table: Tensor) -> Tensor:
    """Return the input states [D, L, d]: scaled item embedding, zero at padding; positions have no table."""
    return scaled_rows(item_table, items)


def forward(
    items: Tensor,
    states: Tensor,
    weights: Sequence[Weight | Fed],
    config: BackboneConfig,
    *,
    reads: int | None = None,
    dropout: Dropout | None = None,
) -> Tensor:
    """Run the backbone; every position reads the ``window`` items that end there, and zeros before the first.

    Args:
        items: Item ids [D, L], int64, padded with 0 on the left.
        states: Input states [D, L, d] from `embed`.
        weights: Per layer [C, K], [D, C, K] or a `Choice`, in the order of `layers`.
        config: Shape of the backbone.
        reads: How many of the last positions are computed, exact, since no position reads another's state; None: the last alone.
        dropout: Applied before the last layer in training.

    Returns:
        Final states [D, reads, d], or [D, d] of the last position.
    """
    vertical, *horizontal, combine = weights
    rows, positions = config.window, reads or 1
    recent = states[:, -(positions + rows - 1) :] * (items[:, -(positions + rows - 1) :] > 0).unsqueeze(-1)
    image = F.pad(recent, (0, 0, positions + rows - 1 - recent.shape[1], 0))
    columns = torch.stack([image[:, r : r + positions] for r in range(rows)], -1)
    answers = [linear(columns.flatten(1, 2), vertical).view(*columns.shape[:3], -1).transpose(2, 3).flatten(2)]
    for height, filters in enumerate(horizontal, 1):
        places = rows - height + 1
        ends = positions + places - 1
        slid = linear(torch.cat([image[:, r : r + ends] for r in range(height)], -1), filters)
        best = slid[:, :positions]
        for place in range(1, places):
            best = torch.maximum(best, slid[:, place : place + positions])
        answers.append(_relu(best))
    joined = torch.cat(answers, -1)
    mixed = _relu(linear(dropout(joined) if dropout else joined, combine))
    out = F.layer_norm(mixed, mixed.shape[-1:])
    return out[:, -1] if reads is None else out


def _relu(x: Tensor) -> Tensor:
    """Return ReLU with a slope of 1 at 0, so that a channel pruned to exact zeros still learns whether it should come back."""
    return x.clamp_min(0)
