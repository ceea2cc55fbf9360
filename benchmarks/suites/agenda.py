"""What a suite plays: groups of cells that may be compared, cut into pieces that one process plays in one go."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from chordsim import methods
from chordsim.config.model import Scenario
from chordsim.scenario.load import load


@dataclass(frozen=True)
class Piece:
    """Methods that are played together.

    Attributes:
        name: Within its group.
        methods: Methods.
        overrides: What is set over the group's scenario, as ``key=value``.
        suffix: What its methods' names get in tables, where their settings are not the scenario's.
        seeds: Seeds; empty takes the group's.
    """

    name: str
    methods: tuple[str, ...]
    overrides: tuple[str, ...] = ()
    suffix: str = ""
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Group:
    """A scenario whose methods share users, items, rounds and protocol.

    Attributes:
        name: In tables.
        scenario: A shipped name or a path.
        seeds: Seeds of its pieces.
        pieces: What is played.
        overrides: What is set over the scenario in every piece.
        strangers: Whether only users that the cloud never trained on (`data.cloud_share`) count in tables.
        program: The package whose `run` plays it.
    """

    name: str
    scenario: str
    seeds: tuple[int, ...]
    pieces: tuple[Piece, ...]
    overrides: tuple[str, ...] = ()
    strangers: bool = False
    program: str = "benchmarks.reproduction"

    def resolved(self, piece: Piece, seed: int) -> Scenario:
        """Return the checked scenario of a piece."""
        return _resolved(self.scenario, self.set_over(piece), seed)[0]

    def set_over(self, piece: Piece) -> tuple[str, ...]:
        """Return all overrides of a piece."""
        return (f"methods={json.dumps(piece.methods)}", *self.overrides, *piece.overrides)

    def seeds_of(self, piece: Piece) -> tuple[int, ...]:
        """Return the seeds that a piece is played at."""
        return piece.seeds or self.seeds


@dataclass(frozen=True)
class Cell:
    """One method of one piece at one seed: a line of the accuracy table."""

    group: Group
    piece: Piece
    method: str
    seed: int

    @property
    def label(self) -> str:
        """The method's name in tables."""
        return f"{self.method}{self.piece.suffix}"

    @property
    def key(self) -> str:
        """Group and label, as comparisons name it."""
        return f"{self.group.name}/{self.label}"

    @property
    def command(self) -> str:
        """What fills this cell."""
        return f"python -m {self.group.program} run --only {self.group.name}/{self.piece.name}"

    @property
    def scenario_digest(self) -> str:
        """A digest of all that this cell's figures depend on and that is not at its default, so that a new key changes none."""
        made, defaults = self.group.resolved(self.piece, self.seed), methods.find(self.method).defaults
        # The page says which cells predate float32; they stay until they are played again.
        made = made.model_copy(update={"training": made.training.model_copy(update={"softmax": "auto"})})
        settings = {key: value for key, value in made.settings.get(self.method, {}).items() if value != defaults.get(key)}
        whole = json.dumps([world(made, exclude_defaults=True), self.method, settings], sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()[:16]

    def is_of(self, scenario: Scenario, its_world: str) -> bool:
        """Return whether a run of this scenario (and its `world`) holds this cell, whatever other methods it played."""
        if self.seed != scenario.seed or self.method not in scenario.methods:
            return False
        mine, my_world = _resolved(self.group.scenario, self.group.set_over(self.piece), self.seed)
        return my_world == its_world and mine.settings.get(self.method) == scenario.settings.get(self.method)


def cells(suite: tuple[Group, ...]) -> Iterator[Cell]:
    """Yield every cell of the suite, group by group."""
    for group in suite:
        for piece in group.pieces:
            for seed in group.seeds_of(piece):
                yield from (Cell(group, piece, method, seed) for method in piece.methods)


def world(scenario: Scenario, *, exclude_defaults: bool = False) -> str:
    """Return all that must be the same for cells to be of one group and seed; methods, carriers and kernels are not part of it."""
    left_out: dict[str, Any] = {**dict.fromkeys(("question", "name", "methods", "settings"), True), "training": {"kernel"}}
    whole = scenario.model_dump(mode="json", exclude=left_out, exclude_defaults=exclude_defaults)
    return json.dumps({**whole, "engine": scenario.engine.chunk_size}, sort_keys=True)


@cache
def _resolved(scenario: str, overrides: tuple[str, ...], seed: int) -> tuple[Scenario, str]:
    made = load(scenario, overrides, seed)
    return made, world(made)
