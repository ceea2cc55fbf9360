"""The shapes of a frozen backbone: its layers in plan order, and how many operations and bytes they take."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chordsim.config.model import BackboneConfig
from chordsim.errors import ScenarioError
from chordsim.nets.backbone import net
from chordsim.nets.layers import Layer


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

    def grouped(self, size: int) -> Shapes:
        """Return these shapes with channels cut into groups that have a code each.

        A weight [C, K] is then [C * K / size, size], the same numbers in the same order.

        Args:
            size: Neighbouring weights of a channel that share a code; 0: all of the channel.

        Raises:
            ScenarioError: A layer's fan-in is no multiple of ``size``.
        """
        if not size:
            return self
        for layer in self.layers:
            if layer.fan_in % size:
                raise ScenarioError(f"settings.*.group: {size} weights do not divide the {layer.fan_in} inputs of {layer.name}'s channels")
        return replace(
            self,
            layers=tuple(
                replace(n, channels=n.channels * n.fan_in // size, fan_in=size, gain=n.gain * size / n.fan_in) for n in self.layers
            ),
        )

    @property
    def plan_bytes(self) -> int:
        """Payload of one plan at 2 bits per channel."""
        return (self.channels + 3) // 4


def shapes_of(backbone: BackboneConfig, n_items: int) -> Shapes:
    """Return the shapes of a backbone over a catalogue of ``n_items``."""
    return Shapes(backbone, n_items, net(backbone).layers(backbone))
