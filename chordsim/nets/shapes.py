"""The shapes of a frozen backbone: its layers in plan order, and how many operations and bytes they take."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from chordsim.config.model import BackboneConfig
from chordsim.errors import ScenarioError
from chordsim.nets.layers import Layer


@dataclass(frozen=True)
class Shapes:
    """All that closed forms need to know about a backbone and its catalogue.

    Attributes:
        backbone: The recommender.
        n_items: Size of the catalogue.
        layers: Its frozen layers, in plan order.
        ranked: Items that one request scores.
    """

    backbone: BackboneConfig
    n_items: int
    layers: tuple[Layer, ...]
    ranked: int

    @property
    def rows(self) -> int:
        """Item rows that a phone has room for: the whole table with its padding, or its cache."""
        return self.n_items + 1 if self.backbone.items == "owned" else self.backbone.cache_rows

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
            ScenarioError: A layer's fan-in is no multiple of ``size``; the text begins with the setting's own name.
        """
        if not size:
            return self
        for layer in self.layers:
            if layer.fan_in % size:
                most = math.gcd(*(n.fan_in for n in self.layers))
                inputs = f"the {layer.fan_in} inputs of {layer.name}'s channels"
                raise ScenarioError(f"group: {size} weights do not divide {inputs}: use a divisor of {most}, or 0 for whole channels")
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


def shapes_of(backbone: BackboneConfig, n_items: int, ranked: int = 0) -> Shapes:
    """Return the shapes of a backbone over a catalogue of ``n_items``, of which a request scores ``ranked``; 0 for all."""
    # Kinds of backbone bring torch with them, which whoever only reads a scenario does without.
    from chordsim.nets.backbone import net

    return Shapes(backbone, n_items, net(backbone).layers(backbone), ranked or n_items)
