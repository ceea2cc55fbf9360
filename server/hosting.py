"""Hosting the cloud halves: each method's state is trained, or found in the cache, before the first round."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_EXCEPTION, wait
from dataclasses import dataclass
from typing import Any

from chordsim import methods
from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods.blame import blamed
from chordsim.progress import Progress, Stoppable
from chordsim.round.enrolled import Hosted, nothing_held
from chordsim.round.held import columns_for
from chordsim.round.item_books import columns_for as item_columns
from chordsim.store.importance import Levels
from chordsim.store.training import CurveLine
from chordsim.threads import cores, pool
from chordsim.world import World
from server.model_retriever import ModelLists, RetrieverModel, context_of
from server.training import cache
from server.training.curve import IMPORTANCE, PREFIX
from server.training.validation import ORDERS


@dataclass(frozen=True)
class Trained:
    """How the cloud models came about.

    Attributes:
        methods: Methods that are ready to play.
        train_s: Seconds spent.
        from_cache: Which methods found their state in the cache.
        notes: What each training says of itself, from the cache too: steps, and the validation NDCG@10 that chose the state.
        curves: How each training went, a line for every number of every validation, from the cache too.
        levels: What methods with levels of importance say of them, from the cache too.
        retriever: Who lists candidates, for the manifest; None where nobody does.
    """

    methods: list[Hosted]
    train_s: float
    from_cache: dict[str, bool]
    notes: dict[str, dict[str, float | None]]
    curves: list[CurveLine]
    levels: dict[str, Levels]
    retriever: dict[str, Any] | None = None


def train(world: World, progress: Progress) -> Trained:
    """Train every method's cloud state, or find it in the cache; as many trainings side by side as processors have threads for."""
    began, size = time.monotonic(), world.population.size
    halves: dict[str, methods.CloudHalf] = {}
    for name, spec in world.specs.items():
        with blamed(name, "cloud half"):
            halves[name] = methods.load(spec.cloud)(world.context(name))
    logs = world.logs
    s = world.scenario
    lister = RetrieverModel(context_of(*s.lister, world.n_items, s.seed)) if s.protocol.retriever == "model" else None
    sources: dict[str, cache.Source] = {**halves, **({"the retriever": lister} if lister else {})}
    stoppable, workers = Stoppable(progress), max(cores() // world.scenario.training.threads, 1)
    with pool(workers) as threads:
        trainings = [threads.submit(_trained, name, source, logs, stoppable) for name, source in sources.items()]
        try:
            finished, _ = wait(trainings, return_when=FIRST_EXCEPTION)
            for training in finished:
                training.result()
            states = [training.result() for training in trainings]
        except BaseException:
            stoppable.stop()
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    listed: dict[str, Any] | None = {"kind": "counts"} if world.scenario.protocol.ranking == "candidates" else None
    if lister is not None:
        state, _ = states.pop()
        users, repeat = world.split.log.n_users, not s.protocol.mask_seen
        aged = s.retriever.aged if s.retriever else 0
        world.listing.model = ModelLists(lister, state, logs, users, s.protocol.list_length, repeat=repeat, aged=aged)
        listed = {**lister.about(state), "validation_ndcg_10": _score(state), **({"aged": aged} if aged else {})}
    out = []
    for (name, spec), (state, _) in zip(world.specs.items(), states, strict=True):
        remembered = columns_for(world.scenario, size) | item_columns(world, spec, size)
        with blamed(name, "cloud half, bootstrap"):
            out.append(Hosted(spec, held=nothing_held(size), remembered=remembered, half=halves[name], state=state))
    from_cache = {name: found for name, (_, found) in zip(world.specs, states, strict=True)}
    notes = {name: note for name, (state, _) in zip(world.specs, states, strict=True) if (note := _notes(state))}
    curves = [line for name, (state, _) in zip(world.specs, states, strict=True) for line in _curve(name, state, world)]
    levels = {name: told for name, (state, _) in zip(world.specs, states, strict=True) if (told := _levels(state))}
    return Trained(out, time.monotonic() - began, from_cache, notes, curves, levels, listed)


def _trained(name: str, half: cache.Source, logs: TrainLogs, progress: Progress) -> tuple[State, bool]:
    with blamed(name, "cloud half, training"):
        return cache.trained(half, logs, progress)


def _notes(state: State) -> dict[str, float | None]:
    """Return what the training loop wrote into a state; empty where nothing was trained."""
    if "trained.steps" not in state:
        return {}
    listed = {f"validation_{order}_ndcg_10": float(state[f"trained.{order}"]) for order in ORDERS if f"trained.{order}" in state}
    return {"steps": int(state["trained.steps"]), "validation_ndcg_10": _score(state), **listed}


def _score(state: State) -> float | None:
    """Return the validation NDCG@10 that chose a state; None where no step was taken, so that none was validated."""
    score = float(state["trained.ndcg_10"])
    return score if score >= 0 else None


def _levels(state: State) -> Levels | None:
    """Return what a state tells of levels of importance; None where it tells nothing."""
    told = {key.removeprefix(IMPORTANCE): values.numpy() for key, values in state.items() if key.startswith(IMPORTANCE)}
    return Levels(told["layer"], told["filter"], [told[f"element.{n}"] for n in range(len(told["layer"]))]) if told else None


def _curve(name: str, state: State, world: World) -> list[CurveLine]:
    """Return what a state tells of its training; nothing where nothing was trained."""
    told = {key.removeprefix(PREFIX): values for key, values in state.items() if key.startswith(PREFIX)}
    steps = told.pop("step").tolist() if "step" in told else []
    layers, out = [layer.name for layer in world.shapes.layers], list[CurveLine]()
    for n, step in enumerate(steps):
        for what, values in sorted(told.items()):
            if values.ndim == 1:
                # Before the first step there is no loss.
                out += [] if what == "loss" and not step else [CurveLine(name, step, what, "", "", float(values[n]))]
                continue
            for layer, row in zip(layers, values[n].tolist(), strict=True):
                out += [CurveLine(name, step, what, layer, str(code), value) for code, value in enumerate(row)]
    return out
