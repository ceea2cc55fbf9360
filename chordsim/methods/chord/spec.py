"""Specs of the methods that send a plan: `chord`, `chord-plus` and `chord-shared`.

Source: CHORD (ACM MM 2025, arXiv 2510.03038), abstract and figure 2; no code was found.
Published: phones share one randomly initialised, frozen backbone; a phone sends a user embedding; on the cloud filter-level and
element-level hypernetworks for each layer and one layer-level hypernetwork read it, element importance reconstructs the filters', and
the layers' weighs it; 2 bits a channel come down, codes 1 to 3 for 2, 4 and 8 bits, about 3 on average; one forward pass, no training.
Inference: the operators, ranks and utility (`chordsim/methods/chord/hypernetwork.py`), the quantizer, the allocation under budgets, the
training (hard plans, straight-through gradients, budgets drawn for each user), what code 0 is (unused), embeddings trained, activations
rounded by vector where ``activation_bits`` asks for it. `chord-plus` (a shared mask and learnt signs, code 0 for off, base plus
residual of a user, gains, other laws and starts, plans that read the list) and `chord-shared` (its plan the same for all) are ours whole.
Left out: how the paper quantizes activations, which no source at hand says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chordsim.arrays import Bools, Ints
from chordsim.config.model import BackboneConfig
from chordsim.errors import ScenarioError
from chordsim.methods import (
    DOWN_PRESCRIPTION,
    UP_PROFILE,
    UP_REPORT,
    Batch,
    Budgets,
    Cost,
    Given,
    Leg,
    MethodContext,
    MethodSpec,
    Needs,
    PlanForm,
)
from chordsim.methods.chord.settings import PlanSettings
from chordsim.nets.reads import READS, reach_of
from chordsim.nets.shapes import Shapes, shapes_of
from chordsim.wire.codes import number_bytes
from chordsim.wire.floats import BUDGET_BYTES

_EXCHANGE = (UP_PROFILE, DOWN_PRESCRIPTION, UP_REPORT)
_PLUS: Mapping[str, Any] = {
    "planner": "personal",
    "plans": 16,
    "widths": [0, 2, 4, 8],
    "group": 0,
    "lowest": 0,
    "bits": 2.0,
    "train_bits": [1.0, 2.0],
    "mask_keep": 0.5,
    "temperature": 1.0,
    "levels": [],
    "extractor": "mean",
    "extractor_bits": 32,
    "profile_dim": 64,
    "user_input": False,
    "reads": list(READS),
    "horizon": 12,
    "gains": False,
    "gains_of": "channel",
    "law": "gaussian",
    "signs": "drawn",
    "start": "scratch",
    "distil_weight": 0.0,
    "contrast_weight": 0.0,
    "sees": "user",
    "list_weight": 0.0,
    "fuse": False,
    "decode": "cloud",
    "activation_bits": 32,
}
#: One plan for all.
_SHARED: Mapping[str, Any] = {**_PLUS, "planner": "shared", "delivery": "session", "told": "nothing", "aged": 0}
#: The paper as far as it can be read: no mask, three levels, code 0 unused, 3 bits on average.
_CHORD: Mapping[str, Any] = {
    **_PLUS,
    "planner": "levels",
    "lowest": 1,
    "bits": 3.0,
    "train_bits": [2.5, 3.0, 4.0],
    "mask_keep": 1.0,
    "temperature": 0.1,
    "levels": ["layer", "filter", "element"],
    "extractor": "gru",
}


@dataclass(frozen=True)
class PlanSpec(MethodSpec):
    """A method whose prescription is one 2-bit code per channel."""

    def as_set(self, settings: Mapping[str, Any]) -> MethodSpec:
        """Return the method with as much of a history as its extractor reads, and as one that reads lists where the settings ask for it."""
        by_word = settings.get("sees") == "candidates" or settings.get("told") == "vector" or settings.get("fuse") is True
        lists = by_word or bool(settings.get("list_weight"))
        return replace(self, reach=reach_of(settings.get("reads")), reads_lists=lists, needs_lists=lists)

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return 4 bytes per number of the user embedding plus budgets up, 2 bits per channel or group or a plan's number down."""
        up = 4 * int(context.settings["profile_dim"]) + BUDGET_BYTES
        down = shapes_of(context.backbone, context.n_items, context.ranked).grouped(int(context.settings["group"])).plan_bytes
        if context.settings["planner"] == "codebook":
            down = number_bytes(int(context.settings["plans"]))
        return {UP_PROFILE: np.full(len(who), up, np.int64), DOWN_PRESCRIPTION: np.full(len(who), down, np.int64)}

    def remarks(self, context: MethodContext) -> tuple[str, ...]:
        """Say where plans are served at a budget that training never drew, and where phones change the plans that they get."""
        bits, trained = float(context.settings["bits"]), [float(b) for b in context.settings["train_bits"]]
        out = []
        if not min(trained) <= bits <= max(trained):
            seen = f"{min(trained):g} to {max(trained):g}" if len(trained) > 1 else f"{trained[0]:g}"
            out.append(f"settings.{context.name}.bits = {bits:g} lies outside what its hypernetwork was trained at (train_bits: {seen})")
        if context.settings["decode"] == "device":
            out.append(
                f'settings.{context.name}.decode = "device": the cloud sends importance codes and knows no budgets, so binding names '
                "its own cap; what a phone's table takes off shows in bits_mean"
            )
        return tuple(out)

    def plan_form(self, context: MethodContext) -> PlanForm | None:
        """Return the widths of codes, and how many weights share one; None where only the number of a plan crosses."""
        settings = PlanSettings.of(context.name, context.settings)
        return None if settings.by_number else PlanForm(settings.widths, settings.group)

    def unchanged(self, context: MethodContext, then: Given, now: Budgets, before: Budgets) -> Bools:
        """Return whose plan would have been the recorded one.

        A plan is bought for what a phone leaves for it: stored bits, which memory and bits limit alike, and operations. More than the
        dearest plan takes is as good as that. Where both are what they were, so is the plan; where nothing limited it, more changes
        nothing.
        """
        if context.settings["decode"] == "device":
            # The phone reads the plan by the first of its tables that fits: one that fits less passes over the same tables before.
            speeds = [budgets.latency_s * budgets.macs_per_s for budgets in (now, before)]
            cap = float(context.settings["bits"])
            fits = (then.peak_memory_bytes <= now.memory_bytes) & (then.macs <= speeds[0])
            fits &= then.bits <= np.minimum(now.bits, cap) + 1e-9
            return np.asarray(fits & (now.memory_bytes <= before.memory_bytes) & (speeds[0] <= speeds[1]) & (now.bits <= before.bits))
        (stored, macs), (stored_before, macs_before) = (_room(context, budgets) for budgets in (now, before))
        more = (stored >= stored_before) & (macs >= macs_before) & (then.binding == "none")
        return np.asarray(((stored == stored_before) & (macs == macs_before)) | more)

    def check(self, settings: Mapping[str, Any]) -> None:
        """Refuse settings that make no plan."""
        PlanSettings.of(self.name, settings)

    def check_on(self, settings: Mapping[str, Any], backbone: BackboneConfig) -> None:
        """Refuse groups that do not divide every layer's channels."""
        if settings["group"]:  # shapes bring torch with them, which other scenarios are read without
            try:
                shapes_of(backbone, 1).grouped(int(settings["group"]))
            except ScenarioError as error:
                raise ScenarioError(f"settings.{self.name}.{error}") from None

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return who cannot bear the smallest plan, and what a plan takes that fills its budgets.

        Which channels a plan keeps is not known before training, so operations are an upper end.
        """
        from chordsim.methods.chord.settings import plan_budget, session_macs
        from chordsim.nets import footprint
        from chordsim.quant.decode import unknown_phones

        s = PlanSettings.of(context.name, context.settings)
        shapes = shapes_of(context.backbone, context.n_items, context.ranked).grouped(s.group)
        budget, rows = plan_budget(shapes, s), budgets.memory_bytes.size
        costs, limits = budget.costs().values.numpy(), budget.limits(budgets, s.bits).numpy()
        floor, top = costs[:, :, s.lowest].sum(1), costs[:, :, 3].sum(1)
        lacking = (floor - limits) / np.maximum(floor, 1)
        refusal = np.where((limits < floor).any(1), lacking.argmax(1) + 1, 0).astype(np.uint8)
        planned_for = limits if s.decode == "cloud" else budget.limits(unknown_phones(rows), s.bits).numpy()
        tightest = ((planned_for - floor) / np.maximum(top - floor, 1)).argmin(1) + 1
        binding = np.where(refusal > 0, refusal, np.where((planned_for >= top).all(1), 0, tightest)).astype(np.uint8)
        bits = np.maximum(np.minimum(np.minimum(limits[:, 0], limits[:, 2]), top[2]), floor[2])
        kept = np.maximum(np.minimum(limits[:, 1], top[1]), floor[1])
        packed, fixed = footprint.packed_bytes(bits), budget.fixed_macs
        adapt = np.full(rows, session_macs(shapes, s), np.int64)
        bitops = (bits / shapes.weights * kept).astype(np.int64) * s.activation_bits + fixed * footprint.FLOAT_BITS**2
        model = packed + budget.extra_bytes + footprint.embedding_bytes(shapes)
        cost = replace(
            Cost.zero(rows),
            macs=kept + fixed,
            bitops=bitops,
            adapt_macs=adapt,
            peak_memory_bytes=packed + budget.fixed_bytes,
            model_bytes=model,
        )
        # A plan of the same bits keeps fewest channels where all of them are stored at the widest.
        fewest = np.minimum(kept, kept * bits // max(int(top[2]), 1)) if s.lowest == 0 else kept
        if s.decode == "device":
            # A phone's table may take more off than its budgets ask for.
            fewest = np.full(rows, floor[1], np.int64)
        return Needs(cost, refusal, "cloud", binding, bits / shapes.weights, fewest + fixed)


def _room(context: MethodContext, budgets: Budgets) -> tuple[Ints, Ints]:
    """Return the bits and the operations that phones leave for a plan, at most what the dearest one takes, [D] each."""
    from chordsim.methods.chord.settings import plan_budget

    settings = PlanSettings.of(context.name, context.settings)
    budget = plan_budget(shapes_of(context.backbone, context.n_items, context.ranked).grouped(settings.group), settings)
    limits, dearest = budget.limits(budgets, settings.bits).numpy(), budget.costs().values[:, :, 3].sum(1).numpy()
    stored = np.minimum(limits[:, 0], limits[:, 2])
    return np.minimum(stored, dearest[2]), np.minimum(limits[:, 1], dearest[1])


@dataclass(frozen=True)
class SharedSpec(PlanSpec):
    """One plan for all, which needs to be told once."""

    def as_set(self, settings: Mapping[str, Any]) -> MethodSpec:
        """Return the method without a session's messages where the bootstrap brings what codes are worth."""
        made = super().as_set(settings)
        if settings.get("delivery") != "bootstrap":
            return made
        if settings.get("told") != "vector":
            return OnceSpec(**{**vars(made), "exchange": (UP_REPORT,), "device": "chordsim.methods.chord.shared.device:SharedDevice"})
        halves = {
            "cloud": "chordsim.methods.chord.shared.cloud:ToldCloud",
            "device": "chordsim.methods.chord.shared.device:ToldDevice",
        }
        # What makes no sense as an age is refused by who checks settings.
        aged = settings.get("aged", 0)
        return ToldSpec(**{**vars(made), **halves, "extra_history": aged if type(aged) is int and aged > 0 else 0})


