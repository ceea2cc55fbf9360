"""How many steps, and at which rate, a phone that trains should take: tried on the validation item, over the reference of one seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.suites.figures import PHONE_TRIALS
from benchmarks.suites.sheets import Line, read_lines, text, write_lines
from chordsim import methods
from chordsim.data.history import History
from chordsim.methods.dccl import net
from chordsim.methods.dccl.device import DcclDevice, Patched
from chordsim.methods.finetune.device import FinetuneDevice
from chordsim.methods.shipped.device import Model
from chordsim.progress import Progress
from chordsim.scenario.load import load
from chordsim.world import World, build
from server.training import cache
from server.training.validation import Validation

#: Tried with one another; together as many trials for each method as `qat-2` has.
STEPS = (1, 3, 10, 30)
RATES = {"finetune": (0.02, 0.05, 0.2), "dccl": (0.1, 0.5, 1.0)}


def _finetuned(device: FinetuneDevice, model: Model, history: History) -> Model:
    return replace(model, weights=device.learn(model, history))


def _patched(device: DcclDevice, model: Patched, history: History) -> Model:
    return replace(model, weights=net.patched(model.weights, model.basis, device.learn(model, history), device.context.backbone))


#: How each method makes a phone's own model of the shipped one.
LEARN: dict[str, Callable[..., Model]] = {"finetune": _finetuned, "dccl": _patched}


class Tuned(nn.Module):
    """A shipped model that every user trains on before it ranks, as a validation wants it."""

    def __init__(self, method: str, device: FinetuneDevice | DcclDevice, model: Model) -> None:
        super().__init__()
        self.item = nn.Parameter(model.item, requires_grad=False)
        self._learn, self._device, self._model = LEARN[method], device, model

    def item_as_shipped(self) -> Tensor:
        """Return the item embeddings [n_items + 1, d]."""
        return self.item

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d] of every user's own model, trained on these histories [B, L]."""
        history = History(items.numpy(), (items > 0).sum(1).numpy())
        with torch.enable_grad():
            own = self._learn(self._device, self._model, history)
        return self._device.states(own, history)


def trials(world: World, method: str, progress: Progress) -> Iterator[tuple[int, float, float]]:
    """Yield steps, rate and validation NDCG@10 of every pair; 0 steps, which is the model as shipped, first.

    Args:
        world: A scenario that plays the method.
        method: One of `RATES`.
        progress: Where the cloud's training reports to, where the cache does not hold it.
    """
    context, spec = world.context(method), world.specs[method]
    cloud = methods.load(spec.cloud)(context)
    state, _ = cache.trained(cloud, world.logs, progress)
    parts = {blob.label: blob.data for blob in cloud.bootstrap(state)}
    device = methods.load(spec.device)(context)
    model = device.load(parts)
    validation = Validation.of(world.logs, context.backbone.max_len, context.training.eval_users, context.seed)
    for steps, rate in ((0, 0.0), *((steps, rate) for steps in STEPS for rate in RATES[method])):
        device.steps, device.rate = steps, rate
        progress.start(f"{method}: {steps} steps at rate {rate:g}", None)
        score = validation.ndcg_10(Tuned(method, device, model))
        progress.done(f"validation NDCG@10 {score:.4f}")
        yield steps, rate, score


def write(scenario: str, method: str, overrides: tuple[str, ...], seed: int, folder: Path, progress: Progress) -> list[str]:
    """Try all pairs of a method and write them, best first, beside those of other methods.

    Args:
        scenario: A shipped name or a path.
        method: One of `RATES`.
        overrides: What is set over the scenario.
        seed: The seed.
        folder: Where the table goes.
        progress: Where long work reports to.

    Returns:
        What is told of it, a line each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    world = build(load(scenario, (f'methods=["{method}"]', *overrides), seed), progress)
    found = sorted(trials(world, method, progress), key=lambda one: -one[2])
    lines: list[Line] = [
        {"method": method, "steps": str(steps), "rate": text(rate), "seed": str(seed), "validation_ndcg_10": text(score)}
        for steps, rate, score in found
    ]
    path = folder / PHONE_TRIALS
    others = [line for line in read_lines(path) if line["method"] != method] if path.exists() else []
    write_lines(path, [*others, *lines])
    steps, rate, score = found[0]
    return [f"{method}: {len(found)} trials; best: {steps} steps at rate {rate:g}, validation NDCG@10 {score:.4f}"]
