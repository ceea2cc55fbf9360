"""Spec of `film-192`: the control that spends the bytes of a plan on something else.

Source: FiLM (Perez et al. 2018).
Published: a network that reads the condition scales and shifts a layer's features.
Inference: a control. As many bytes as a plan of 768 channels: int8 numbers scale and shift the last state of a full-precision model and
mix in the mean of the recent items; three for each dimension, so 192 at 64.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chordsim.arrays import Ints
from chordsim.errors import ScenarioError
from chordsim.methods import DOWN_PRESCRIPTION, UP_PROFILE, UP_REPORT, Batch, Budgets, Cost, Leg, MethodContext, MethodSpec, Needs
from chordsim.nets.kinds import EXTRACTORS
from chordsim.nets.reads import LONGEST, READS, WORDS, are_lengths, held_bytes, reach_of
from chordsim.nets.shapes import shapes_of
from chordsim.quant.costs import shipped_cost


@dataclass(frozen=True)
class FilmSpec(MethodSpec):
    """User embedding up, three int8 numbers per dimension down."""

    def as_set(self, settings: Mapping[str, Any]) -> MethodSpec:
        """Return the method with as much of a history as its extractor reads."""
        return replace(self, reach=reach_of(settings.get("reads")))

    def check(self, settings: Mapping[str, Any]) -> None:
        """Refuse lengths that are none, or that the extractor does not take."""
        given = tuple(settings["reads"])
        if not are_lengths(given):
            raise ScenarioError(f"settings.{self.name}.reads: must be {WORDS}, not {reprlib.repr(settings['reads'])}")
        if given != READS and settings["extractor"] != "mean":
            raise ScenarioError(f'settings.{self.name}.reads is of settings.{self.name}.extractor = "mean" alone')

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return 4 bytes per number up, one down."""
        up, down = 4 * int(context.settings["profile_dim"]), 3 * context.backbone.dim
        return {UP_PROFILE: np.full(len(who), up, np.int64), DOWN_PRESCRIPTION: np.full(len(who), down, np.int64)}

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return what the modulated model takes, and who cannot bear it."""
        from chordsim.quant.costs import on_device

        return on_device(film_cost(context, budgets.memory_bytes.size), budgets, 32.0)


def film_cost(context: MethodContext, rows: int) -> Cost:
    """Return the shipped model's cost and the extractor's, with the ids of older items that it reads."""
    from chordsim.nets.extractor import size

    s, dim = context.settings, context.backbone.dim
    base = shipped_cost(shapes_of(context.backbone, context.n_items, context.ranked), 32, rows)
    reads = tuple(s["reads"])
    parameters, read = size(s["extractor"], dim, int(s["profile_dim"]), reads)
    kept = 4 * parameters + held_bytes(reads, context.backbone.max_len, context.n_items)
    return replace(
        base,
        macs=base.macs + 2 * dim,
        bitops=base.bitops + 2 * dim * 32 * 32,
        adapt_macs=base.adapt_macs + read,
        model_bytes=base.model_bytes + kept,
        peak_memory_bytes=base.peak_memory_bytes + kept + 3 * dim,
    )


def film(name: str) -> MethodSpec:
    """Return the control that spends a plan's bytes on the last state."""
    return FilmSpec(
        name=name,
        summary="control: as many bytes as a plan, as int8 numbers that modulate the last state",
        exchange=(UP_PROFILE, DOWN_PRESCRIPTION, UP_REPORT),
        cloud="chordsim.methods.film.cloud:FilmCloud",
        device="chordsim.methods.film.device:FilmDevice",
        by_budgets=False,
        cached="rows",
        defaults={"profile_dim": 64, "extractor": "mean", "reads": list(READS), "horizon": 12},
        allowed={"profile_dim": (1, 4096), "extractor": EXTRACTORS, "reads": (1, LONGEST), "horizon": (1, 1000)},
    )
