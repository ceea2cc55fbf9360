"""The run: train or load every method, then round after round let each of them play, and write what happened."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_EXCEPTION, Executor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chordsim import methods
from chordsim.engine.cell import Carrier
from chordsim.errors import RunError, UserError
from chordsim.fleet import fleet_of_world
from chordsim.forecast.predict import Forecast, as_json, beside, forecast
from chordsim.ledger.invariants import check
from chordsim.ledger.rounds import round_line
from chordsim.ledger.summary import Summary
from chordsim.memory import keep_freed_pages, release_freed_pages
from chordsim.progress import Progress, Stoppable
from chordsim.scenario.model import Scenario
from chordsim.scenario.text import dump
from chordsim.store import RunDirectory, Status
from chordsim.threads import cores, one_thread_per_product, pool
from chordsim.wire.frame import check_method_ids
from chordsim.world import World, fresh
from server import checkpoint, devices, system
from server.bindings import Tally
from server.held import columns_for
from server.manifest import peak_rss_bytes, protocol
from server.plans import PlanSample
from server.play import Enrolled, play
from server.resume import Resume, opened, pick_up
from server.scene import scene_of
from server.training import cache

#: Device state is columnar up to this many devices; pages that no device touches take no memory.
_HELD_DTYPE = np.int32


@dataclass(frozen=True)
class Trained:
    """How the cloud models came about.

    Attributes:
        methods: Methods that are ready to play.
        train_s: Seconds spent.
        from_cache: Which methods found their state in the cache.
        notes: What each training says of itself, from the cache too: steps, and the validation NDCG@10 that chose the state.
    """

    methods: list[Enrolled]
    train_s: float
    from_cache: dict[str, bool]
    notes: dict[str, dict[str, float]]


def run(scenario: Scenario, out: Path | None, carrier: Carrier, progress: Progress, resume: Resume | None = None) -> Path:
    """Run a scenario and return its run directory.

    Args:
        scenario: Resolved.
        out: Where to write; None takes the first free folder under ``runs``.
        carrier: What moves messages to the phones.
        progress: Where long work reports to.
        resume: Go on with the run in ``out`` instead of starting one.

    Raises:
        ChordsimError: A user's mistake or a failed run; what was finished stays readable.
    """
    began = time.monotonic()
    check_method_ids(scenario.methods)
    if scenario.protocol.metrics == "none":
        if resume is not None:
            raise UserError('a run of protocol.metrics = "none" takes seconds and cannot be resumed: start it anew')
        return system.run(scenario, out, progress)
    with opened(scenario, out, resume) as store:
        text = dump(scenario)
        try:
            world = fresh(text, progress)
            remarks = [line for name, spec in world.specs.items() for line in spec.remarks(world.context(name))]
            store.write_manifest("running", data=world.source(), protocol=protocol(scenario), remarks=remarks)
            predicted = predict(world)
            store.write_manifest("running", forecast=as_json(predicted) if predicted else None)
            trained = train(world, progress)
            store.write_manifest("running", cloud_models=trained.from_cache, trained=trained.notes)
            summary = Tally(world.split.log.n_users, world.population, scenario.seed, world.split.cloud_users)
            done, errors = pick_up(store, trained.methods, summary, scenario.rounds.count) if resume else (0, [])
            one_thread_per_product()
            release_freed_pages()
            keep_freed_pages()
            with pool(scenario.engine.workers) as threads:
                _play_all(world, trained.methods, carrier, text, store, summary, progress, done, errors, threads)
            status: Status = "degraded" if errors else "complete"
            rounds_s = time.monotonic() - began - trained.train_s
            whole = _summary(world, summary, trained, time.monotonic() - began, rounds_s, carrier)
            store.write_summary({**whole, "forecast": beside(predicted, whole)} if predicted else whole)
            claimed = None if errors or store.manifest.get("drift") else store.ledger_sha256
            store.write_manifest(status, errors=errors, ledger_sha256=claimed, budgets=summary.bindings.report())
        except KeyboardInterrupt:
            store.write_manifest("interrupted")
            raise
        except BaseException as error:
            store.write_manifest("failed", errors=[f"{type(error).__name__}: {error}"])
            raise
        return store.path


def predict(world: World) -> Forecast | None:
    """Return the forecast of the run, or None where a method's sizes are not known before training."""
    try:
        return forecast(fleet_of_world(world))
    except RunError:
        return None


