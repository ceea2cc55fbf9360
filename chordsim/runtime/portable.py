"""What of a method's bootstrap a phone runtime can run: tables, and frozen weights that are shipped or made by plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Ints
from chordsim.nets.layers import Layer
from chordsim.runtime.reference.steps import Bytes, Codes, Packed, Part, pack

Single = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Planned:
    """Weights that a phone makes by its plan.

    Attributes:
        source: Frozen weights under the shared mask, [rows, width] for each part.
        widths: Bits of codes 0 to 3.
        gains: Learnt scale of each row, [rows, 1], or of each code of a row, [rows, 4]; None for none.
        seed: What the source is drawn from; None where it was shipped.
        law: How it is drawn.
        keep: Share of weights that the mask keeps.
        kept: The mask's bits, a part after the other, each in whole bytes; None for no mask.
        turned: Bits alike of the weights whose drawn sign the mask turns; None where it turns none.
    """

    source: list[Single]
    widths: tuple[int, ...]
    gains: Single | None
    seed: int | None
    law: str
    keep: float
    kept: Bytes | None
    turned: Bytes | None

    def packed(self, codes: Codes) -> Packed:
        """Return a plan's weights at rest, codes [sum of rows]; as `pack`, of rows that were quantized once for all plans."""
        bits = np.asarray(self.widths, np.uint8)[codes]
        place = np.arange(codes.size)
        scales = np.zeros(codes.size, np.float32)
        for width, (_, own) in self._rows.items():
            scales[bits == width] = own[bits == width]
        levels = [self._rows[width][0][row] for row, width in zip(place.tolist(), bits.tolist(), strict=True) if width]
        return Packed(bits, np.concatenate(levels) if levels else np.zeros(0, np.uint8), scales)

    @cached_property
    def _rows(self) -> dict[int, tuple[list[Bytes], Single]]:
        """Every row's levels and scale at every width."""
        rows = sum(len(weight) for weight in self.source)
        sizes = [np.full(len(weight), weight.shape[1]) for weight in self.source]
        out = {}
        for width in sorted(set(self.widths) - {0}):
            every = pack(self.source, np.zeros(rows, np.uint8), [width] * 4)
            cuts = np.cumsum(-(-np.concatenate(sizes) * width // 8))[:-1]
            out[width] = (np.split(every.levels, cuts), every.scales)
        return out

    def gains_of(self, codes: Codes) -> Single | None:
        """Return the learnt scale of each row under a plan, [sum of rows]."""
        if self.gains is None:
            return None
        column = codes.astype(np.int64) if self.gains.shape[1] > 1 else np.zeros(codes.size, np.int64)
        return np.asarray(self.gains[np.arange(codes.size), column])


@dataclass(frozen=True)
class Portable:
    """A model as a phone runtime needs it; one of ``weights``, ``packed`` and ``planned`` is there.

    Attributes:
        item: Item embeddings [n_items + 1, d].
        position: Position embeddings [P, d].
        parts: Frozen layers as they are packed, in plan order.
        weights: At full precision, [rows, width] for each part.
        packed: One quantized model for all phones.
        planned: What plans are applied to.
        joined: What a phone adds to the backbone's inputs, [D, d], of as much of histories [D, n] as the method reads; None for nothing.
    """

    item: Single
    position: Single
    parts: tuple[Part, ...]
    weights: list[Single] | None = None
    packed: Packed | None = None
    planned: Planned | None = None
    joined: Callable[[Ints], Single] | None = None


def parts_of(layers: Sequence[Layer]) -> tuple[Part, ...]:
    """Return layers as the reference knows them."""
    return tuple(Part(layer.name, layer.channels, layer.fan_in, layer.gain) for layer in layers)
