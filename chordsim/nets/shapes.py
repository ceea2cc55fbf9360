"""The shapes of a frozen backbone: its layers in plan order, and how many operations and bytes they take."""

from __future__ import annotations

from dataclasses import dataclass

from chordsim.scenario.model import BackboneConfig


@dataclass(frozen=True)
class Layer:
    """One frozen weight, viewed as channels by fan-in.

    Attributes:
        name: Such as ``block0.query``.
        channels: Output channels C.
        fan_in: Inputs of one channel K.
        gain: Variance of a random weight times K.
        positions: How often one request uses it (positions of the history, 1 for the last query only; places of a filter).
    """

    name: str
    channels: int
    fan_in: int
    gain: float
    positions: int


@dataclass(frozen=True)
class Shapes:
    """All that closed forms need to know about a backbone and its catalogue."""

    backbone: BackboneConfig
    n_items: int
    layers: tuple[Layer, ...]

    @property
    def channels(self) -> int:
        """Number of channels of all layers: the codes of one plan."""
        return sum(layer.channels for layer in self.layers)

    @property
    def weights(self) -> int:
        """Number of frozen weights of all layers."""
        return sum(layer.channels * layer.fan_in for layer in self.layers)

    @property
    def plan_bytes(self) -> int:
        """Payload of one plan at 2 bits per channel."""
        return (self.channels + 3) // 4


def shapes_of(backbone: BackboneConfig, n_items: int) -> Shapes:
    """Return the shapes of a backbone over a catalogue of ``n_items``."""
    from chordsim.nets.backbone import net

    return Shapes(backbone, n_items, net(backbone).layers(backbone))
