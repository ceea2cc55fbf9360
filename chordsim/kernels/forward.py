"""The backbone's forward pass behind the switch: SASRec compiled, one phone after another; what it does not know stays with torch."""

from __future__ import annotations

import math
from collections.abc import MutableMapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from chordsim.config.model import BackboneConfig
from chordsim.kernels.lanes import LANES, whole_vectors
from chordsim.nets import backbone as reference
from chordsim.nets.choice import Choice, Weight
from chordsim.nets.sasrec import PER_BLOCK

Array = np.ndarray[Any, Any]
#: Kinds of backbone whose pass is compiled; others run through torch.
COMPILED_KINDS = ("sasrec",)
_BYTES = 4
#: Layers of a block, and the places of its feed-forward's two.
_LAYERS, _FEED = PER_BLOCK, (4, 5)
_live: MutableMapping[Tensor, Array] = WeakIdKeyDictionary()


def last_states(
    items: Tensor,
    item_table: Tensor,
    position_table: Tensor,
    weights: Sequence[Weight],
    config: BackboneConfig,
    user: Tensor | None = None,
) -> Tensor:
    """Return the state [D, d] that ranks the next item, as `chordsim.nets.backbone.last_states` does, up to the order of sums.

    A phone's state depends on its own history and weights alone, bit for bit: not on who else is there, nor on the
    processor. There are no gradients.

    Args:
        items: Item ids [D, L], int64, 0 where there is none.
        item_table: [n_items + 1, d] float32.
        position_table: [L, d] or longer, float32.
        weights: Per layer [C, K], [D, C, K] or a `Choice`, in plan order.
        config: Kind and shape of the backbone; feed-forwards may have other widths, all the same.
        user: What is added to all inputs of each phone, [D, d] float32; None for nothing.

    Raises:
        ValueError: A layer has another size.
    """
    if config.kind not in COMPILED_KINDS:
        return reference.last_states(items, item_table, position_table, weights, config, user)
    from chordsim.kernels.native.passes import forward_all

    kept = [_stored(weight) for weight in weights]
    units = _hidden_units(kept, config)
    meta, codes, live = _described(weights, kept, config.dim, units)
    out = np.empty((items.shape[0], config.dim), np.float32)
    forward_all(
        np.ascontiguousarray(items.numpy()),
        codes,
        _rows(item_table),
        _rows(position_table),
        np.zeros((0, config.dim), np.float32) if user is None else _rows(user),
        meta,
        live,
        config.heads,
        _room(config, items.shape[1], units),
        out,
    )
    return torch.from_numpy(out)


def _rows(table: Tensor) -> Array:
    return np.ascontiguousarray(table.detach().numpy())


def _stored(weight: Weight) -> Tensor:
    """Return the weights' memory as [phones or 1, kinds, C, K], contiguous."""
    if isinstance(weight, Choice):
        return weight.rows.detach().contiguous()[None]
    return weight.detach().contiguous().view(-1, 1, *weight.shape[-2:])


def _described(weights: Sequence[Weight], kept: list[Tensor], dim: int, units: int) -> tuple[Array, Array, Array]:
    """Return where all weights stand (`chordsim.kernels.native.products`), codes [D, C] or [1, C], and which rows are not zeros."""
    meta = np.empty((len(weights), 9), np.int64)
    flags, codes, first, flagged = [], [], 0, 0
    for n, (weight, rows) in enumerate(zip(weights, kept, strict=True)):
        phones, kinds, channels, piece = rows.shape
        fan_in = units if n % _LAYERS == _FEED[1] else dim
        per_row = _BYTES * piece
        per_phone = kinds * channels * per_row if phones > 1 else 0
        meta[n] = (rows.data_ptr(), per_phone, channels * per_row, per_row, channels * piece // fan_in, fan_in, piece, first, flagged)
        flags.append(_flags(weight.rows) if isinstance(weight, Choice) else np.ones(channels, np.uint8))
        codes.append(weight.codes.numpy().astype(np.uint8) if isinstance(weight, Choice) else np.zeros((1, channels), np.uint8))
        first, flagged = first + channels, flagged + flags[-1].size
    phones = max(len(part) for part in codes)
    return meta, np.concatenate([np.broadcast_to(part, (phones, part.shape[1])) for part in codes], 1), np.concatenate(flags)


def _flags(rows: Tensor) -> Array:
    """Return whether each row of a table is anything but zeros; tables do not change."""
    found = _live.get(rows)
    if found is None:
        found = _live[rows] = (rows != 0).any(-1).reshape(-1).to(torch.uint8).numpy()
    return found


def _hidden_units(kept: Sequence[Tensor], config: BackboneConfig) -> int:
    """Return how many units every feed-forward has: what phones add beside it makes it wider than the backbone's own."""
    wide = [math.prod(rows.shape[-2:]) / config.dim for rows in kept]
    units = {each for n, each in enumerate(wide) if n % _LAYERS in _FEED} or {float(config.ffn_dim)}
    if len(units) > 1 or any(each != config.dim for n, each in enumerate(wide) if n % _LAYERS not in _FEED):
        raise ValueError(f"the compiled pass wants layers of {config.dim} and feed-forwards of one width, got {wide}")
    return int(units.pop())


def _room(config: BackboneConfig, length: int, units: int) -> tuple[Array, ...]:
    """Return where the kernel works, laid out so that vectors do not straddle the lines of the cache."""
    d, f, span = config.dim, units, whole_vectors(length)
    long = max(whole_vectors(d), whole_vectors(f), span) + LANES
    sizes = [(d, span)] * 6 + [
        (f, span),
        (max(span, config.heads) + 4, span),
        (max(d * whole_vectors(d), f * whole_vectors(d), d * whole_vectors(f)),),
    ]
    sizes.append((10 + config.heads, long))
    room = np.zeros(sum(whole_vectors(int(np.prod(size))) for size in sizes) + LANES, np.float32)
    at = -(room.ctypes.data // _BYTES) % LANES
    made: list[Array] = []
    for size in sizes:
        count = int(np.prod(size))
        made.append(room[at : at + count].reshape(size))
        at += whole_vectors(count)
    return (*made, np.zeros((5, long + span), np.int64), np.zeros((4, max(d, f)), np.bool_))
