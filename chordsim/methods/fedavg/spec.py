"""Spec of `fedavg`: phones train the backbone on their own histories, the cloud averages what they send.

Source: McMahan et al., AISTATS 2017.
Published: local SGD from the shared weights, an average weighted by the number of examples, from a random start.
Inference: the backbone's weights are federated and the embeddings stay as shipped; a phone ranks with the shared weights that it
received, not with its own. The first weights are the cloud's `fp32`, trained for `start_steps` steps (0: until it has converged, where
rounds can add little); from a random start it would take hundreds of rounds. The new weights are a new version of one bootstrap part,
which every phone downloads again. `strategy` names one of Flower's strategies to stand in the average's place, with
`strategy_options` for its constructor.
Left out: FedProx and QFedAvg, since their phones do other work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chordsim.arrays import Ints
from chordsim.methods import UP_REPORT, UP_UPDATE, Batch, Budgets, Leg, MethodContext, MethodSpec, Needs
from chordsim.methods.finetune.spec import ON_PHONE
from chordsim.nets.shapes import shapes_of

#: chordsim's own average, and Flower's strategies whose phones do what these do.
STRATEGIES = (
    "average",
    "FedAvg",
    "FedAvgM",
    "FedAdam",
    "FedAdagrad",
    "FedYogi",
    "FedMedian",
    "FedTrimmedAvg",
    "Krum",
    "MultiKrum",
    "Bulyan",
)


@dataclass(frozen=True)
class FedAvgSpec(MethodSpec):
    """Weights up after local training."""

    def as_set(self, settings: Mapping[str, Any]) -> MethodSpec:
        """Return the method as one whose weights stay where phones take steps of no length: their average is what they were sent."""
        still = settings.get("rate") == 0 and settings.get("strategy", "average") == "average"
        return replace(self, renews=()) if still else self

    def check(self, settings: Mapping[str, Any]) -> None:
        """Refuse options that the strategy does not take."""
        from chordsim.methods.fedavg.strategies import check

        check(str(settings["strategy"]), settings["strategy_options"])

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return 4 bytes per weight, and 4 for the number of examples."""
        return {UP_UPDATE: np.full(len(who), 4 * (shapes_of(context.backbone, context.n_items, context.ranked).weights + 1), np.int64)}

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return what a request and the steps before it take."""
        from chordsim.quant.costs import finetuned, on_device

        return on_device(finetuned(context, budgets.memory_bytes.size), budgets, 32.0)


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return FedAvgSpec(
        name=name,
        summary="the backbone trained across phones: weights up, averaged on the cloud",
        exchange=(UP_UPDATE, UP_REPORT),
        cloud="chordsim.methods.fedavg.cloud:FedAvgCloud",
        device="chordsim.methods.fedavg.device:FedAvgDevice",
        by_budgets=False,
        cached="rows",
        defaults={"bits": 32, "steps": 3, "rate": 0.05, "positions": 10, "strategy": "average", "strategy_options": {}, "start_steps": 0},
        allowed={"bits": (32, 32), **ON_PHONE, "strategy": STRATEGIES, "start_steps": (0, 10_000_000)},
        needs_autograd=True,
        learns=True,
        buffers=True,
        renews=("weights",),
    )
