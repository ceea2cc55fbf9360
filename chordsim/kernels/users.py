"""What users are, to a backbone too, and what channels are worth to them, behind the switch: means, products and residuals, compiled."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from chordsim.kernels.lanes import whole_vectors
from chordsim.nets.extractor import MeanPool

Array = np.ndarray[Any, Any]
_TILE = 4
_turned: MutableMapping[Tensor, Array] = WeakIdKeyDictionary()


def read_users(reader: nn.Module, items: Tensor, table: Tensor) -> Tensor:
    """Return what an extractor makes of item ids [D, L], as the extractor itself does up to the order of sums; kinds but means run there.

    A phone's numbers depend on its own items alone, bit for bit. There are no gradients.

    Args:
        reader: What `chordsim.nets.extractor.build` made.
        items: Padded with 0 on the left.
        table: Item embeddings [n_items + 1, d] float32.
    """
    if not isinstance(reader, MeanPool):
        return reader(items, table)  # type: ignore[no-any-return]
    from chordsim.kernels.native.stacked import BLOCK, pooled_all

    rows = np.ascontiguousarray(table.detach().numpy())
    layers = (_by_input(reader.inner.weight), _row(reader.inner.bias), _by_input(reader.outer.weight), _row(reader.outer.bias))
    inner, width = layers[0], reader.outer.weight.shape[0]
    means = np.zeros((BLOCK, len(reader.reads) * rows.shape[1]), np.float32)
    hidden, made = np.zeros((BLOCK, inner.shape[1]), np.float32), np.zeros((BLOCK, layers[2].shape[1]), np.float32)
    out = np.empty((items.shape[0], width), np.float32)
    room = (means, hidden, made, np.zeros(max(inner.shape[1], layers[2].shape[1]), np.float32))
    lists = np.empty((4, max(inner.shape[0], layers[2].shape[0], BLOCK) + _TILE), np.int64)
    pooled_all(np.ascontiguousarray(items.numpy()), rows, np.array(reader.reads), layers, lists, room, out)
    return torch.from_numpy(out)


def turned_users(user: Tensor, matrix: Tensor) -> Tensor:
    """Return user matrix^T, [D, n], a phone's whoever else is there, bit for bit; without gradients.

    Args:
        user: [D, width] float32.
        matrix: [n, width]; the same object for the same numbers.
    """
    from chordsim.kernels.native.stacked import BLOCK, product_all

    weights = _by_input(matrix)
    out = np.empty((user.shape[0], weights.shape[1]), np.float32)
    lists = np.empty((4, max(weights.shape[0], BLOCK) + _TILE), np.int64)
    product_all(np.ascontiguousarray(user.numpy()), weights, lists, np.zeros(weights.shape[1], np.float32), out)
    return torch.from_numpy(out[:, : matrix.shape[0]])


def residual(user: Tensor, heads: Tensor, shared: Tensor, bound: float) -> Tensor:
    """Return shared + bound tanh(user heads), [D, C, 4], a phone's whoever else is there; code by code in memory, as the allocator reads.

    Args:
        user: [D, width] float32.
        heads: [C, 4, width]; the same object for the same numbers.
        shared: [C, 4].
        bound: Of the residual.
    """
    from chordsim.kernels.native.stacked import BLOCK, residual_all

    channels, codes, width = heads.shape
    wide = whole_vectors(channels)
    given = _turned.get(heads)
    if given is None:
        given = np.zeros((width, codes, wide), np.float32)
        given[:, :, :channels] = heads.detach().permute(2, 1, 0).numpy()
        _turned[heads] = given
    base = np.zeros((codes, wide), np.float32)
    base[:, :channels] = shared.detach().T.numpy()
    out = np.empty((user.shape[0], codes, wide), np.float32)
    count = codes * wide
    lists = np.empty((4, max(width, BLOCK) + _TILE), np.int64)
    residual_all(
        np.ascontiguousarray(user.numpy()),
        given.reshape(width, count),
        base.reshape(-1),
        np.float32(bound),
        lists,
        np.empty(count, np.float32),
        out.reshape(-1, count),
    )
    return torch.from_numpy(out)[:, :, :channels].permute(0, 2, 1)


def _by_input(weight: Tensor) -> Array:
    """Return weights [outputs, inputs] as [inputs, outputs in whole vectors], with a row of zeros for each input that pads a row before."""
    found = _turned.get(weight)
    if found is None:
        outputs, inputs = weight.shape
        found = np.zeros((inputs, whole_vectors(outputs)), np.float32)
        found[:, :outputs] = weight.detach().T.numpy()
        _turned[weight] = found
    return found


def _row(bias: Tensor) -> Array:
    out = np.zeros(whole_vectors(bias.numel()), np.float32)
    out[: bias.numel()] = bias.detach().numpy()
    return out
