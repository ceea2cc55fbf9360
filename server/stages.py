"""Where a run's rounds are played: live, with phones that rank, or in sizes, for fleets of any size in the memory of a block."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from chordsim.arrays import Ints
from chordsim.engine.cell import Carrier
from chordsim.errors import RunError
from chordsim.forecast.predict import Forecast, forecast
from chordsim.ledger.invariants import check
from chordsim.ledger.summary import PER, Summary
from chordsim.memory import keep_freed_pages, release_freed_pages
from chordsim.methods.blame import blamed
from chordsim.metrics.measure import as_json, measure
from chordsim.metrics.spec import asked_for
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from chordsim.round import buffered, live, sizes
from chordsim.round.bindings import Tally
from chordsim.round.scene import Scene, scene_of
from chordsim.round.script import Played
from chordsim.scenario.text import dump
from chordsim.sized import SizedWorld, sized_world_of
from chordsim.store import checkpoint, devices, importance, training
from chordsim.store.directory import RunDirectory
from chordsim.store.plans import KEPT, PlanSample
from chordsim.store.resume import pick_up
from chordsim.threads import one_thread_per_product
from chordsim.world import World
from server.hosting import Trained, train

#: Rounds of more phones leave no rows behind, only their sums: a row of the ledger takes 350 bytes.
MOST_ROWS = 200_000


class Stage(Protocol):
    """What the run loop asks of where rounds are played."""

    @property
    def world(self) -> World | SizedWorld:
        """The scenario."""
        ...

    @property
    def methods(self) -> list[str]:
        """Names of the methods, in the order of play."""
        ...

    @property
    def keeps_rows(self) -> bool:
        """Whether rounds leave their rows behind, or only sums."""
        ...

    @property
    def train_s(self) -> float:
        """Seconds that training took."""
        ...

    @property
    def listing_s(self) -> float:
        """Seconds that the cloud took to list candidates."""
        ...

    def about(self) -> dict[str, Any]:
        """Return what the manifest says of the scenario's data and methods before anything is played."""
        ...

    def forecast(self) -> Forecast | None:
        """Return the forecast of the run, or None where a method's sizes are not known before training."""
        ...

    def begin(self, store: RunDirectory, resuming: bool) -> tuple[Tally, int, list[str]]:
        """Make the methods ready; return the summary to fill, the rounds that are done already, and the errors so far."""
        ...

    def play(self, round: int, method: str, threads: Executor) -> Iterator[Played]:
        """Play one round of one method, part by part."""
        ...

    def close_round(self, round: int, store: RunDirectory, errors: list[str], threads: Executor) -> None:
        """Keep what a resume needs."""
        ...

    def end(self, store: RunDirectory) -> None:
        """Write what the last round leaves behind."""
        ...


class LiveStage:
    """Rounds with a recommender: the cloud hosts trained halves, a carrier moves messages to the phones."""

    keeps_rows = True

    def __init__(self, world: World, carrier: Carrier, progress: Progress) -> None:
        """Set the stage; `begin` trains.

        Args:
            world: The scenario with its data.
            carrier: What moves messages to the phones.
            progress: Where long work reports to.
        """
        self.world, self._carrier, self._progress, self._text = world, carrier, progress, dump(world.scenario)
        self.methods: list[str] = list(world.specs)
        self.train_s = 0.0
        self._plans, self._aside = PlanSample(world.shapes), dict[str, dict[str, int]]()
        self._saved: list[Path] = []
        self._writing: Future[list[Path]] | None = None
        self._scenes: dict[bool, Scene] = {}
        self._trained: Trained | None = None

    @property
    def listing_s(self) -> float:
        """Seconds that the cloud took to list candidates."""
        return self.world.listing.seconds

    def about(self) -> dict[str, Any]:
        """Return where the data came from, and what readers must know about settings."""
        world = self.world
        return {
            "data": world.source(),
            "remarks": [
                *world.population.notes,
                *(line for name in world.specs for line in _remarks(world, name)),
            ],
        }

    def forecast(self) -> Forecast | None:
        """Return the forecast of the run, or None where it cannot be told before training, or who comes first decides it."""
        if self.world.scenario.rounds.mode == "buffered":
            return None
        try:
            return forecast(sized_world_of(self.world))
        except RunError:
            return None

    def begin(self, store: RunDirectory, resuming: bool) -> tuple[Tally, int, list[str]]:
        """Train, or find in the cache; pick up where a cut run stopped."""
        world = self.world
        self._trained = trained = train(world, self._progress)
        self.train_s = trained.train_s
        listed = {"retriever": trained.retriever} if trained.retriever else {}
        store.write_manifest("running", cloud_models=trained.from_cache, trained=trained.notes, **listed)
        training.write(store.path, trained.curves)
        summary = Tally(world.split.log.n_users, world.population, world.scenario, world.split.cloud_users)
        done, errors = pick_up(store, trained.methods, summary, world.scenario.rounds.count) if resuming else (0, [])
        one_thread_per_product()
        release_freed_pages()
        keep_freed_pages()
        return summary, done, errors

    def play(self, round: int, method: str, threads: Executor) -> Iterator[Played]:
        """Play one round of one method, check its books, and yield it whole."""
        assert self._trained is not None
        spec = self.world.specs[method]
        by_user = self.world.scenario.engine.share_equal and not (spec.learns or spec.by_others)
        hosted = self._trained.methods[self.methods.index(method)]
        if self.world.scenario.rounds.mode == "buffered":
            played = buffered.play(hosted, self.world, round, self._carrier, self._text, threads)
        else:
            played = live.play(hosted, self.world, self._scene_of(round, by_user), self._carrier, self._text, threads)
        assert played.moved is not None
        check(played.rows, played.moved)
        if played.quarantined:
            self._aside[method] = dict(played.quarantined)
        if round == self.world.scenario.rounds.count and played.prescriptions is not None:
            scene = self._scene_of(round, by_user)
            first = scene.by_id[:KEPT]
            crossed = Ragged.of_rows(played.prescriptions[row] for row in first)
            self._plans.add(hosted.spec, self.world.context(method), round, scene.ids[first], crossed)
        yield played

    def close_round(self, round: int, store: RunDirectory, errors: list[str], threads: Executor) -> None:
        """Note what was set aside, and save a checkpoint, which is written while the next round is played."""
        assert self._trained is not None
        store.note_quarantine(round, self._aside)
        self._aside = {}
        self._await_writing()
        self._writing = threads.submit(checkpoint.write, store.path, checkpoint.taken(round, self._trained.methods, errors))
        # The disk is waited for once in a while, ledger first; until then older checkpoints stay.
        if store.due or round == self.world.scenario.rounds.count:
            self._await_writing()
            store.settle(self._saved)
            checkpoint.prune(store.path, errors)
            self._saved = []

    def _await_writing(self) -> None:
        """Wait for the checkpoint that is being written.

        Raises:
            UserError, RunError: The disk refused it.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            self._saved += writing.result()

    def end(self, store: RunDirectory) -> None:
        """Write a sample of plans, what they follow from, and the phones of the last round."""
        assert self._trained is not None
        self._plans.write(store)
        importance.write(store, self._trained.levels, self._plans)
        devices.write(store, self.world, self.world.population.select(self.world.scenario.rounds.count))

    def _scene_of(self, round: int, by_user: bool) -> Scene:
        """Return the round's scene; where phones matter to one another, they stand in order of id."""
        self._scenes = {key: scene for key, scene in self._scenes.items() if scene.round == round}
        if by_user not in self._scenes:
            self._scenes[by_user] = scene_of(self.world, round, by_user=by_user)
        return self._scenes[by_user]


