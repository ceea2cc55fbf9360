"""From numbers and names to pixels: linear, logarithmic and by category, with ticks that people can read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chordsim.report.charts.chart import is_missing
from chordsim.report.charts.plot import Axis, Spot
from chordsim.report.svg.letters import width, written


@dataclass(frozen=True)
class Scale:
    """An axis on the screen.

    Attributes:
        low: Number at the first pixel, or its logarithm.
        high: Number at the last one.
        first: First pixel.
        last: Last pixel.
        log: Whether it is logarithmic.
        names: Number of each category; empty where numbers stand on it.
        ticks: Pixel and words of each tick.
    """

    low: float
    high: float
    first: float
    last: float
    log: bool = False
    names: Mapping[str, int] = field(default_factory=dict)
    ticks: tuple[tuple[float, str], ...] = ()

    @property
    def band(self) -> float:
        """Pixels of one category."""
        return abs(self.last - self.first) / max(len(self.names), 1)

    def at(self, value: Spot) -> float | None:
        """Return the pixel of a value; None where it has none."""
        if value is None:
            return None
        if isinstance(value, str):
            return self.first + (self.names[value] + 0.5) * (self.last - self.first) / len(self.names)
        if is_missing(value) or (self.log and value <= 0):
            return None
        along = (math.log10(value) if self.log else value) - self.low
        return self.first + along / (self.high - self.low) * (self.last - self.first)


def scale(axis: Axis, values: Iterable[Spot], first: float, last: float, most: int) -> Scale:
    """Return an axis' scale.

    Args:
        axis: The axis.
        values: All that stands on it, ends of whiskers too.
        first: Pixel at which it begins.
        last: Pixel at which it ends.
        most: Ticks that it has room for.
    """
    if axis.kind == "names":
        names = {name: place for place, name in enumerate(dict.fromkeys(v for v in values if isinstance(v, str)))}
        made = Scale(0, 1, first, last, names=names)
        return Scale(0, 1, first, last, names=names, ticks=tuple((made.at(name) or 0.0, name) for name in names))
    numbers = [float(v) for v in values if isinstance(v, int | float) and not is_missing(v)]
    low, high, ticks = (_log if axis.kind == "log" else _linear)(axis, numbers, max(most, 2))
    made = Scale(low, high, first, last, axis.kind == "log")
    return Scale(low, high, first, last, made.log, {}, tuple((made.at(tick) or 0.0, words) for tick, words in ticks))


def along(axis: Axis, values: Sequence[Spot], first: float, last: float, edge: float) -> Scale:
    """Return the scale of the axis along, with as many ticks as their words leave room for, the last one's up to the edge."""
    for most in (8, 6, 5, 4, 3, 2):
        made = scale(axis, values, first, last, most)
        if made.names:
            break
        beyond = made.ticks[-1][0] + width(made.ticks[-1][1]) / 2 - edge if made.ticks else 0.0
        made = scale(axis, values, first, last - beyond, most) if beyond > 0 else made
        pairs = zip(made.ticks, made.ticks[1:], strict=False)
        if all(b - a >= (width(u) + width(v)) / 2 + 6 for (a, u), (b, v) in pairs):
            break
    return made


def _linear(axis: Axis, numbers: list[float], most: int) -> tuple[float, float, list[tuple[float, str]]]:
    low, high = axis.limits or (min(numbers, default=0.0), max(numbers, default=1.0))
    if axis.zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high <= low:
        low, high = (low - 1, high + 1) if not axis.zero else (0.0, 1.0)
    if axis.limits is None:
        room = min(0.06 * (high - low), 0.5) if axis.whole else 0.06 * (high - low)
        low, high = (low if axis.zero and low == 0 else low - room), high + room
    step = _step(high - low, most, axis.whole)
    ticks = [n * step for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return low, high, [(tick, written(tick, axis.unit, step)) for tick in ticks]


def _step(span: float, most: int, whole: bool) -> float:
    """Return the least step of 1, 2 or 5 times a power of ten, or half of 5, that gives no more than so many ticks."""
    tens = 10.0 ** math.floor(math.log10(span / most))
    step = next(factor * tens for factor in (1, 2, 2.5, 5, 10, 20) if factor * tens * most >= span and not (whole and factor == 2.5))
    return max(step, 1.0) if whole else step


def _log(axis: Axis, numbers: list[float], most: int) -> tuple[float, float, list[tuple[float, str]]]:
    some = [number for number in numbers if number > 0] or [1.0, 10.0]
    low, high = (math.log10(end) for end in (axis.limits or (min(some), max(some))))
    if high - low < 0.3:
        low, high = low - 0.15, high + 0.15
    if axis.limits is None:
        room = 0.06 * (high - low)
        low, high = low - room, high + room
    if axis.base == 2:
        twos = [2.0**n for n in range(math.ceil(low / math.log10(2) - 1e-9), math.floor(high / math.log10(2) + 1e-9) + 1)]
        if len(twos) > 1:
            return low, high, [(tick, written(tick, axis.unit)) for tick in twos[:: max(1, math.ceil(len(twos) / most))]]
    if high - low < 1:  # within a decade, even steps read best
        step = _step(10**high - 10**low, most, False)
        ticks = [n * step for n in range(math.ceil(10**low / step - 1e-9), math.floor(10**high / step + 1e-9) + 1)]
        return low, high, [(tick, written(tick, axis.unit, step)) for tick in ticks if tick > 0]
    tens = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    every = max(1, math.ceil(len(tens) / most))
    ticks = [10.0**n for n in tens if n % every == 0]
    if len(ticks) < min(3, most):
        more = [f * 10.0**n for n in range(math.floor(low), math.ceil(high) + 1) for f in (1, 2, 5)]
        inside = [tick for tick in more if low - 1e-9 <= math.log10(tick) <= high + 1e-9]
        ticks = inside if len(inside) <= most + 2 else ticks
    return low, high, [(tick, written(tick, axis.unit)) for tick in ticks]
