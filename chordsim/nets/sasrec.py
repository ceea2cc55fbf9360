"""SASRec (Kang and McAuley 2018) as pure functions: pre-LN, no biases, no affine norms, shared or per-phone weights.

The same code runs on the cloud with one weight [C, K] for all rows, and on a chunk of phones with weights
[D, C, K], one per phone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from chordsim.config.model import BackboneConfig
from chordsim.nets.choice import Attend, Dropout, Fed, Weight, linear
from chordsim.nets.embeddings import look_up
from chordsim.nets.layers import Layer

PER_BLOCK = 6


def layers(config: BackboneConfig) -> tuple[Layer, ...]:
    """Return the frozen layers in plan order: per block query, key, value, output, first and second feed-forward."""
    out = []
    d, f, n = config.dim, config.ffn_dim, config.max_len
    for b in range(config.blocks):
        queries = 1 if b == config.blocks - 1 else n
        out += [
            Layer(f"block{b}.query", d, d, 1.0, queries),
            Layer(f"block{b}.key", d, d, 1.0, n),
            Layer(f"block{b}.value", d, d, 1.0, n),
            Layer(f"block{b}.output", d, d, 1.0, queries),
            Layer(f"block{b}.feed_in", f, d, 2.0, queries),
            Layer(f"block{b}.feed_out", d, f, 1.0, queries),
        ]
    return tuple(out)


def attention_macs(config: BackboneConfig) -> int:
    """Return multiply-accumulates of the two attention products of one request, last query only in the last block."""
    full = (config.blocks - 1) * config.max_len
    return 2 * (full + 1) * config.max_len * config.dim


def activation_bytes(config: BackboneConfig) -> int:
    """Return the most memory that one request's activations take at a time, float32, counted layer by layer."""
    n, d, f = config.max_len, config.dim, config.ffn_dim
    attention = 5 * n * d + config.heads * n * n
    feed = 2 * n * d + n * f
    return 4 * max(attention, feed)


def position_rows(config: BackboneConfig) -> int:
    """Return how many rows the table of position embeddings has."""
    return config.max_len


def pass_macs(config: BackboneConfig) -> int:
    """Return multiply-accumulates of one pass over a whole history, all positions in all blocks."""
    weights = sum(layer.channels * layer.fan_in for layer in layers(config))
    return config.max_len * weights + 2 * config.blocks * config.max_len**2 * config.dim


def kept_numbers(config: BackboneConfig) -> int:
    """Return how many activations the backward pass of such a pass needs: every layer's outputs, norms, attention."""
    per_position = sum(layer.channels for layer in layers(config)) + 4 * config.blocks * config.dim
    return config.max_len * per_position + config.blocks * config.heads * config.max_len**2


def embed(items: Tensor, item_table: Tensor, position_table: Tensor) -> Tensor:
    """Return the input states [D, L, d]: scaled item embedding plus position, zero at padding."""
    states = look_up(item_table, items) * math.sqrt(item_table.shape[1]) + position_table[: items.shape[1]]
    return states * (items > 0).unsqueeze(-1)


def attention_mask(items: Tensor, kind: torch.dtype) -> Tensor:
    """Return what a query may look at [D, 1, L, L]: 0 at real positions up to itself and at itself, else minus infinity."""
    length = items.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=items.device).tril()
    itself = torch.eye(length, dtype=torch.bool, device=items.device)
    allowed = ((items > 0)[:, None, None, :] & causal) | itself
    return torch.zeros(allowed.shape, dtype=kind, device=items.device).masked_fill_(~allowed, -torch.inf)


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
        weights: Per layer [C, K], [D, C, K] or a `Choice`, in the order of `layers`.
        config: Shape of the backbone.
        reads: How many of the last positions are read, all of which the last block computes and no other; None: the last alone.
        dropout: Applied to sublayer outputs in training.
        attend: What gives the same as `attend`, up to the order of sums.

    Returns:
        Final states [D, reads, d], or [D, d] of the last position.
    """
    mix = attend or partial(_attended, mask=attention_mask(items, states.dtype))
    real = (items > 0).unsqueeze(-1)
    keep = dropout or _same
    for b in range(config.blocks):
        query, key, value, output, feed_in, feed_out = weights[PER_BLOCK * b : PER_BLOCK * (b + 1)]
        count = (reads or 1) if b == config.blocks - 1 else items.shape[1]
        normal = _norm(states)
        asking = normal[:, -count:]
        q, k, v = linear(asking, query), linear(normal, key), linear(normal, value)
        mixed = mix(q, k, v, items, config.heads)
        states = states[:, -count:] + keep(linear(mixed, output))
        states = states + keep(linear(F.relu(linear(_norm(states), feed_in)), feed_out))
        states = states * real[:, -count:]
    out = _norm(states)
    return out[:, -1] if reads is None else out


def attend(q: Tensor, k: Tensor, v: Tensor, items: Tensor, heads: int) -> Tensor:
    """Return what the last R positions mix of values, each head by itself, as `attention_mask` lets them.

    Args:
        q: Queries of the last R positions, [D, R, d].
        k: Keys [D, L, d].
        v: Values [D, L, d].
        items: Item ids [D, L].
        heads: How many.

    Returns:
        [D, R, d].
    """
    return _attended(q, k, v, items, heads, attention_mask(items, q.dtype))


def _attended(q: Tensor, k: Tensor, v: Tensor, items: Tensor, heads: int, mask: Tensor) -> Tensor:
    seen = F.scaled_dot_product_attention(_heads(q, heads), _heads(k, heads), _heads(v, heads), attn_mask=mask[:, :, -q.shape[1] :])
    return seen.transpose(1, 2).reshape(q.shape)


def _norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:])


def _heads(x: Tensor, heads: int) -> Tensor:
    rows, length, dim = x.shape
    return x.view(rows, length, heads, dim // heads).transpose(1, 2)


def _same(x: Tensor) -> Tensor:
    return x
