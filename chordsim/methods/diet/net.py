"""DIET's masks: which weights of the shared frozen backbone one user's phone keeps, and their bytes."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Bools, Bytes
from chordsim.nets.layers import Layer
from chordsim.nets.shapes import Shapes
from chordsim.ragged import Ragged

#: Which layer of the same block feeds each layer; the first of a block reads what the block before wrote.
_FEEDS = {"output": "value", "feed_in": "output", "feed_out": "feed_in"}


def sources(layers: tuple[Layer, ...]) -> list[int | None]:
    """Return for every layer the layer whose channels are its inputs, None where the inputs are embeddings."""
    places = {layer.name: n for n, layer in enumerate(layers)}
    out: list[int | None] = []
    for layer in layers:
        block, _, part = layer.name.rpartition(".")
        number = int(block.removeprefix("block")) if block.removeprefix("block").isdigit() else 0
        name = f"{block}.{_FEEDS[part]}" if part in _FEEDS else f"block{number - 1}.feed_out"
        found = places.get(name)
        out.append(found if found is not None and layers[found].channels == layer.fan_in else None)
    return out


def top(scores: Tensor, keep: float) -> Tensor:
    """Return the mask [D, C, K] of the best ``keep`` share of each phone's scores in one layer, as 0 and 1."""
    flat = scores.flatten(1)
    count = max(round(flat.shape[1] * keep), 1)
    # Ties at the edge are all kept: a mask is a function of the scores alone.
    edge = flat.kthvalue(flat.shape[1] - count + 1, dim=1, keepdim=True).values
    return (flat >= edge).to(scores.dtype).view_as(scores)


def masked(frozen: list[Tensor], masks: list[Tensor], keep: float) -> list[Tensor]:
    """Return each phone's weights [D, C, K]: the frozen ones under its mask, rescaled to keep their variance."""
    return [weight * (mask * (1 / math.sqrt(keep))) for weight, mask in zip(frozen, masks, strict=True)]


def mask_bytes(shapes: Shapes) -> int:
    """Return the payload of one mask: a bit per weight."""
    return -(-shapes.weights // 8)


def pack(masks: list[Tensor]) -> Bytes:
    """Return masks [D, C, K] per layer as bytes [D, mask_bytes], lowest bits first."""
    flat = torch.cat([mask.flatten(1) for mask in masks], 1).numpy().astype(np.uint8)
    return np.packbits(flat, axis=1, bitorder="little")


def unpack(rows: Ragged, shapes: Shapes) -> tuple[list[Tensor], Bools]:
    """Return masks [D, C, K] per layer and which rows [D] are sound; others keep nothing. Total."""
    packed, fits = rows.matrix(mask_bytes(shapes))
    bits = np.unpackbits(packed, axis=1, bitorder="little")
    sound = fits & ~bits[:, shapes.weights :].any(axis=1)
    bits[~sound] = 0
    flat = torch.from_numpy(bits[:, : shapes.weights].astype(np.float32))
    parts = torch.split(flat, [n.channels * n.fan_in for n in shapes.layers], 1)
    return [part.view(-1, n.channels, n.fan_in) for part, n in zip(parts, shapes.layers, strict=True)], sound