def train(world: World, progress: Progress) -> Trained:
    """Train every method's cloud state, or find it in the cache; as many trainings side by side as processors have threads for."""
    began, size = time.monotonic(), world.population.size
    halves: list[methods.CloudHalf] = [methods.load(spec.cloud)(world.context(name)) for name, spec in world.specs.items()]
    logs = world.logs
    stoppable, workers = Stoppable(progress), max(cores() // world.scenario.training.threads, 1)
    with pool(workers) as threads:
        trainings = [threads.submit(cache.trained, half, logs, stoppable) for half in halves]
        try:
            finished, _ = wait(trainings, return_when=FIRST_EXCEPTION)
            for training in finished:
                training.result()
            states = [training.result() for training in trainings]
        except BaseException:
            stoppable.stop()
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    out = [
        Enrolled(spec, half, state, np.zeros(size, _HELD_DTYPE), remembered=columns_for(world.scenario, size))
        for spec, half, (state, _) in zip(world.specs.values(), halves, states, strict=True)
    ]
    from_cache = {name: found for name, (_, found) in zip(world.specs, states, strict=True)}
    notes = {name: note for name, (state, _) in zip(world.specs, states, strict=True) if (note := _notes(state))}
    return Trained(out, time.monotonic() - began, from_cache, notes)


def _notes(state: methods.State) -> dict[str, float]:
    """Return what the training loop wrote into a state; empty where nothing was trained."""
    if "trained.steps" not in state:
        return {}
    return {"steps": int(state["trained.steps"]), "validation_ndcg_10": float(state["trained.ndcg_10"])}


def _play_all(
    world: World, enrolled: list[Enrolled], carrier: Carrier, text: str, store: RunDirectory, summary: Tally, progress: Progress,
    done: int, errors: list[str], threads: Executor,
) -> None:  # fmt: skip
    """Play the rounds after ``done``; add the errors of lost cells to ``errors``."""
    rounds, plans = world.scenario.rounds.count, PlanSample(world.shapes)
    progress.start("rounds", (rounds - done) * len(enrolled))
    for round in range(done + 1, rounds + 1):
        scene = scene_of(world, round)
        lines, aside = [], {}
        for method in enrolled:
            began = time.monotonic()
            played = play(method, world, scene, carrier, text, threads)
            check(played.rows, played.moved)
            store.write_rows(played.rows)
            summary.add(played.rows)
            errors += played.errors
            aside |= {method.spec.name: dict(played.quarantined)} if played.quarantined else {}
            if round == rounds and played.prescriptions is not None:
                plans.add(method.spec, method.half, round, scene.ids[: scene.count], played.prescriptions.slice(0, scene.count))
            lines.append(round_line(played.rows, played.round_s))
            rate = scene.count / max(time.monotonic() - began, 1e-9)
            ndcg = lines[-1]["ndcg_10"]
            progress.advance(1, f"round {round} {method.spec.name}: NDCG@10 {_short(ndcg)}, {rate:,.0f} devices/s")
        store.append_rounds(lines)
        store.note_quarantine(round, aside)
        checkpoint.save(store.path, round, enrolled, errors)
    progress.done()
    plans.write(store)
    store.write_devices(devices.columns(world, world.population.select(rounds)))


def _summary(world: World, summary: Summary, trained: Trained, wall_s: float, rounds_s: float, carrier: Carrier) -> dict[str, Any]:
    per_method = summary.methods()
    device_rounds = sum(int(m["device_rounds"]) for m in per_method.values())
    return {
        "methods": per_method,
        "engine": {
            "device_rounds_per_s": device_rounds / max(rounds_s, 1e-9),
            "wall_s": wall_s,
            "peak_rss_bytes": peak_rss_bytes(),
            "train_s": trained.train_s,
            **carrier.report(),
        },
        "protocol": protocol(world.scenario),
        "users": world.split.log.n_users,
        "devices": world.population.size,
    }


def _short(value: Any) -> str:
    return "-" if value is None else f"{value:.4f}"
