"""Plays what is not complete yet, piece by piece, and goes on with what was cut off."""

from __future__ import annotations

import sys
import threading
from collections.abc import Container, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from benchmarks.suites.agenda import Cell, Group, Piece
from benchmarks.suites.runs import complete_runs, filled
from chordsim import api
from chordsim.errors import ChordsimError, UserError
from chordsim.ledger.names import LOCK, MANIFEST, SCENARIO
from chordsim.scenario.load import digest
from chordsim.terminal import Terminal

At = tuple[str, int]


@dataclass(frozen=True)
class Play:
    """One piece at one seed."""

    group: Group
    piece: Piece
    seed: int

    @property
    def name(self) -> str:
        """Group and piece, as `--only` names it."""
        return f"{self.group.name}/{self.piece.name}"

    @property
    def folder(self) -> str:
        """The name of its run directory."""
        return f"{self.group.name}_{self.piece.name}_seed-{self.seed}"

    @property
    def cells(self) -> list[Cell]:
        """The cells that it fills."""
        return [Cell(self.group, self.piece, method, self.seed) for method in self.piece.methods]


class Told:
    """Progress in the terminal and in a log beside the run, which `tables` reads times of training from."""

    def __init__(self, *streams: IO[str]) -> None:
        self._terminals = [Terminal(stream) for stream in streams]
        self._titles = threading.local()
        self._log = streams[-1]
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for terminal in self._terminals:
            self._open.enter_context(terminal)
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def start(self, title: str, total: int | None) -> None:
        self._titles.last = title
        for terminal in self._terminals:
            terminal.start(title, total)

    def advance(self, steps: int = 1, note: str = "") -> None:
        if note.startswith("going on after step"):
            self._log.write(f"{self._titles.last}: {note}\n")
        for terminal in self._terminals:
            terminal.advance(steps, note)

    def done(self, note: str = "") -> None:
        for terminal in self._terminals:
            terminal.done(note)


def plays(suite: tuple[Group, ...], only: str | None, seed: int | None = None) -> Iterator[Play]:
    """Yield what the suite plays, group by group, the first seed of all of its pieces first.

    Args:
        suite: All groups.
        only: A group, or a piece as ``group/piece``; None takes all.
        seed: One seed; None takes all.

    Raises:
        UserError: No such piece.
    """
    made = [Play(group, piece, seed) for group in suite for piece in group.pieces for seed in group.seeds_of(piece)]
    # Stable: pieces keep their order.
    made.sort(key=lambda one: (suite.index(one.group), one.seed))
    wanted = [one for one in made if only in (None, one.name, one.group.name) and seed in (None, one.seed)]
    if not wanted and seed is not None:
        raise UserError(f"--seed {seed}: no such seed of {only or 'any piece'}")
    if not wanted:
        raise UserError(f"--only {only}: no such piece; there are {', '.join(sorted({one.name for one in made}))}")
    yield from wanted


def play_all(
    suite: tuple[Group, ...], only: str | None, folder: Path, seed: int | None = None, measured: Container[At] = ()
) -> tuple[int, list[str]]:
    """Play every piece that is not complete.

    Args:
        suite: All groups.
        only: A group, or a piece as ``group/piece``; None takes all.
        folder: Where run directories are.
        seed: One seed; None takes all.
        measured: Keys and seeds of cells that need no run here.

    Returns:
        How many were played, and what failed, a line each.
    """
    played, failed = 0, []
    folder.mkdir(parents=True, exist_ok=True)
    there = filled(complete_runs(folder), suite)
    for one in plays(suite, only, seed):
        if all((cell.key, cell.seed) in there or (cell.key, cell.seed) in measured for cell in one.cells):
            print(f"{one.name}, seed {one.seed}: complete", flush=True)
            continue
        print(f"{one.name}, seed {one.seed}", flush=True)
        try:
            _play(one, folder / one.folder)
        except ChordsimError as error:
            failed.append(f"{one.name}, seed {one.seed}: {error}")
        except KeyboardInterrupt as cut:
            stays = f"what is in {folder} stays: give the same command again to go on with it"
            raise KeyboardInterrupt(f"in {one.name}, seed {one.seed}; {stays}") from cut
        played += 1
    return played, failed


def _play(one: Play, path: Path) -> None:
    with open(f"{path}.log", "a", buffering=1) as log, Told(sys.stderr, log) as progress:
        if (path / MANIFEST).is_file():
            _check(one, path)
            api.run(resume=path, report=False, progress=progress)
        else:
            _clear(path)
            overrides = one.group.set_over(one.piece)
            api.run(one.group.scenario, overrides=overrides, seed=one.seed, out=path, report=False, progress=progress)
        log.write(f"run directory: {path}\n")


def _check(one: Play, path: Path) -> None:
    """Refuse to go on with another scenario.

    Raises:
        UserError: With what to do.
    """
    from chordsim.kernels.choose import as_played
    from chordsim.scenario.load import parse

    if digest(parse((path / SCENARIO).read_text())) != digest(as_played(one.group.resolved(one.piece, one.seed))):
        raise UserError(f"{path}: holds a run of an earlier form of {one.name}: move it away, or give another --runs")


def _clear(path: Path) -> None:
    """Remove what a start that was killed at once left: a lock and an empty ledger.

    Raises:
        UserError: Something else stands there.
    """
    if not path.exists():
        return
    try:
        (path / LOCK).unlink(missing_ok=True)
        if (path / "ledger").exists():
            (path / "ledger").rmdir()
        path.rmdir()
    except OSError as error:
        raise UserError(f"{path}: stands where a run belongs and is no run: move it away") from error
