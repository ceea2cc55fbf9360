"""This build and another checkout side by side: the same cases on both, in turns, and the ratios of each repetition.

    python -m benchmarks.throughput --out FOLDER --against CHECKOUT [--only PIECE ...]

The other side is measured by its own copy of the suite, on the interpreter of its own ``.venv`` where it has one. Both are given the
same scenario; this side also gets `SAME_RULES`, since columns and defaults have changed, and `python -m benchmarks.throughput.agreement
CHECKOUT` says how far the two then give the same phones, ranks, bits and bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.throughput.contest import Case
from benchmarks.throughput.pieces import QUICK, Piece, Size
from benchmarks.throughput.results import Figure, Results

BEFORE, COMMAND = "@before", "commands:run"
#: Ends the names of cases that the other side has no setting for; they are held against their neighbour's partner.
ALONE = "-unshared"
#: What the rules of the build before this wave are called since.
SAME_RULES = ('protocol.admission="after"', "clock.count_report=true", "backbone.items=owned", "protocol.ranking=all")
#: Metrics of which less is better.
LESS = ("ms_per_step", "after_training_s", "wall_s", "processor_us_per_device_round", "processor_s", "train_s")
SHORT = "training.max_steps=200"
_PHONES = "population.devices={} population.selected={} rounds.count={}"
#: Users, items, lengths and histories of Yelp (README of the data, scenario `yelp`): half of them had 7 items or fewer.
_YELP = ("data.synthetic.users=30431", "data.synthetic.items=20033", "data.synthetic.mean_length=10.4", "backbone.max_len=20")


def pieces(checkout: Path) -> dict[str, Piece]:
    """Return what is measured on both sides, by name; each case has a partner on the other side."""
    made = {
        "against-whole": Piece("whole rounds, 20,480 distinct phones each", _rounds(20_480, 20_480, 4), 5),
        "against-short": Piece("rounds of 100 phones", _rounds(100_000, 100, 41), 5),
        "against-items": Piece("rounds with 100,000 items", _rounds(2048, 2048, 3, "data.synthetic.items=100000"), 5),
        "against-yelp": Piece("rounds with Yelp's shapes", _rounds(20_480, 20_480, 3, *_YELP), 5),
        "against-step": Piece("training: one step", _steps, 5),
        "against-quickstart": Piece("`quickstart`, training included", _quickstart, 5, default=False),
        "against-million": Piece("a million device-rounds, training apart", _million, 1, default=False),
        "against-quickstart-short": Piece("`quickstart` with trainings of at most 200 steps", _quickstart_short, 3, default=False),
        "against-million-short": Piece("200,000 device-rounds of `million`, training apart", _million_short, 3, default=False),
        "against-sizes": Piece("ten million phones in sizes", _sizes, 3, default=False),
    }
    return {name: replace(piece, cases=partial(_both, piece.cases, checkout)) for name, piece in made.items()}


def python_of(checkout: Path) -> str:
    """Return the interpreter of a checkout's own environment, or this one where it has none."""
    own = checkout.absolute() / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def ratio(results: Results, piece: str, case: str, metric: str) -> Figure | None:
    """Return how many times as fast as its partner a case is, repetition by repetition, or, of memory, how many times as large."""
    mine, other = (case, metric), (case.removesuffix(ALONE) + BEFORE, metric)
    return results.ratio(piece, other, mine) if metric in LESS else results.ratio(piece, mine, other)


def table(results: Results) -> list[tuple[str, str, str, str, str]]:
    """Return (piece, case and metric, before, now, times) of all that was measured on both sides."""
    from benchmarks.throughput import markdown as md

    rows = []
    for name, piece in pieces(Path()).items():
        for case in results.cases(name):
            for metric in METRICS.get(name, _OF_ROUNDS):
                now, before = results.figure(name, case, metric), results.figure(name, case.removesuffix(ALONE) + BEFORE, metric)
                if now is None or before is None:
                    continue
                show: Callable[[Figure | None], str] = md.mebibytes if metric.endswith("bytes") else md.figure
                what = f"{case}, {metric.replace('_', ' ')}".replace("peak rss bytes", "peak MiB").replace("command peak bytes", "peak MiB")
                rows.append((piece.title, what, show(before), show(now), md.times(ratio(results, name, case, metric))))
    return rows


