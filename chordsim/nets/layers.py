"""One frozen layer, as plans see it: channels by fan-in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One frozen weight, viewed as channels by fan-in.

    Attributes:
        name: Such as ``block0.query``.
        channels: Output channels C; where they are cut into groups, the groups of all of them (`Shapes.grouped`).
        fan_in: Inputs of one channel K, or of one group.
        gain: Variance of a random weight times K.
        positions: How often one request uses it (positions of the history, 1 for the last query only; places of a filter).
    """

    name: str
    channels: int
    fan_in: int
    gain: float
    positions: int
