"""What recost claims to know is what an honest run gives, for methods of every kind of prescription, row by row."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.recost_agrees import FIVE, OVERRIDES, ROOT, agreement, scenario  # noqa: E402
from benchmarks.same_ledgers.checkout import Checkout  # noqa: E402
from chordsim.methods.otaro.spec import OtaroSpec  # noqa: E402

#: One that ships a model, one that learns, and those that choose by budgets, by user, and by who else takes part.
FEW = ("fp32", "fedavg", "otaro", "forward-ofa", "cda4rec", "chord-swapped")


@pytest.fixture
def cached(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORDSIM_CACHE", str(shared_cache))


@pytest.mark.slow
def test_recost_is_an_honest_run_or_says_that_it_does_not_know(cached: None, tmp_path: Path) -> None:
    found = list(agreement(scenario(FEW, {"rounds": {"count": 2}}), FIVE, tmp_path))
    assert len(found) == len(FEW) * len(FIVE)
    assert {one.override: one.differs for one in found if one.differs} == {}
    # It is not by knowing nothing that it is never wrong.
    known = {one.method: 1 - one.unknown / one.rows for one in found if one.override == "link"}
    assert min(known.values()) > 0.95
    assert sum(one.unknown < one.rows / 2 for one in found) > 0.8 * len(found)
    # And the overrides do change something.
    assert {one.override for one in found if one.unknown or one.estimated} == set(FIVE)


def test_a_method_that_claims_too_much_is_caught(cached: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OtaroSpec, "unchanged", lambda self, context, then, now, before: now.memory_bytes > 0)
    (one,) = agreement(scenario(("otaro",)), ("era",), tmp_path)
    assert "rank" in one.differs or "model_bytes" in one.differs


@pytest.mark.slow
def test_all_methods_under_all_overrides(cached: None, tmp_path: Path) -> None:
    found: list[Any] = list(agreement(scenario(Checkout(ROOT).methods), tuple(OVERRIDES), tmp_path))
    assert [one for one in found if one.differs] == []
