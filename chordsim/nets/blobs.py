"""Blobs of tensors: safetensors bytes out, checked tensors in."""

from __future__ import annotations

from collections.abc import Mapping

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from chordsim.wire.errors import BadPayload


def save(tensors: Mapping[str, Tensor]) -> bytes:
    """Return tensors as one byte string, the same for equal tensors."""
    return safetensors.torch.save({name: tensors[name].contiguous() for name in sorted(tensors)})


def load(data: bytes, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return the tensors of a blob.

    Args:
        data: What `save` made, or any bytes.
        shapes: Which tensors must be there, and their shapes.

    Raises:
        BadPayload: Not safetensors, a tensor missing, or of another shape.
    """
    try:
        tensors = safetensors.torch.load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise BadPayload(f"a blob is not safetensors: {error}") from error
    for name, shape in shapes.items():
        if name not in tensors or tuple(tensors[name].shape) != shape:
            found = tuple(tensors[name].shape) if name in tensors else "nothing"
            raise BadPayload(f"blob tensor {name!r}: {found} where {shape} belongs")
    return tensors
