"""The world without its people: phones, methods and the size of the catalogue, for runs that compute no recommendation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chordsim import methods
from chordsim.config.model import Scenario
from chordsim.data.split import TrainLogs
from chordsim.nets import footprint
from chordsim.nets.shapes import Shapes, shapes_of
from chordsim.population.generate import Population
from chordsim.progress import Progress, Silent
from chordsim.world import World, build, lists_of, pace_of, ranked_of, size_of, specs_of


@dataclass(frozen=True)
class SizedWorld:
    """A scenario without interactions.

    Attributes:
        scenario: The resolved scenario.
        population: Phones; their users are numbers.
        specs: Methods by name, in the scenario's order.
        n_items: Size of the catalogue.
        n_users: Number of users.
        train_logs: What the cloud may see, where the data are loaded: some bootstraps hold what was counted there.
        source: Where the interactions came from, for the manifest; where they are not even generated, that, and a digest of
            what they would be generated from.
    """

    scenario: Scenario
    population: Population
    specs: Mapping[str, methods.MethodSpec]
    n_items: int
    n_users: int
    train_logs: TrainLogs | None = None
    source: Mapping[str, object] | None = None

    @cached_property
    def shapes(self) -> Shapes:
        """Shapes of the backbone over this catalogue."""
        return shapes_of(self.scenario.backbone, self.n_items, ranked_of(self.scenario))

    def context(self, method: str) -> methods.MethodContext:
        """Return what the halves of a method may know; training takes no step."""
        s = self.scenario
        settings = {**self.specs[method].defaults, **s.settings.get(method, {})}
        untrained = s.training.model_copy(update={"max_steps": 0, "threads": 1, "eval_users": 1})
        ranked, lists = ranked_of(s), lists_of(s)
        return methods.MethodContext(method, settings, s.backbone, untrained, self.n_items, s.seed, ranked, lists=lists)

    def logs(self) -> TrainLogs:
        """Return the cloud's logs, or without data the shortest that a training of no steps can start from."""
        if self.train_logs is not None:
            return self.train_logs
        items = np.tile(np.arange(1, 5, dtype=np.int64) % self.n_items + 1, 2)
        return TrainLogs(items, np.array([0, 4, 8]), self.n_items, np.arange(2), np.ones(2, np.int64))


def sized_world_of(world: World) -> SizedWorld:
    """Return a world whose data are loaded as it is in sizes."""
    users = world.split.log.n_users
    return SizedWorld(world.scenario, world.population, world.specs, world.n_items, users, world.logs, world.source())


def sized_world(scenario: Scenario, progress: Progress | None = None) -> SizedWorld:
    """Return the world of a scenario as it is in sizes. Synthetic data are then not even generated; other data are read.

    Raises:
        DataError: The data cannot be had or read.
        ScenarioError: An unknown method, or a population that cannot be.
    """
    without_people = scenario.protocol.metrics == "none" and not scenario.population.activity_tier
    if scenario.data.source == "synthetic" and without_people:
        n_items, n_users = scenario.data.synthetic.items, scenario.data.synthetic.users
    else:
        return sized_world_of(build(scenario, progress or Silent()))
    specs = specs_of(scenario)
    shapes = shapes_of(scenario.backbone, n_items, ranked_of(scenario))
    peak, pace = footprint.dense_peak_bytes(shapes), pace_of(scenario)
    population = Population(scenario.population, scenario.seed, n_users, peak, pace=pace, model=size_of(shapes))
    made_of = f"{scenario.data.synthetic.model_dump_json()} {scenario.seed}"
    nothing = {"path": "", "how": "sizes only", "sha256": "", "rows_read": 0, "rows_kept": 0, "notes": []}
    source = {"name": "synthetic", **nothing, "digest": hashlib.sha256(made_of.encode()).hexdigest()}
    return SizedWorld(scenario, population, specs, n_items, n_users, source=source)