class SizesStage:
    """Rounds of `protocol.metrics = "none"`: everything but the recommender."""

    train_s = listing_s = 0.0

    def __init__(self, world: SizedWorld) -> None:
        """Set the stage.

        Args:
            world: The scenario without its people.
        """
        self.world = world
        self._players = {method.spec.name: (method, teller) for method, teller in sizes.players(world, sizes.bootstraps(world))}
        self.methods = list(self._players)
        self.keeps_rows = world.population.selected <= MOST_ROWS
        self._ids: tuple[int, Ints] = (0, np.zeros(0, np.int64))

    def about(self) -> dict[str, Any]:
        """Return which data were read, if any, and of which methods operations are not known."""
        some = self.world.population.profiles(np.arange(1))
        unknown = [name for name, (_, teller) in self._players.items() if teller.needs_of(0, some) is None]
        return {"data": self.world.source, "operations_not_known": unknown, "remarks": list(self.world.population.notes)}

    def forecast(self) -> Forecast | None:
        """Return the forecast of the run."""
        return forecast(self.world)

    def begin(self, store: RunDirectory, resuming: bool) -> tuple[Tally, int, list[str]]:
        """Return an empty summary; nothing is estimated per user without a recommender, so a large fleet's are not told apart."""
        return Tally(self.world.n_users if self.keeps_rows else 1, self.world.population, self.world.scenario), 0, []

    def play(self, round: int, method: str, threads: Executor) -> Iterator[Played]:
        """Play one round of one method, block by block."""
        if self._ids[0] != round:
            self._ids = (round, self.world.population.select(round))
        yield from sizes.play(self._players[method], self.world, round, self._ids[1])

    def close_round(self, round: int, store: RunDirectory, errors: list[str], threads: Executor) -> None:
        """Keep nothing: such a run takes seconds and is started anew."""

    def end(self, store: RunDirectory) -> None:
        """Write the phones of the last round, or the first of them."""
        devices.write(store, self.world, self._ids[1], MOST_ROWS)


def _remarks(world: World | SizedWorld, name: str) -> tuple[str, ...]:
    with blamed(name, "remarks"):
        lines = world.specs[name].remarks(world.context(name))
    return (lines,) if isinstance(lines, str) else tuple(lines)


def summed(stage: Stage, summary: Summary) -> dict[str, Any]:
    """Return the part of summary.json that tells whom it is about."""
    world = stage.world
    users = world.split.log.n_users if isinstance(world, World) else world.n_users
    return {"methods": summary.methods(), "per": PER, "users": users, "devices": world.population.size}


def with_metrics(whole: dict[str, Any], stage: Stage, run: Path) -> tuple[dict[str, Any], list[str]]:
    """Return a summary with the metrics that the scenario asks for, taken from its ledger, and what must be said of them.

    A metric that fails takes nothing from the run: the summary stays without, and the manifest says why.
    """
    world = stage.world
    specs = asked_for(world.scenario.protocol)
    if not specs or not isinstance(world, World):
        return whole, []
    cuts = world.scenario.protocol.cuts
    try:
        found = measure(run, specs, cuts, world.popularity, world.split.log.n_users, world.scenario.seed)
    except RunError as error:
        return whole, [f"no metrics of protocol.metrics_of: {error}"]
    return {**whole, "methods": {name: {**m, "metrics": as_json(specs, cuts, found[name])} for name, m in whole["methods"].items()}}, []
