"""Blobs of tensors: safetensors bytes out, checked tensors in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from chordsim.wire.errors import BadPayload

M = TypeVar("M", bound=nn.Module)
#: What bootstraps hold: floats as they are or halved, levels, packed bits.
_STORED = (torch.float32, torch.float16, torch.int8, torch.uint8)


def save(tensors: Mapping[str, Tensor]) -> bytes:
    """Return tensors as one byte string, the same for equal tensors."""
    return safetensors.torch.save({name: tensors[name].contiguous() for name in sorted(tensors)})


def load(data: bytes, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return the tensors of a blob.

    Args:
        data: What `save` made, or any bytes.
        shapes: Which tensors must be there, and their shapes. A table ``x`` may bring ``x.scale``, one number a
            row; what has no name here is left out. Empty: whatever is there.

    Raises:
        BadPayload: Not safetensors, a tensor missing, of another shape or type, or with a number that is none.
    """
    try:
        tensors = safetensors.torch.load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise BadPayload(f"a blob is not safetensors: {error}") from error
    wanted = dict(shapes) or {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name, shape in shapes.items():
        if f"{name}.scale" in tensors:
            wanted[f"{name}.scale"] = (*shape[:1], 1)
    for name, shape in wanted.items():
        if name not in tensors or tuple(tensors[name].shape) != shape:
            found = tuple(tensors[name].shape) if name in tensors else "nothing"
            raise BadPayload(f"blob tensor {name!r}: {found} where {shape} belongs")
        _check_numbers(name, tensors[name])
    return {name: tensors[name] for name in wanted}


def filled(module: M, data: bytes) -> M:
    """Return a module with the numbers of a blob, one tensor for each of its parameters, ready to be used and not to be trained.

    Raises:
        BadPayload: Not this module.
    """
    module.load_state_dict(load(data, {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}))
    return module.requires_grad_(False).eval()


def _check_numbers(name: str, tensor: Tensor) -> None:
    if tensor.dtype not in _STORED:
        raise BadPayload(f"blob tensor {name!r}: numbers of type {tensor.dtype}")
    # One pass without a table of answers; a sum of finite numbers that is not finite itself is looked at again.
    if tensor.is_floating_point() and not math.isfinite(float(tensor.sum())) and not bool(torch.isfinite(tensor).all()):
        raise BadPayload(f"blob tensor {name!r}: a number is not finite")
