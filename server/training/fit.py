"""The training loop: sampled windows, full softmax, rates cut and training stopped by validation NDCG@10, the best state kept."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from torch import Tensor, nn

from chordsim import seeds
from chordsim.config.model import TrainingConfig
from chordsim.data.split import TrainLogs
from chordsim.errors import RunError
from chordsim.events import Step, Validated, tell
from chordsim.kernels.choose import training_kernels
from chordsim.memory import keep_freed_pages
from chordsim.nets.recommender import Recommender, Trainable
from chordsim.numerics import softmax_type
from chordsim.progress import Progress
from chordsim.threads import threads_per_product, training
from server.training.adamw import AdamW
from server.training.average import Average
from server.training.curve import Curve
from server.training.loss import linear_cross_entropy
from server.training.partial import Checkpoint, Place
from server.training.rounding import Rounding
from server.training.sampler import Sampler, WindowLists
from server.training.validation import Validation

CLIP_NORM = 5.0
#: Targets per step that decide the number of windows, where the scenario bounds neither.
POSITIONS = 1536
#: What the rates are multiplied by when validation has stopped improving.
CUT = 0.25


def fit(
    model: Trainable,
    logs: TrainLogs,
    config: TrainingConfig,
    length: int,
    seed: int,
    title: str,
    progress: Progress,
    started: frozenset[str] = frozenset(),
    lists: WindowLists | None = None,
) -> dict[str, Tensor]:
    """Train until validation stops improving or steps run out; a training that was cut off goes on where it was.

    Args:
        model: A `Trainable` module.
        logs: What the cloud may train on; validation items come from the same users.
        config: Steps, rates, patience; the thread count is pinned here and restored.
        length: Window length.
        seed: The scenario's seed.
        title: What the progress bar says.
        progress: Where progress goes.
        started: Names of parameters that are trained already. They move at `TrainingConfig.warm_share` of the rates, and the model
            is validated before its first step, so that no training ends below its start.
        lists: Who lists for windows and for the users of validation; None for a model that reads no lists.

    Returns:
        The state dict at the best validation NDCG@10, with ``trained.steps``, ``trained.ndcg_10`` and what `Curve` tells of the way; with
        lists, what the state reaches on them too (`Validation.orders`).

    Raises:
        RunError: The loss is not a number any more.
    """
    assert isinstance(model, nn.Module)
    keep_freed_pages()
    if isinstance(model, Recommender):
        loops = training_kernels(config.kernel)
        model.attend, model.thin = loops.attend, loops.thin
    with threads_per_product(config.threads), training():
        return _fit(model, logs, config, length, seed, title, progress, started, lists)


def _fit(
    model: Trainable,
    logs: TrainLogs,
    config: TrainingConfig,
    length: int,
    seed: int,
    title: str,
    progress: Progress,
    started: frozenset[str],
    lists: WindowLists | None,
) -> dict[str, Tensor]:
    assert isinstance(model, nn.Module)
    draws = seeds.generator(seed, f"train.{title}.windows")
    # A model of another package may know of no histories that are longer than its windows.
    reach = getattr(model, "reach", length)
    sampler = Sampler(logs, length, model.horizon, draws, config.latest_of, reach, lists)
    validation = Validation.of(logs, reach, config.eval_users, seed, lists)
    noise = seeds.torch_generator(seed, f"train.{title}.noise")
    groups = _warm(model, model.groups(config.lr, config.plan_lr), started, config.warm_share)
    optimiser = AdamW(groups, betas=(0.9, 0.98), weight_decay=config.weight_decay)
    average, rounding = Average(model, config.average_steps), Rounding(model, logs, config.rounding_from)
    curve = Curve()
    checkpoint = Checkpoint(title, model, optimiser, average, draws, noise, curve)
    at = checkpoint.load() or Place(0, _copy(model), validation.ndcg_10(model) if started else -1.0, 0)
    if started and not at.step:
        curve.validated(0, at.best_score, model)
    progress.start(f"train {title}", config.max_steps)
    if at.step:
        progress.advance(at.step, f"going on after step {at.step}")
    rates = [float(group["lr"]) for group in optimiser.param_groups]
    _set(optimiser, rates, at.cuts)
    batch = config.batch or max((config.positions or POSITIONS) // min(model.horizon, length), 1)
    half = softmax_type(config)
    began = time.monotonic()
    while at.step < config.max_steps:
        if at.since >= config.patience:
            if at.cuts == config.cuts:
                break
            model.load_state_dict(at.best)
            average.restart()
            at.since, at.cuts = 0, at.cuts + 1
            _set(optimiser, rates, at.cuts)
        model.train()
        windows = sampler.draw(batch)
        with rounding.in_place(at.step):
            states = model.states(windows, config.dropout, noise)
            targets = windows.targets[:, -states.shape[1] :].reshape(-1)
            places = targets.nonzero().squeeze(1)
            if config.positions and places.numel() > config.positions:
                places = places[torch.randperm(places.numel(), generator=noise)[: config.positions]]
            loss = linear_cross_entropy(states.reshape(-1, states.shape[-1])[places], model.item, targets[places], half)
            if not math.isfinite(loss.item()):
                raise RunError(f"training of {title} diverged at step {at.step + 1}: use a smaller training.lr or training.plan_lr")
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimiser.step()
        with torch.no_grad():
            model.item[0] = 0.0
        average.update()
        at.step += 1
        curve.step(loss.item())
        tell(progress, Step(title, at.step, loss.item()))
        note = ""
        if at.step % config.eval_every == 0 or at.step == config.max_steps:
            with average.in_place():
                score = validation.ndcg_10(model)
                at.since = 0 if score > at.best_score else at.since + 1
                if score > at.best_score:
                    at.best, at.best_score = _copy(model), score
                curve.validated(at.step, score, model)
            note = f"loss {loss.item():.3f}, validation NDCG@10 {score:.4f} (best {at.best_score:.4f})"
            checkpoint.save(at)
            tell(progress, Validated(title, at.step, score, at.best_score))
        progress.advance(1, note)
    reached = f"validation NDCG@10 {at.best_score:.4f}" if at.best_score >= 0 else "not validated"
    progress.done(f"{at.step} steps in {time.monotonic() - began:.0f} s, {reached}")
    noted = {"trained.steps": torch.tensor(at.step), "trained.ndcg_10": torch.tensor(at.best_score, dtype=torch.float64)}
    if lists is not None:
        model.load_state_dict(at.best)
        told = validation.orders(model)
        noted |= {f"trained.{name}": torch.tensor(score, dtype=torch.float64) for name, score in told.items()}
    return {**at.best, **noted, **curve.notes(), **rounding.notes()}


def _warm(model: nn.Module, groups: list[dict[str, Any]], started: frozenset[str], share: float) -> list[dict[str, Any]]:
    """Return the groups with parameters that are trained already in groups of their own, whose rates are ``share`` of the others'."""
    warm = {id(parameter) for name, parameter in model.named_parameters() if name in started}
    parts = []
    for group in groups:
        for is_warm in (True, False):
            mine = [parameter for parameter in group["params"] if (id(parameter) in warm) == is_warm]
            parts += [{**group, "params": mine, "lr": group["lr"] * (share if is_warm else 1.0)}] if mine else []
    return parts


def _set(optimiser: AdamW, rates: list[float], cuts: int) -> None:
    for group, rate in zip(optimiser.param_groups, rates, strict=True):
        group["lr"] = rate * CUT**cuts


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone().contiguous() for name, value in model.state_dict().items()}
