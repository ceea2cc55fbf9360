"""`engine.share_equal` computes once what phones of one user have in common: the same ledger, from fewer rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chordsim
from chordsim.arrays import runs
from chordsim.kernels import forward

Tiny = Callable[..., list[str]]
#: Plans of one's own by two planners, of somebody else's; weights for all and of one's own; one that learns; one without a model.
METHODS = ("chord-plus", "chord-swapped", "chord", "fp32", "diet", "fedavg", "cloud-only")
#: 40 users own 400 phones, of which some are refused, lose their link or bind another budget.
MANY = ("population.devices=400", "population.selected=300", "engine.chunk_size=64", "clock.loss=0.1", "rounds.count=2")


def play(tiny: Tiny, out: Path, *more: str) -> chordsim.api.RunResult:
    return chordsim.run("offline", overrides=tiny(*MANY, *more, methods=METHODS), out=out, report=False)


@pytest.mark.parametrize("kernel", [pytest.param("torch", marks=pytest.mark.slow), "native"])
def test_the_ledger_and_the_sample_of_plans_are_the_same(kernel: str, tiny: Tiny, tmp_path: Path) -> None:
    each, once = (
        play(tiny, tmp_path / f"{share}", f"engine.kernel={kernel}", f"engine.share_equal={share}".lower()) for share in (False, True)
    )
    assert each.ledger.equals(once.ledger)
    assert each.manifest["ledger_sha256"] == once.manifest["ledger_sha256"] is not None
    assert (each.path / "plans.parquet").read_bytes() == (once.path / "plans.parquet").read_bytes()


def test_fewer_rows_go_through_the_backbone(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    compiled = forward.last_states

    def counted(items: Any, *more: Any) -> Any:
        rows.append(items.shape[0])
        return compiled(items, *more)

    monkeypatch.setattr(forward, "last_states", counted)
    more = [f"settings.chord-plus.{value}" for value in ("planner=codebook", "plans=3", "user_input=true", "reads=[30,8]")]
    found, ledgers = [], set()
    for share in ("false", "true"):
        rows.clear()
        overrides = tiny(*MANY, *more, "engine.kernel=native", f"engine.share_equal={share}", methods=("chord-plus", "fp32"))
        run = chordsim.run("offline", overrides=overrides, out=tmp_path / share, report=False)
        ledgers.add(run.manifest["ledger_sha256"])
        found.append(sum(rows))
    # Phones buy the plan of a number by their own budgets, so fewer are alike than where plans come down.
    assert found[1] < found[0] / 2.5 and len(ledgers) == 1


def test_runs_are_neighbours_that_are_equal_in_all_columns() -> None:
    a, b = np.array([[1, 2], [1, 2], [1, 2], [3, 2], [1, 2]]), np.array([0, 0, 1, 1, 1])
    first, place = runs(a, b)
    assert place.tolist() == [0, 0, 1, 2, 3] and first.tolist() == [0, 2, 3, 4, 4]
    assert (a[first][place] == a).all() and (b[first][place] == b).all()
    assert runs(np.zeros((100, 3)))[0].size == 8 and runs(np.zeros((2, 3)))[0].size == 2
