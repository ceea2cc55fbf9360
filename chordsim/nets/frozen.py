"""The frozen random backbone: drawn from a seed on every phone, the same bits everywhere, checked by a hash."""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

from chordsim import seeds
from chordsim.errors import ChordsimError
from chordsim.nets.layers import Layer


class BackboneMismatch(ChordsimError):
    """The weights that a phone drew are not those that the cloud planned for."""


def draw(layers: tuple[Layer, ...], seed: int, law: str = "gaussian") -> list[Tensor]:
    """Draw every layer with variance gain / fan-in on the CPU in float32 (He et al. 2015 for gain 2).

    Args:
        layers: In plan order.
        seed: The scenario's seed.
        law: One of `chordsim.nets.kinds.LAWS`.

    Returns:
        Per layer [C, K].
    """
    made = torch.Generator(device="cpu")
    out = []
    for layer in layers:
        made.manual_seed(seeds.key(seed, f"backbone.{layer.name}") >> 1)
        drawn = torch.randn(layer.channels, layer.fan_in, generator=made)
        if law == "signed":
            drawn = torch.where(drawn < 0, -1.0, 1.0)
        out.append(drawn * math.sqrt(layer.gain / layer.fan_in))
    return out


def fingerprint(weights: list[Tensor]) -> str:
    """Return the SHA-256 of the weights' bytes, in plan order."""
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(weight.contiguous().numpy().tobytes())
    return digest.hexdigest()


def draw_checked(layers: tuple[Layer, ...], seed: int, expected: str, law: str = "gaussian") -> list[Tensor]:
    """Draw the backbone and compare it with the cloud's fingerprint.

    Raises:
        BackboneMismatch: Other bits came out, so no plan for it may run here.
    """
    weights = draw(layers, seed, law)
    if fingerprint(weights) != expected:
        raise BackboneMismatch("the backbone drawn from the seed does not match the fingerprint in the bootstrap")
    return weights


def masked(weight: Tensor, mask: Tensor, keep: float) -> Tensor:
    """Return ``weight`` [C, K] under a mask of 0, 1 and, where signs are learnt, -1, rescaled to keep its variance."""
    return weight * mask / math.sqrt(keep)
