"""A method of others that raises, exits, hangs or gives what cannot be: the line says whose fault it was, and nobody else's row moves."""

from __future__ import annotations

import dataclasses
import sys
import time
import types
import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import chordsim
from chordsim.api import RunResult
from chordsim.errors import MethodError, NotWhole
from chordsim.methods import DOWN_PRESCRIPTION, UP_REPORT, UP_UPDATE, Blob, CloudTurn, Cost, MethodSpec, Turn, discovery
from chordsim.ragged import Ragged
from chordsim.scenario.load import load

ROUND = 2
LIMIT_S = 3.0


class Trouble:
    """What goes wrong, and in which of a method's functions; only in round 2, where a round is known."""

    function, what = "", ""

    @classmethod
    def at(cls, function: str, round: int = ROUND) -> str:
        return cls.what if function == cls.function and round == ROUND else ""

    @classmethod
    def meet(cls, function: str, round: int = ROUND) -> None:
        what = cls.at(function, round)
        if what == "raises":
            raise ZeroDivisionError("of the method's own")
        if what == "exits":
            sys.exit(3)
        if what == "hangs":
            time.sleep(30)


class Cloud:
    def __init__(self, context: Any) -> None:
        Trouble.meet("cloud")
        self.n_items = context.n_items

    def recipe(self) -> dict[str, Any]:
        return {"n": self.n_items, "trouble": Trouble.function, "what": Trouble.what}

    def train(self, logs: Any, progress: Any) -> dict[str, torch.Tensor]:
        Trouble.meet("train")
        return {"counts": torch.from_numpy(logs.popularity).double()}

    def bootstrap(self, state: Any) -> list[Blob]:
        return [Blob("counts", state["counts"].numpy().astype("<f8").tobytes())]

    def admit(self, state: Any, budgets: Any) -> np.ndarray:
        Trouble.meet("admit")
        return np.zeros(budgets.memory_bytes.size if not Trouble.at("admit") else 3, np.uint8)

    def respond(self, state: Any, leg: Any, who: Any, inbox: Ragged) -> CloudTurn:
        Trouble.meet("respond", who.round)
        zero, what = np.zeros(len(who), np.uint8), Trouble.at("respond", who.round)
        macs = {"impossible": np.full(len(who), -1), "nan": np.full(len(who), np.nan)}.get(what, np.full(len(who), 7))
        return CloudTurn(Ragged.of_rows([b"plan"] * (len(who) + (what == "misshapen"))), macs, zero, zero)

    def learn(self, state: Any, reports: Any) -> Any:
        round = next(iter(reports))[0].round
        Trouble.meet("learn", round)
        return {"nan": {"counts": state["counts"] * np.nan}, "misshapen": 7}.get(Trouble.at("learn", round), state)


class Device:
    def __init__(self, context: Any) -> None:
        Trouble.meet("device")

    def load(self, blobs_by_label: Any) -> Any:
        Trouble.meet("load")
        return np.frombuffer(blobs_by_label["counts"], "<f8").astype(np.float32)

    def act(self, model: Any, state: Any, leg: Any, who: Any, history: Any, inbox: Ragged) -> Turn:
        rows, what = len(who), Trouble.at("act", who.round) if leg.kind == "report" else ""
        if what:
            Trouble.meet("act", who.round)
        scores = np.tile(model, (rows, 1)) * (np.nan if what == "nan" else 1)
        cost = dataclasses.replace(Cost.zero(rows), macs=np.full(rows, -5)) if what == "impossible" else Cost.zero(rows)
        none = np.zeros(rows + (what == "misshapen"), np.uint8)
        outbox = Ragged.of_rows([b"\x01"] * rows) if leg.kind == "update" else Ragged.empty(rows)
        return Turn(outbox, none, cost, np.full(rows, np.nan), scores if leg.kind == "report" else None)


class Spec(MethodSpec):
    def sizes(self, context: Any, who: Any) -> dict[Any, Any]:
        Trouble.meet("sizes")
        wrong = {"impossible": np.full(len(who), -1), "misshapen": np.zeros(1)}
        return {leg: wrong.get(Trouble.at("sizes"), np.full(len(who), 4)) for leg in self.exchange}


SPEC = Spec("theirs", "of others", (DOWN_PRESCRIPTION, UP_UPDATE, UP_REPORT), "theirs:Cloud", "theirs:Device", learns=True)


@pytest.fixture
def play(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunResult]:
    """Return a runner of fp32 beside that method, with trouble in one of its functions."""
    module: Any = types.ModuleType("theirs")
    module.make, module.Cloud, module.Device = lambda name: SPEC, Cloud, Device
    monkeypatch.setitem(sys.modules, "theirs", module)
    shipped = tuple(entry_points(group=discovery.GROUP))
    own = EntryPoint("theirs", "theirs:make", discovery.GROUP)
    monkeypatch.setattr(discovery, "entry_points", lambda group: (*shipped, own))
    more = ("rounds.count=3", "engine.workers=2", "engine.cells=2")

    def run(function: str, what: str, methods: tuple[str, ...] = ("popularity", "theirs")) -> RunResult:
        monkeypatch.setattr(Trouble, "function", function)
        monkeypatch.setattr(Trouble, "what", what)
        # A cell that goes on may be slow where much else runs; only who hangs meets the limit.
        limit = f"engine.timeout_s={LIMIT_S if what == 'hangs' else 60}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotWhole)
            return chordsim.run("offline", overrides=tiny(*more, limit, methods=methods), out=tmp_path / f"{function}-{what}", report=False)

    return run