#: What is told of rounds, and of a piece that is something else.
_OF_ROUNDS = ("device_rounds_per_s", "processor_us_per_device_round", "peak_rss_bytes")
METRICS: dict[str, Sequence[str]] = {
    "against-step": ("ms_per_step", "peak_rss_bytes"),
    "against-quickstart": ("wall_s", "processor_s", "train_s", "command_peak_bytes"),
    "against-million": ("after_training_s", "processor_s", "device_rounds_per_s", "command_peak_bytes"),
    "against-quickstart-short": ("wall_s", "processor_s", "train_s", "command_peak_bytes"),
    "against-million-short": ("after_training_s", "processor_s", "device_rounds_per_s", "command_peak_bytes"),
    "against-sizes": ("wall_s", "processor_s", "command_peak_bytes"),
}


def _both(cases: Callable[[Size, Path], list[Case]], checkout: Path, size: Size, cache: Path) -> list[Case]:
    there, python = checkout.absolute(), python_of(checkout)
    out = []
    for case in cases(size, cache):
        out.append(replace(case, settings=_with(case.settings, SAME_RULES)))
        if case.name.endswith(ALONE):
            continue
        other = replace(case, name=f"{case.name}{BEFORE}")
        if case.kind == COMMAND:
            out.append(replace(other, settings={**case.settings, "root": str(there), "python": python}))
        else:
            out.append(replace(other, root=there, python=python))
    return out


def _with(settings: dict[str, Any], more: Sequence[str]) -> dict[str, Any]:
    return {**settings, "overrides": [*settings.get("overrides", ()), *more]}


def _rounds(devices: int, selected: int, rounds: int, *more: str) -> Callable[[Size, Path], list[Case]]:
    def cases(size: Size, cache: Path) -> list[Case]:
        few = size is QUICK
        phones = _PHONES.format(*((600, min(selected, 300), 3) if few else (devices, selected, rounds))).split()
        return [Case("rounds", "rounds:run", {"overrides": [*(() if few else more), *size.overrides, *phones]})]

    return cases


def _steps(size: Size, cache: Path) -> list[Case]:
    chosen = ["training.eval_every=100000", *size.without_settings]
    return [Case(m, "training:run", {"method": m, "steps": size.steps, "overrides": chosen}) for m in ("chord-plus", "fp32")]


def _quickstart(size: Size, cache: Path) -> list[Case]:
    chosen = _few(size, "training.max_steps=2") if size is QUICK else []
    return [Case("quickstart", COMMAND, {"scenario": "offline" if size is QUICK else "quickstart", "overrides": chosen})]


def _quickstart_short(size: Size, cache: Path) -> list[Case]:
    return _quickstart(size, cache) if size is QUICK else [Case("quickstart", COMMAND, {"scenario": "quickstart", "overrides": [SHORT]})]


def _million_short(size: Size, cache: Path) -> list[Case]:
    return _million(size, cache, "rounds.count=2")


def _million(size: Size, cache: Path, *more: str) -> list[Case]:
    few = size is QUICK
    name, chosen = ("offline", _few(size, *_PHONES.format(600, 300, 2).split())) if few else ("million", ["training.max_steps=0", *more])
    settings = {"scenario": name, "overrides": chosen, "real_data": not few}
    return [Case("million", COMMAND, settings), Case(f"million{ALONE}", COMMAND, _with(settings, ["engine.share_equal=false"]))]


def _sizes(size: Size, cache: Path) -> list[Case]:
    few = _PHONES.format(600, 300, 2).split() if size is QUICK else []
    return [Case("sizes", COMMAND, {"scenario": "ten-million-phones", "overrides": few})]


def _few(size: Size, *more: str) -> list[str]:
    return [*size.overrides, 'methods=["chord-plus"]', *more]
