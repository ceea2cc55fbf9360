"""What is measured: the pieces of the suite, each a set of cases that take turns in one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.throughput.contest import ROOT, Case
from benchmarks.throughput.neighbours import pfl_python

SGEMM, SEVERAL = "sgemm", 5


@dataclass(frozen=True)
class Size:
    """How much work there is: the full suite, or the same in seconds for a test.

    Attributes:
        cohort: Phones of one round through cells, whole chunks.
        alone: Phones of one round where each is a client.
        rounds: Device-rounds that a point of a series aims at.
        steps: Training steps.
        selection: Phones of a round, by point.
        population: Phones there are, by point.
        items: Catalogues.
        widths: Widths of the backbone.
        chunks: Chunk sizes.
        overrides: Over every scenario.
    """

    cohort: int = 20_480
    alone: int = 1000
    rounds: int = 20_480
    steps: int = 60
    selection: tuple[int, ...] = (100, 1000, 10_000, 100_000, 1_000_000)
    population: tuple[int, ...] = (10_000, 100_000, 1_000_000, 10_000_000)
    items: tuple[int, ...] = (1000, 3416, 10_000, 30_000, 100_000)
    widths: tuple[int, ...] = (64, 128, 256)
    chunks: tuple[int, ...] = (32, 64, 128, 256, 512, 1024)
    overrides: tuple[str, ...] = ()

    @property
    def without_settings(self) -> list[str]:
        """The overrides for scenarios of another method."""
        return [text for text in self.overrides if not text.startswith("settings.")]


QUICK = Size(
    512,
    20,
    512,
    2,
    (100, 300),
    (1000, 10_000),
    (100, 200),
    (16, 32),
    (128, 256),
    (
        "data.synthetic.users=60",
        "data.synthetic.items=80",
        "data.synthetic.mean_length=20.0",
        "backbone.dim=16",
        "backbone.ffn_dim=16",
        "backbone.max_len=12",
        "settings.chord-plus.profile_dim=8",
        "training.batch=8",
    ),
)


@dataclass(frozen=True)
class Piece:
    """A question, and the cases that answer it.

    Attributes:
        title: What it asks.
        cases: Maker of its cases.
        repetitions: How often each case has a turn, unless told otherwise.
        default: Whether it is part of the suite when no piece is named.
    """

    title: str
    cases: Callable[[Size, Path], list[Case]]
    repetitions: int = 3
    default: bool = True


def _sgemm(size: Size) -> Case:
    return Case(SGEMM, "sgemm:run", {} if not size.overrides else {"size": 256})


def _engines(size: Size, cache: Path) -> list[Case]:
    few = -(-size.alone // 256) * 256
    more = {"overrides": size.overrides}
    python, why = pfl_python(cache)
    pfl = (
        Case("pfl", "skip:run", {"reason": why}) if why else Case("pfl", "pfl:run", {"phones": size.alone + size.alone % 2, **more}, python)
    )
    return [
        _sgemm(size),
        Case("in-process", "cells:inprocess", {"phones": size.cohort, **more}),
        Case("ray", "cells:ray", {"phones": size.cohort, **more}),
        Case("flower-cells", "flower:cells", {"phones": size.cohort, **more}),
        Case("in-process-few", "cells:inprocess", {"phones": few, **more}),
        Case("flower-cells-few", "flower:cells", {"phones": few, **more}),
        Case("flower-phones", "flower:phones", {"phones": size.alone, **more}),
        pfl,
    ]


def _parts(size: Size, cache: Path) -> list[Case]:
    work = {"phones": size.cohort // 2, "overrides": size.overrides}
    return [_sgemm(size), Case("forward", "forward_pass:forward", work), Case("plans", "forward_pass:plans", work)]


def _whole(size: Size, cache: Path) -> list[Case]:
    chosen = _of(size, devices=size.cohort, rounds=3)
    return [
        _sgemm(size),
        Case("in-process", "rounds:run", {"overrides": chosen}),
        Case("in-process-1", "rounds:run", {"overrides": chosen, "workers": 1}, most=3),
    ]


def _of(size: Size, *more: str, devices: int, rounds: int, selected: int = 0) -> list[str]:
    """Return the overrides of one point of a series."""
    phones = (f"population.devices={devices}", f"population.selected={selected}", f"rounds.count={rounds}")
    return [*size.overrides, *phones, *more]


def _selection(size: Size, cache: Path) -> list[Case]:
    out = []
    for count in size.selection:
        rounds = min(max(size.rounds // count, 1), 20)
        chosen = _of(size, devices=max(size.selection), selected=count, rounds=rounds + 1)
        settings = {"overrides": chosen} if count < 1_000_000 else {"overrides": _of(size, devices=count, rounds=1), "warm": 0}
        out.append(Case(f"{count}", "rounds:run", settings, most=1 if count >= 100_000 else 0))
    return out


def _population(size: Size, cache: Path) -> list[Case]:
    count = min(size.population[0], 10_000)
    return [Case(f"{n}", "rounds:run", {"overrides": _of(size, devices=n, selected=count, rounds=3)}) for n in size.population]


def _workers(size: Size, cache: Path) -> list[Case]:
    chosen = _of(size, devices=size.cohort // 2, rounds=3)
    return [Case(f"{n}", "rounds:run", {"overrides": chosen, "engine": "ray", "workers": n}) for n in (1, 2, 3)]


def _nodes(size: Size, cache: Path) -> list[Case]:
    chosen = _of(size, devices=size.cohort, rounds=3)
    both = {"overrides": chosen, "engine": "ray"}
    return [Case("one-of-2", "rounds:run", {**both, "ray_nodes": [2]}), Case("two-of-1", "rounds:run", {**both, "ray_nodes": [1, 1]})]


def _series(
    key: str, points: Callable[[Size], tuple[int, ...]], *, devices: Callable[[Size, int], int] | None = None
) -> Callable[..., list[Case]]:
    def cases(size: Size, cache: Path) -> list[Case]:
        out = []
        for value in points(size):
            count = devices(size, value) if devices else size.cohort // 2
            out.append(Case(f"{value}", "rounds:run", {"overrides": _of(size, *_pairs(key, value), devices=count, rounds=2)}))
        return out

    return cases


def _pairs(key: str, value: int) -> list[str]:
    return [f"{name}={value}" for name in key.split()]


def _items(size: Size, value: int) -> int:
    """Return fewer phones where there are more items to rank."""
    return max(min(size.cohort // 2, 40_000_000 // value // 256 * 256), 256)


def _training(size: Size, cache: Path) -> list[Case]:
    chosen = ["training.eval_every=100000", *size.without_settings]
    return [Case(m, "training:run", {"method": m, "steps": size.steps, "overrides": chosen}) for m in ("fp32", "chord-plus")]


def _best(size: Size, cache: Path) -> list[Case]:
    if size.overrides:
        return _training(size, cache)
    return [Case(method, "training:to_best", {"method": method, "scenario": "repro-ml-1m"}, most=1) for method in ("fp32", "chord-plus")]


def _million(size: Size, cache: Path) -> list[Case]:
    if size.overrides:
        settings = {"overrides": _of(size, devices=600, selected=300, rounds=2), "warm": 0, "report": True}
    else:
        settings = {"scenario": str(ROOT / "scenarios" / "million.toml"), "untrained": False, "warm": 0, "report": True}
    return [Case("million", "rounds:run", settings, most=1)]


PIECES = {
    "engines": Piece("The same phones on every engine", _engines, SEVERAL),
    "parts": Piece("The forward pass and the cloud's plans alone", _parts, SEVERAL),
    "whole": Piece("Whole rounds: plans, ranks, metrics and ledger", _whole, SEVERAL),
    "nodes": Piece("Two Ray nodes of one processor against one node of two", _nodes, SEVERAL),
    "selection": Piece("Phones of a round", _selection),
    "population": Piece("Phones there are, of which 10,000 play a round", _population),
    "workers": Piece("Ray workers", _workers),
    "catalogue": Piece("Items to rank", _series("data.synthetic.items", lambda size: size.items, devices=_items)),
    "width": Piece("Width of the backbone", _series("backbone.dim backbone.ffn_dim", lambda size: size.widths)),
    "chunk": Piece("Phones of a chunk", _series("engine.chunk_size", lambda size: size.chunks)),
    "training": Piece("Cloud training, per step", _training),
    "best": Piece("Cloud training on ml-1m, to the best validation", _best, 1, default=False),
    "million": Piece("A million device-rounds with real ranks", _million, 1, default=False),
}