def others(run: RunResult) -> pd.DataFrame:
    rows = run.ledger
    return rows[(rows.method == "popularity") | (rows["round"] < ROUND)].reset_index(drop=True)


DEVICE = "theirs, round 2, cell 0: method theirs, device half, leg up report, round 2: "


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("raises", f"{DEVICE}ZeroDivisionError: of the method's own"),
        ("exits", f"{DEVICE}SystemExit: 3"),
        ("hangs", "theirs, round 2, cell 0: device half, legs down prescription, up update, up report: no answer within 3 s"),
        ("misshapen", f"{DEVICE}IndexError"),
    ],
)
def test_trouble_on_phones_costs_their_cell_and_no_row_of_others(play: Callable[..., RunResult], what: str, line: str) -> None:
    sound, run = play("", ""), play("act", what)
    assert run.status == "degraded" and run.manifest["ledger_sha256"] is None
    assert run.manifest["errors"][0].startswith(line), run.manifest["errors"]
    pd.testing.assert_frame_equal(others(run), others(sound))
    rows = run.ledger
    assert set(rows[(rows.method == "theirs") & (rows["round"] == ROUND)].outcome) == {"failed"}
    assert "served" in set(rows[(rows.method == "theirs") & (rows["round"] == 3)].outcome), "the run went on"


@pytest.mark.parametrize(("what", "why"), [("nan", "unverified"), ("impossible", "implausible")])
def test_senseless_numbers_fail_their_phones_and_are_counted_by_name(play: Callable[..., RunResult], what: str, why: str) -> None:
    sound, run = play("", ""), play("act", what)
    found = run.manifest["quarantine"][str(ROUND)]["theirs"]
    assert sum(count for reason, count in found.items() if reason.startswith(why)) == 40
    pd.testing.assert_frame_equal(others(run), others(sound))


@pytest.mark.parametrize(
    ("function", "what", "line"),
    [
        ("cloud", "raises", "method theirs, cloud half: ZeroDivisionError: of the method's own"),
        ("train", "exits", "method theirs, cloud half, training: SystemExit: 3"),
        ("admit", "raises", "method theirs, cloud half, admit, round 1: ZeroDivisionError"),
        ("admit", "misshapen", "method theirs, cloud half, admit, round 1: TypeError: refusals: 40 whole numbers expected"),
        ("respond", "raises", "method theirs, cloud half, leg down prescription, round 2: ZeroDivisionError: of the method's own"),
        ("respond", "exits", "method theirs, cloud half, leg down prescription, round 2: SystemExit: 3"),
        pytest.param(
            "respond", "hangs", "method theirs, cloud half, leg down prescription, round 2: no answer within 3 s", marks=pytest.mark.slow
        ),
        ("respond", "nan", "method theirs, cloud half, leg down prescription, round 2: TypeError: macs: 10 whole numbers expected"),
        ("respond", "impossible", "method theirs, cloud half, leg down prescription, round 2: ValueError: macs: from 0 to 2.50 expected"),
        ("respond", "misshapen", "method theirs, cloud half, leg down prescription, round 2: TypeError: no CloudTurn with 10 messages"),
        ("learn", "raises", "method theirs, cloud half, learn, round 2: ZeroDivisionError"),
        pytest.param("learn", "hangs", "method theirs, cloud half, learn, round 2: no answer within 3 s", marks=pytest.mark.slow),
        ("learn", "misshapen", "method theirs, cloud half, learn, round 2: AttributeError"),
    ],
)
def test_trouble_in_the_cloud_stops_the_run_with_a_line(play: Callable[..., RunResult], function: str, what: str, line: str) -> None:
    with pytest.raises(MethodError, match=f"^{line}") as caught:
        play(function, what)
    assert caught.value.exit_code == 1 and "\n" not in str(caught.value)


def test_a_learnt_state_that_is_no_number_is_not_taken_over(play: Callable[..., RunResult]) -> None:
    run = play("learn", "nan")
    assert run.status == "complete" and run.manifest["quarantine"]["2"]["theirs"]["learnt states"] == 1


@pytest.mark.parametrize("what", ["raises", "exits", "impossible", "misshapen"])
def test_trouble_in_sizes_costs_the_forecast_alone(play: Callable[..., RunResult], what: str) -> None:
    run, sound = play("sizes", what), play("", "")
    assert run.status == "complete" and run.manifest["forecast"] is None and sound.manifest["forecast"] is not None
    pd.testing.assert_frame_equal(run.ledger, sound.ledger)


def test_a_run_in_which_all_phones_fail_is_failed_and_says_why(play: Callable[..., RunResult], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trouble, "at", classmethod(lambda cls, function, round=ROUND: "nan" if function == "act" else ""))
    run = play("act", "nan", methods=("theirs",))
    assert run.status == "failed"
    assert "theirs: 120 failed (device half, round 1: 40 unverified: messages, weights or scores" in run.manifest["errors"][0]


def test_a_cell_has_a_time_limit_by_default() -> None:
    assert 0 < load("offline").engine.timeout_s <= 600
