"""Callbacks hear a run in order and change nothing; one that fails is named, and what was finished goes on."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import chordsim
from chordsim.callbacks import Callback, JsonLines, StopRun, TensorBoard
from chordsim.errors import RunError, UserError
from chordsim.events import Begun, Ended, Round, Step, Validated
from tests.properties.test_rooms import ROOT


class Tape(Callback):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    on_begin = on_step = on_validation = on_round = on_end = lambda self, event: self.heard.append(event)


class Broken:
    """Hears rounds alone, and fails in the first."""

    def on_round(self, event: Round) -> None:
        raise ZeroDivisionError("no\nhope")


def run(tiny: Callable[..., list[str]], out: Path, *callbacks: object, more: str = "training.lr=0.003") -> Any:
    return chordsim.run("offline", overrides=tiny(more, methods=("fp32",)), out=out, report=False, callbacks=callbacks)


def test_a_run_is_heard_in_order_and_moves_nothing(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    tape = Tape()
    heard = run(tiny, tmp_path / "heard", tape, JsonLines(every=2), more="training.lr=0.00321")  # no model of this is kept yet
    begun, *middle, ended = tape.heard
    assert isinstance(begun, Begun) and begun.path == heard.path and begun.scenario["seed"] == 1 and not begun.resumed
    steps = [event for event in middle if isinstance(event, Step)]
    assert [event.step for event in steps] == [1, 2, 3, 4, 5] and all(event.loss > 0 for event in steps)
    (validated,) = (event for event in middle if isinstance(event, Validated))
    assert validated.step == 5 and validated.best == validated.ndcg_10 and validated.training == steps[0].training
    rounds = [event for event in middle if isinstance(event, Round)]
    lines = heard.rounds.set_index("round")
    assert [event.round for event in rounds] == [1, 2] and len(middle) == 5 + 1 + 2
    assert all(event.methods["fp32"]["ndcg_10_all"] == pytest.approx(lines.loc[event.round, "ndcg_10_all"]) for event in rounds)
    assert isinstance(ended, Ended) and ended.status == "complete" and ended.summary == heard.summary
    kept = [json.loads(line) for line in (heard.path / "events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in kept] == ["begin", "step", "step", "validation", "round", "round", "end"]
    assert kept[1]["step"] == 2 and kept[4]["methods"]["fp32"]["selected"] == lines.loc[1, "selected"]
    alone = run(tiny, tmp_path / "alone", more="training.lr=0.00321")
    assert alone.manifest["ledger_sha256"] == heard.manifest["ledger_sha256"]


def test_one_that_fails_is_named_and_the_run_can_go_on(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    whole = run(tiny, tmp_path / "whole")
    with pytest.raises(RunError, match=r"^callback Broken\.on_round: ZeroDivisionError: no hope$"):
        run(tiny, tmp_path / "cut", Broken())
    manifest = json.loads((tmp_path / "cut" / "manifest.json").read_text())
    assert manifest["status"] == "failed" and "callback Broken.on_round" in manifest["errors"][0]
    tape = Tape()
    again = chordsim.run(resume=tmp_path / "cut", report=False, callbacks=[tape])
    assert again.manifest["ledger_sha256"] == whole.manifest["ledger_sha256"]
    assert tape.heard[0].resumed and [event.round for event in tape.heard if isinstance(event, Round)] == [2]


class Late(Callback):
    def on_end(self, event: Ended) -> None:
        raise ValueError("too late")


def test_one_that_fails_at_the_end_takes_nothing(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="callback Late.on_end: ValueError: too late"):
        run(tiny, tmp_path / "run", Late())
    assert chordsim.api.RunResult(tmp_path / "run").status == "complete"


class Trial:
    """What the example asks of Optuna's trial."""

    def __init__(self, prunes_at: int) -> None:
        self.prunes_at, self.reported = prunes_at, dict[int, float]()

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        return (low * high) ** 0.5

    def report(self, value: float, step: int) -> None:
        self.reported[step] = value

    def should_prune(self) -> bool:
        return len(self.reported) == self.prunes_at


def example(name: str, monkeypatch: pytest.MonkeyPatch, package: str, **names: Any) -> ModuleType:
    """Load an example with a stand-in for the package that it needs."""
    monkeypatch.setitem(sys.modules, package, SimpleNamespace(**names))  # type: ignore[arg-type]
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_optuna_prunes_by_round(tiny: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    class TrialPruned(Exception):
        pass

    optuna = example("optuna_pruning", monkeypatch, "optuna", TrialPruned=TrialPruned)
    overrides = tiny(methods=("chord-plus",))[1:]
    going = Trial(0)
    assert optuna.objective(going, overrides=overrides) > 0 and list(going.reported) == [1, 2]
    hopeless = Trial(1)
    with pytest.raises(TrialPruned, match="pruned after round 1"):
        optuna.objective(hopeless, overrides=overrides)
    assert hopeless.reported == {1: going.reported[1]}


def test_a_run_that_a_callback_stops_is_interrupted_and_goes_on(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    class Enough(Callback):
        def on_round(self, event: Round) -> None:
            raise StopRun("enough")

    with pytest.raises(StopRun, match="enough"):
        run(tiny, tmp_path / "cut", Enough())
    assert chordsim.api.RunResult(tmp_path / "cut").status == "interrupted"
    assert chordsim.run(resume=tmp_path / "cut", report=False).status == "complete"


def test_the_mlflow_example_logs_a_run(tiny: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[str, Any]] = []
    names = ("start_run", "log_params", "log_metric", "log_metrics", "log_artifact", "end_run")
    calls = {name: (lambda *args, name=name, **keys: logged.append((name, args or keys))) for name in names}
    mlflow = example("log_to_mlflow", monkeypatch, "mlflow", **calls)
    assert len((ROOT / "examples" / "log_to_mlflow.py").read_text().splitlines()) < 32
    run(tiny, tmp_path / "run", mlflow.MlFlow())
    assert [name for name, _ in logged if name != "log_metric"] == [*names[:2], "log_metrics", "log_metrics", *names[4:]]


def test_tensorboard_says_what_to_install_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UserError, match=r"pip install 'chordsim\[tensorboard\]'"):
        TensorBoard()


def test_tensorboard_reads_what_it_wrote(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs tensorboard: pip install 'chordsim[tensorboard]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = run(tiny, tmp_path / "run", TensorBoard())
    log = EventAccumulator(str(found.path / "tensorboard"))
    log.Reload()
    assert [point.step for point in log.Scalars("ndcg_10_all/fp32")] == [1, 2]
