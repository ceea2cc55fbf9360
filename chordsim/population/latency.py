"""Measured latency: a table of one model's milliseconds by bits, and what it makes of a phone's seconds.

A row that names a tier was measured on such a phone and is taken as it is (*measured*). Any other row was measured on some machine and
is scaled to a phone by the speeds of both (*scaled*): a call's own overhead stays, the rest takes as much longer as the
phone does fewer operations per second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from chordsim.arrays import Floats, Ints
from chordsim.config.model import BackboneConfig, TierConfig
from chordsim.errors import DataError
from chordsim.population.profile import Mark
from chordsim.population.reading import Texts, figures, read_texts

#: What a table must have, and what it may have besides.
NEEDED, FURTHER = ("shape", "bits", "ms"), ("load_ms", "adapt_ms", "overhead_ms", "gmacs_per_s", "tier")
_MOST_ROWS = 10_000


@dataclass(frozen=True)
class ModelSize:
    """The model whose seconds a table holds.

    Attributes:
        shape: As in the table's column, from `shape_text`.
        dense_macs: Operations of one request through all channels.
        adapt_macs: Those that make a plan's weights.
    """

    shape: str
    dense_macs: int
    adapt_macs: int


@dataclass(frozen=True)
class Curve:
    """Seconds by stored bits, ascending, [n] each.

    Attributes:
        bits: Widths that were measured; between them seconds are interpolated, beyond them they are those of the nearest.
        infer_s: Of one request.
        load_s: Of loading program and weights.
        adapt_s: Of making a plan's weights.
        overhead_s: The part of ``infer_s`` that no speed of the processor changes.
        macs_per_s: Speed of the machine that was measured; 0 where the row is the phone's own.
        own_macs_per_s: What a phone's own rows say of its speed; 0 where they say nothing.
    """

    bits: Floats
    infer_s: Floats
    load_s: Floats
    adapt_s: Floats
    overhead_s: Floats
    macs_per_s: float
    own_macs_per_s: float = 0.0


@dataclass(frozen=True)
class Latency:
    """A table, ready for phones.

    Attributes:
        model: Whose seconds.
        curves: By tier; the one named "" is for all tiers that have none of their own.
    """

    model: ModelSize
    curves: Mapping[str, Curve]

    def mark(self, tier: str) -> Mark:
        """Return what a tier's seconds rest on: ``measured`` or ``scaled``."""
        return "measured" if tier in self.curves else "scaled"

    def scaled_off(self, tier: str, macs_per_s: float) -> float | None:
        """Return how many times as long as was measured scaling from the other machine would have said, at the most bits.

        Args:
            tier: One with rows of its own; None comes back for others, and where no other machine was measured.
            macs_per_s: Its phones' speed where its rows do not tell it.
        """
        own, other = self.curves.get(tier), self.curves.get("")
        speed = own.own_macs_per_s or macs_per_s if own else 0.0
        if own is None or other is None or not speed:
            return None
        fixed = float(other.overhead_s[-1])
        return (fixed + (float(other.infer_s[-1]) - fixed) * other.macs_per_s / speed) / float(own.infer_s[-1])

    def timed(self, tier: Ints, names: tuple[str, ...], macs_per_s: Floats) -> Timed:
        """Return the seconds of phones.

        Args:
            tier: Index into ``names``, [D].
            names: Of the tiers.
            macs_per_s: Speed of each phone, [D].
        """
        return Timed(self, tier, names, macs_per_s)


@dataclass(frozen=True)
class Timed:
    """D phones, and the table that times them."""

    latency: Latency
    tier: Ints
    names: tuple[str, ...]
    macs_per_s: Floats

    @property
    def speed(self) -> Floats:
        """Operations per second at which the full model takes what the table says at its most bits, [D]."""
        return np.asarray(self.latency.model.dense_macs / self._of("infer_s", np.full(self.tier.size, np.inf)))

    def infer_s(self, macs: Ints, bits: Floats) -> Floats:
        """Return the seconds of one request, [D].

        No runtime skips what a plan prunes, so a model with weights never takes less than its full shape does.

        Args:
            macs: Operations; 0 where nothing runs.
            bits: Stored bits per weight; NaN where no model with weights runs.
        """
        dense = self.latency.model.dense_macs
        share = np.where(np.isnan(bits), macs, np.maximum(macs, dense)) / dense
        return np.asarray(np.where(macs > 0, self._of("infer_s", np.where(np.isnan(bits), np.inf, bits), share), 0.0))

    def adapt_s(self, macs: Ints, adapt_macs: Ints, train_macs: Ints, bits: Floats) -> Floats:
        """Return the seconds before the first request: load, make a plan's weights, and what else was computed, [D].

        Args:
            macs: Operations of a request; 0 where nothing runs.
            adapt_macs: Operations that make the model and read the user.
            train_macs: Operations of training.
            bits: Stored bits per weight.
        """
        stored = np.where(np.isnan(bits), np.inf, bits)
        loads = np.where((macs > 0) & ~np.isnan(bits), self._of("load_s", stored), 0.0)
        makes = adapt_macs >= self.latency.model.adapt_macs
        rest = np.where(makes, adapt_macs - self.latency.model.adapt_macs, adapt_macs) + train_macs
        return np.asarray(loads + np.where(makes, self._of("adapt_s", stored), 0.0) + rest / self.speed)

    def _of(self, name: str, bits: Floats, share: Floats | None = None) -> Floats:
        """Return a curve's seconds at so many bits on each phone, times a share of the operations, [D]."""
        out = np.zeros(self.tier.size)
        for place, tier in enumerate(self.names):
            curve = self.latency.curves.get(tier) or self.latency.curves[""]
            here = self.tier == place
            seconds = np.interp(bits[here], curve.bits, getattr(curve, name))
            fixed = np.interp(bits[here], curve.bits, curve.overhead_s) if name == "infer_s" else np.zeros(seconds.size)
            scale = curve.macs_per_s / self.macs_per_s[here] if curve.macs_per_s else np.ones(seconds.size)
            out[here] = fixed + (seconds - fixed) * scale * (1.0 if share is None else share[here])
        return out


