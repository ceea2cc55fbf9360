"""Bytes and operations of one request on a phone, in closed form, from the backbone's shapes and the plan.

Peak memory = stored weights + resident embeddings + what the method adds (extractor, mask) + activations + one
row of source weights at a time, regenerated or unpacked. Histories count at `max_len`, as a phone allocates them.
"""

from __future__ import annotations

import math

import numpy as np

from chordsim.arrays import Ints
from chordsim.nets import embeddings
from chordsim.nets.backbone import net, position_shape
from chordsim.nets.shapes import Shapes

#: Operations to draw, scale, round and pack one frozen weight, in multiply-accumulates (assumed).
ADAPT_MACS_PER_WEIGHT = 8
FLOAT_BITS = 32


def embedding_bytes(shapes: Shapes) -> int:
    """Return the bytes of resident item and position embeddings."""
    config = shapes.backbone
    items = embeddings.table_bytes(shapes.rows, config.dim, config.embedding_bits, whole=config.items == "owned")
    return items + 4 * math.prod(position_shape(config))


def fixed_bytes(shapes: Shapes) -> int:
    """Return what every model on the phone needs besides its weights: embeddings, activations, scores."""
    return embedding_bytes(shapes) + net(shapes.backbone).activation_bytes(shapes.backbone) + 4 * (shapes.ranked + 1)


def row_buffer_bytes(shapes: Shapes) -> int:
    """Return the float32 buffer for one channel's source weights."""
    return 4 * max(layer.fan_in for layer in shapes.layers)


def dense_peak_bytes(shapes: Shapes) -> int:
    """Return the peak memory of the full-precision model: what tiers' relative budgets refer to."""
    return fixed_bytes(shapes) + 4 * shapes.weights


def packed_bytes(weight_bits: Ints) -> Ints:
    """Return whole bytes for so many bits of packed weights [D]."""
    return (weight_bits + 7) // 8


def fixed_macs(shapes: Shapes) -> int:
    """Return multiply-accumulates of one request that no plan changes: attention products and item scores."""
    return net(shapes.backbone).attention_macs(shapes.backbone) + shapes.ranked * shapes.backbone.dim


def channel_macs(shapes: Shapes) -> Ints:
    """Return multiply-accumulates of each channel in one request, [C]."""
    return np.concatenate([np.full(n.channels, n.fan_in * n.positions, np.int64) for n in shapes.layers])


def channel_fan_in(shapes: Shapes) -> Ints:
    """Return the fan-in of each channel, [C]."""
    return np.concatenate([np.full(n.channels, n.fan_in, np.int64) for n in shapes.layers])


def dense_macs(shapes: Shapes) -> int:
    """Return multiply-accumulates of one request through all channels."""
    return fixed_macs(shapes) + int(channel_macs(shapes).sum())


def adapt_macs(shapes: Shapes) -> int:
    """Return the operations to turn a plan into stored weights, once per plan."""
    return ADAPT_MACS_PER_WEIGHT * shapes.weights
