"""Spec of `chai`: a cloud teacher distilled into a compact student that is shipped once.

Source: a machine-written summary of the CHORD paper, marked "verify against source" by its publisher.
Published: nothing. The summary claims distillation plus compression, 3.2x faster training, 2.8x faster inference, 92 % of the accuracy at
65 % less size, 40 % lower latency than the cloud alone; no primary source says any of it, so these are claims to measure.
Inference: everything. The teacher is the trained `fp32`, the student a narrower and shallower SASRec trained with cross-entropy plus the
divergence from the teacher.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chordsim.errors import ScenarioError
from chordsim.methods import UP_REPORT, Budgets, MethodContext, MethodSpec, Needs
from chordsim.nets.shapes import shapes_of
from chordsim.quant.costs import shipped_cost

#: What the summary claims; claims to measure, never results.
CLAIMS = {"training": 3.2, "inference": 2.8, "accuracy kept": 0.92, "size saved": 0.65, "latency saved": 0.40}


def student(context: MethodContext) -> MethodContext:
    """Return the context in which the backbone is the student's."""
    own = {key: int(context.settings[key]) for key in ("dim", "ffn_dim", "blocks", "heads")}
    return replace(context, backbone=context.backbone.model_validate({**context.backbone.model_dump(), **own}))


@dataclass(frozen=True)
class ChaiSpec(MethodSpec):
    """A student, the same on every phone."""

    def check(self, settings: Mapping[str, Any]) -> None:
        """Refuse a student that is no backbone: its width must be a multiple of 4 and of its heads."""
        for key in ("dim", "ffn_dim"):
            if settings[key] % 4:
                raise ScenarioError(f"settings.{self.name}.{key}: must be a multiple of 4, not {settings[key]}")
        if settings["dim"] % settings["heads"]:
            raise ScenarioError(f"settings.{self.name}.heads: must divide dim = {settings['dim']}, not {settings['heads']}")

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return what the student takes, and who cannot bear it."""
        from chordsim.quant.costs import on_device

        small = shapes_of(student(context).backbone, context.n_items, context.ranked)
        return on_device(shipped_cost(small, 32, budgets.memory_bytes.size), budgets, 32.0)


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return ChaiSpec(
        name=name,
        summary="a compact student distilled from the cloud's model, shipped once",
        exchange=(UP_REPORT,),
        cloud="chordsim.methods.chai.cloud:ChaiCloud",
        device="chordsim.methods.chai.device:ChaiDevice",
        by_budgets=False,
        cached="rows",
        defaults={"dim": 32, "ffn_dim": 32, "blocks": 1, "heads": 1, "distil_weight": 1.0, "distil_positions": 256},
        allowed={
            "dim": (4, 1024),
            "ffn_dim": (1, 4096),
            "blocks": (1, 16),
            "heads": (1, 64),
            "distil_weight": (0, 1000),
            "distil_positions": (1, 100_000),
        },
        backbones=("sasrec",),
    )
