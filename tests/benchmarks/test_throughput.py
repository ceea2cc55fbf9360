"""The benchmark suite does not rot: every piece runs tiny, goes on where it was cut off, and its pages come out of its figures."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.throughput.kinds.cells import COMMON  # noqa: E402
from benchmarks.throughput.pages import write_pages  # noqa: E402
from benchmarks.throughput.phone import Phones  # noqa: E402
from benchmarks.throughput.pieces import PIECES, QUICK  # noqa: E402
from benchmarks.throughput.results import Results, Writer  # noqa: E402
from benchmarks.throughput.turns import Turns  # noqa: E402
from benchmarks.throughput.work import prepare  # noqa: E402
from chordsim.nets import footprint  # noqa: E402
from chordsim.scenario.load import load, parse, shipped  # noqa: E402
from chordsim.scenario.text import dump  # noqa: E402

#: Pieces whose cases need no processes beside this one.
HERE = ("parts", "whole", "selection", "population", "catalogue", "width", "chunk", "training", "best", "million")
ELSEWHERE = ("engines", "nodes", "workers")


class Once(Turns):
    """The measured side of a talk in which everything is asked for once."""

    def __init__(self) -> None:
        self.about: dict[str, Any] = {}
        self.figures: dict[str, float] = {}
        self.reason = ""

    def ready(self, **about: Any) -> None:
        self.about = about

    def __iter__(self) -> Iterator[None]:
        yield

    def result(self, **figures: float) -> None:
        self.figures = figures

    def refuse(self, reason: str) -> None:
        self.reason = reason


@pytest.fixture(autouse=True)
def few_threads(monkeypatch: pytest.MonkeyPatch, shared_cache: Path) -> Iterator[None]:
    monkeypatch.setenv("CHORDSIM_CACHE", str(shared_cache))
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_every_piece_is_tested() -> None:
    assert {*HERE, *ELSEWHERE} == set(PIECES)


@pytest.mark.parametrize("piece", HERE)
def test_a_piece_runs_tiny(piece: str, tmp_path: Path) -> None:
    for case in PIECES[piece].cases(QUICK, tmp_path):
        module, _, function = case.kind.partition(":")
        turns = Once()
        getattr(importlib.import_module(f"benchmarks.throughput.kinds.{module}"), function)(turns, **case.settings)
        assert turns.figures and not turns.reason, case.name
        assert all(value >= 0 for value in turns.figures.values()), (case.name, turns.figures)


def test_one_phone_alone_does_what_a_cohort_does() -> None:
    work, turns = prepare(QUICK.cohort, QUICK.overrides), Once()
    importlib.import_module("benchmarks.throughput.kinds.cells").inprocess(turns, phones=QUICK.cohort, overrides=QUICK.overrides)
    alone = Phones(work)
    ranks = [alone.play(device, frame)[1] for device, frame in enumerate(alone.frames[:COMMON])]
    assert turns.figures["rank_sum"] == sum(ranks)


def test_operations_that_run_are_those_that_shapes_say() -> None:
    turns = Once()
    case = next(case for case in PIECES["parts"].cases(QUICK, ROOT) if case.name == "forward")
    importlib.import_module("benchmarks.throughput.kinds.forward_pass").forward(turns, **case.settings)
    work = prepare(QUICK.cohort, QUICK.overrides)
    shapes = work.half.shapes
    scores = 2 * shapes.n_items * shapes.backbone.dim
    assert turns.about["flop_asked"] == 2 * footprint.dense_macs(shapes) - scores == work.flop_per_phone - scores
    # Layers of one position may multiply all four precisions, and products over padding are done as well.
    assert 0.9 * turns.about["flop_asked"] <= turns.about["flop_executed"] <= 4 * turns.about["flop_asked"]


@pytest.mark.slow
def test_the_command_measures_once_and_pages_come_from_its_figures(tmp_path: Path) -> None:
    first, second = (command(tmp_path, "training") for _ in range(2))
    assert "repetition 1 of 1" in first and "on disk already" in second
    results = Results(tmp_path / "out")
    assert results.cases("training") == ["fp32", "chord-plus"] and results.runs["training"]["cases"]["fp32"]["method"] == "fp32"
    pages = {path.name: path.read_text() for path in write_pages(tmp_path / "out", tmp_path)}
    step = results.figure("training", "fp32", "ms_per_step")
    assert step is not None and f"{step.median:,.0f}" in pages["performance.md"]
    assert "has no figures of whole, workers" in pages["scale.md"]


def test_the_page_on_scale_is_arithmetic_on_the_figures(tmp_path: Path) -> None:
    every, main = "processor_us_per_device_round", "main_thread_us_per_device_round"
    Writer(tmp_path, "whole").add(0, {"in-process-1": {every: 202.0, main: 12.0}})
    driver = {every: 90.0, main: 10.0, "carried_bytes_per_device_round": 1000.0, "ledger_bytes_per_row": 100.0}
    Writer(tmp_path, "workers").add(0, {"1": driver})
    (tmp_path / "runs.json").write_text(json.dumps({"workers": {"processors": 2, "command": "", "failed": {}}}))
    text = next(path for path in write_pages(tmp_path, tmp_path) if path.name == "scale.md").read_text()
    # 110 us on workers over 20 processors, 80 us of plans over 2, 10 us on one thread: 55.5 us.
    assert f"| 10 | {1e6 / 55.5:,.0f} |" in text
    # With plans on workers: 190 us over 20, and 10.
    assert f"{1e6 / 19.5:,.0f} |" in text
    assert "The first to break is **making plans on the driver**" in text


def test_the_scenario_of_a_million_is_one_and_says_how_users_cluster() -> None:
    scenario, text = load("million"), shipped()["million"].read_text()
    assert scenario.rounds.count * scenario.population.selected * len(scenario.methods) == 1_000_000
    assert parse(dump(scenario)) == scenario and scenario.question.endswith("?")
    assert "6,040 users" in text and "statistics cluster by user" in text


@pytest.mark.slow
@pytest.mark.parametrize("piece", ELSEWHERE)
def test_a_piece_of_processes_runs_tiny(piece: str, tmp_path: Path) -> None:
    told = command(tmp_path, piece)
    results = Results(tmp_path / "out")
    run = results.runs[piece]
    assert not run["failed"], told
    wanted = {case.name for case in PIECES[piece].cases(QUICK, tmp_path / "cache")}
    assert {*results.cases(piece), *run["skipped"]} == wanted and set(run["skipped"]) <= {"pfl"}


def command(folder: Path, *pieces: str) -> str:
    """Run the suite's command on tiny sizes and return what it printed."""
    asked = ["--out", str(folder / "out"), "--cache", str(folder / "cache"), "--quick", "--repetitions", "1", "--only", *pieces]
    run = subprocess.run([sys.executable, "-m", "benchmarks.throughput", *asked], cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout
