"""What phones read of a frozen backbone in a bootstrap: its weights, drawn or shipped and checked, and learnt scales."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from torch import Tensor

from chordsim.nets import blobs
from chordsim.nets.frozen import draw_checked, fingerprint
from chordsim.nets.layers import Layer
from chordsim.wire.errors import BadPayload


def load_frozen(blobs_by_label: Mapping[str, bytes], layers: tuple[Layer, ...], law: str, *, drawn: bool = False) -> list[Tensor]:
    """Return the frozen weights by layer, [C, K].

    Args:
        blobs_by_label: The bootstrap.
        layers: In plan order.
        law: One of `chordsim.nets.kinds.LAWS`, if they are drawn.
        drawn: Whether they always are, so that the bootstrap does not say it.

    Raises:
        BackboneMismatch: Other weights were drawn than the cloud has.
        BadPayload: A blob is not what this backbone needs.
    """
    try:
        told = json.loads(blobs_by_label["backbone"])
        seed, expected, shipped = int(told["seed"]), str(told["sha256"]), not drawn and bool(told["shipped"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise BadPayload(f"the backbone blob does not say seed and sha256: {error}") from error
    if not shipped:
        return draw_checked(layers, seed, expected, law)
    stored = blobs.load(blobs_by_label["weights"], {str(n): (layer.channels, layer.fan_in) for n, layer in enumerate(layers)})
    weights = [stored[str(n)] for n in range(len(layers))]
    if fingerprint(weights) != expected:
        raise BadPayload("the shipped backbone does not match its fingerprint")
    return weights


def load_gains(blobs_by_label: Mapping[str, bytes], layers: Sequence[Layer], columns: int = 1) -> list[Tensor]:
    """Return the learnt scales by layer, [C, columns].

    Raises:
        BadPayload: Not these scales.
    """
    stored = blobs.load(blobs_by_label["gains"], {str(n): (layer.channels, columns) for n, layer in enumerate(layers)})
    return [stored[str(n)] for n in range(len(layers))]