@dataclass(frozen=True)
class OnceSpec(PlanSpec):
    """A plan that phones buy by themselves, from what the bootstrap says."""

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return nothing: no session sends anything."""
        return {}

    def plan_form(self, context: MethodContext) -> PlanForm | None:
        """Return None: no prescription crosses."""
        return None

    def unchanged(self, context: MethodContext, then: Given, now: Budgets, before: Budgets) -> Bools:
        """Return whose room for a plan is what it was."""
        (stored, macs), (stored_before, macs_before) = (_room(context, budgets) for budgets in (now, before))
        return np.asarray((stored == stored_before) & (macs == macs_before))

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return what a plan takes that fills its budgets; it is made at installation, so a session adapts nothing."""
        needs = super().needs(context, budgets)
        return replace(needs, cost=replace(needs.cost, adapt_macs=np.zeros_like(needs.cost.adapt_macs)))


@dataclass(frozen=True)
class ToldSpec(OnceSpec):
    """A plan that phones buy by themselves, and a vector of as many bytes that each session tells them of user and list."""

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return 4 bytes per number of the user embedding up, the bytes of a plan down."""
        up, down = 4 * int(context.settings["profile_dim"]), self._shapes(context).plan_bytes
        return {UP_PROFILE: np.full(len(who), up, np.int64), DOWN_PRESCRIPTION: np.full(len(who), down, np.int64)}

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return what a plan takes that fills its budgets; a session reads the user and turns the numbers into a vector."""
        from chordsim.methods.chord.settings import told_macs

        needs, settings = super().needs(context, budgets), PlanSettings.of(context.name, context.settings)
        adapt = np.full_like(needs.cost.adapt_macs, told_macs(self._shapes(context), settings))
        return replace(needs, cost=replace(needs.cost, adapt_macs=adapt))

    def _shapes(self, context: MethodContext) -> Shapes:
        return shapes_of(context.backbone, context.n_items, context.ranked).grouped(int(context.settings["group"]))


def _spec(name: str, summary: str, defaults: Mapping[str, Any]) -> PlanSpec:
    return PlanSpec(
        name=name,
        summary=summary,
        exchange=_EXCHANGE,
        cloud="chordsim.methods.chord.cloud:PlanCloud",
        device="chordsim.methods.chord.device:PlanDevice",
        by_budgets=True,
        cached="rows",
        defaults=defaults,
    )


def chord(name: str) -> MethodSpec:
    """Return CHORD as the paper can be read (arXiv 2510.03038; operators by inference)."""
    return _spec(name, "CHORD as published: a plan of 2, 4 or 8 bits per channel and user, random frozen backbone", _CHORD)


def chord_plus(name: str) -> MethodSpec:
    """Return our variant: shared element mask, pruned channels, base plus user residual."""
    return _spec(name, "a plan of 0, 2, 4 or 8 bits per channel and user under a shared mask, random frozen backbone", _PLUS)


def chord_shared(name: str) -> MethodSpec:
    """Return the control of `chord-plus`: one learnt plan, the same for every user."""
    base = _spec(name, "control: the plan of chord-plus learnt once for everybody", _SHARED)
    return SharedSpec(**vars(base))
