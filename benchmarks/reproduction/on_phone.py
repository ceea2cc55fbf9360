"""How many steps, and at which rate, a phone that trains should take: tried on the validation item, over the reference of one seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.reproduction.figures import PHONE_TRIALS
from benchmarks.reproduction.sheets import Line, text, write_lines
from chordsim import methods
from chordsim.data.history import History
from chordsim.methods.finetune.device import FinetuneDevice
from chordsim.methods.shipped.device import Model
from chordsim.progress import Progress
from chordsim.scenario.load import load
from chordsim.world import World, build
from server.training import cache
from server.training.validation import Validation

#: Tried with one another; together as many trials as `qat-2` has.
STEPS, RATES = (1, 3, 10, 30), (0.02, 0.05, 0.2)


class Tuned(nn.Module):
    """A shipped model that every user trains on before it ranks, as the training loop's validation wants it."""

    horizon = 1

    def __init__(self, device: FinetuneDevice, model: Model) -> None:
        super().__init__()
        self.item = nn.Parameter(model.item, requires_grad=False)
        self._device, self._model = device, model

    def groups(self, lr: float, plan_lr: float) -> list[dict[str, Any]]:
        """Return none: the cloud trains nothing here."""
        return []

    def states(self, windows: Any, dropout: float, generator: torch.Generator) -> Tensor:
        """Fail: nothing is trained by windows.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError

    def item_as_shipped(self) -> Tensor:
        """Return the item embeddings [n_items + 1, d]."""
        return self.item

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d] of every user's own model, trained on these histories [B, L]."""
        history = History(items.numpy(), (items > 0).sum(1).numpy())
        with torch.enable_grad():
            own = self._device.learn(self._model, history)
        return self._device.states(replace(self._model, weights=own), history)


def trials(world: World, progress: Progress) -> Iterator[tuple[int, float, float]]:
    """Yield steps, rate and validation NDCG@10 of every pair; 0 steps, which is the reference itself, first.

    Args:
        world: A scenario that plays `finetune`.
        progress: Where the reference's training reports to, where the cache does not hold it.
    """
    context = world.context("finetune")
    cloud = methods.load(world.specs["finetune"].cloud)(context)
    state, _ = cache.trained(cloud, world.logs, progress)
    parts = {blob.label: blob.data for blob in cloud.bootstrap(state)}
    device = FinetuneDevice(context)
    model = device.load(parts)
    validation = Validation.of(world.logs, context.backbone.max_len, context.training.eval_users, context.seed)
    for steps, rate in ((0, 0.0), *((steps, rate) for steps in STEPS for rate in RATES)):
        device.steps, device.rate = steps, rate
        yield steps, rate, validation.ndcg_10(Tuned(device, model))


def write(scenario: str, overrides: tuple[str, ...], seed: int, folder: Path, progress: Progress) -> list[str]:
    """Try all pairs and write them, best first.

    Args:
        scenario: A shipped name or a path.
        overrides: What is set over it.
        seed: The seed.
        folder: Where the table goes.
        progress: Where long work reports to.

    Returns:
        What is told of it, a line each.
    """
    world = build(load(scenario, ('methods=["finetune"]', *overrides), seed), progress)
    found = sorted(trials(world, progress), key=lambda one: -one[2])
    lines: list[Line] = [
        {"method": "finetune", "steps": str(steps), "rate": text(rate), "seed": str(seed), "validation_ndcg_10": text(score)}
        for steps, rate, score in found
    ]
    write_lines(folder / PHONE_TRIALS, lines)
    steps, rate, score = found[0]
    return [f"{len(found)} trials; best: {steps} steps at rate {rate:g}, validation NDCG@10 {score:.4f}"]