def side_by_side(latency: Latency, name: str, tier: TierConfig, macs_per_s: float) -> str:
    """Return what a table says of a tier beside what the constants say, for the full model on its median phone.

    Args:
        latency: The table.
        name: Of the tier.
        tier: What it grants.
        macs_per_s: The speed of its median phone.
    """
    timed = latency.timed(np.zeros(1, np.int64), (name,), np.array([macs_per_s]))
    table = float(timed.infer_s(np.array([latency.model.dense_macs]), np.array([np.inf]))[0]) * 1e3
    constants = latency.model.dense_macs / macs_per_s * 1e3
    text = f"{name} {latency.mark(name)}, {table:.3g} ms a request of the full model where operations over speed say {constants:.3g}"
    if (table > tier.latency_ms) != (constants > tier.latency_ms):
        by, other = ("the table", "constants") if table > tier.latency_ms else ("constants", "the table")
        text += f", so that latency_ms = {tier.latency_ms:g} refuses it by {by} and not by {other}"
    off = latency.scaled_off(name, macs_per_s)
    return text if off is None else f"{text} (scaled from the other machine, {off:.2f} times what was measured)"


def shape_text(config: BackboneConfig, n_items: int) -> str:
    """Return a model's shape as tables name it: kind, width, blocks or window, length, items."""
    if config.kind == "caser":
        inner = f"w{config.window}-v{config.vertical}-h{config.horizontal}"
    elif config.kind == "sasrec":
        inner = f"f{config.ffn_dim}-b{config.blocks}"
    else:
        inner = "-".join(f"{name}{value}" for name, value in sorted(config.settings.items())) or "default"
    return f"{config.kind}-d{config.dim}-{inner}-n{config.max_len}-i{n_items}"


def read_latency(path: str, model: ModelSize, tiers: tuple[str, ...]) -> Latency:
    """Read a table for a model.

    Args:
        path: CSV with the columns `NEEDED`, and any of `FURTHER`; other columns are not read.
        model: Whose rows are taken.
        tiers: Names that the column ``tier`` may have.

    Raises:
        DataError: Not such a table, no row of this shape, two rows for the same bits, or a tier without seconds; names file and line.
    """
    texts = read_texts(path, NEEDED, _MOST_ROWS)
    shapes = [str(text) for text in texts.columns["shape"].to_pylist()]
    mine = np.array([shape == model.shape for shape in shapes])
    if not mine.any():
        there = ", ".join(sorted(set(shapes))[:4])
        raise DataError(f"{path}: no row of shape {model.shape!r}, which this scenario's model has; the table has {there}")
    named = [str(text) for text in texts.columns["tier"].to_pylist()] if "tier" in texts.columns else [""] * texts.rows
    stray = next((row for row, name in enumerate(named) if name and name not in tiers), None)
    if stray is not None:
        raise DataError(f"{texts.place(stray)}: tier is {named[stray]!r}: the scenario has {', '.join(tiers)}")
    curves = {
        tier: _curve(texts, np.flatnonzero(mine & (np.array(named) == tier)), tier, model)
        for tier in dict.fromkeys(name for name, own in zip(named, mine, strict=True) if own)
    }
    bare = [tier for tier in tiers if tier not in curves]
    if bare and "" not in curves:
        raise DataError(f"{path}: no row of shape {model.shape!r} for tier {bare[0]!r}, and none without a tier to scale from")
    return Latency(model, curves)


def _curve(texts: Texts, rows: Ints, tier: str, model: ModelSize) -> Curve:
    bits = figures(texts, "bits", zero=False)[rows]
    order = rows[np.argsort(bits, kind="stable")]
    bits = np.sort(bits)
    twice = np.flatnonzero(np.diff(bits) == 0)
    if twice.size:
        raise DataError(f"{texts.place(int(order[twice[0] + 1]))}: a second row of {bits[twice[0]]:g} bits: keep those of one runtime")
    infer = figures(texts, "ms", zero=False)[order] / 1e3
    load, adapt, overhead = (
        figures(texts, name, zero=True)[order] / 1e3 if name in texts.columns else np.zeros(order.size)
        for name in ("load_ms", "adapt_ms", "overhead_ms")
    )
    makes = adapt > 0
    if makes.any():
        # A shipped model's line says nothing of how long a plan's weights of as many bits take.
        adapt = np.interp(bits, bits[makes], adapt[makes])
    above = np.flatnonzero(overhead >= infer)
    if above.size:
        raise DataError(f"{texts.place(int(order[above[0]]))}: overhead_ms is not below ms")
    stated = _stated_speed(texts, int(order[-1]))
    if tier:
        return Curve(bits, infer, load, adapt, overhead, 0.0, stated)
    # Without a stated speed the machine's is what it made of this very model.
    return Curve(bits, infer, load, adapt, overhead, stated or model.dense_macs / float(infer[-1] - overhead[-1]))


def _stated_speed(texts: Texts, row: int) -> float:
    """Return the speed that a row states, in operations per second; 0 where its cell is empty."""
    cells = [str(text) for text in texts.columns["gmacs_per_s"].to_pylist()] if "gmacs_per_s" in texts.columns else []
    if not cells or not cells[row]:
        return 0.0
    told = replace(texts, columns={"gmacs_per_s": pa.array([text or "1" for text in cells])})
    return float(figures(told, "gmacs_per_s", zero=False)[row]) * 1e9
