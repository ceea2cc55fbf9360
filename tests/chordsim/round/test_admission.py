"""Whom a model does not fit is told before the download, since its size is known: the same admission for all methods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chordsim
from chordsim import methods
from chordsim.config.model import ProtocolConfig
from chordsim.ledger.invariants import check

#: A method of every family.
NAMES = tuple(sorted(name.replace("chord-aged-k", "chord-aged-5").replace("-k", "-2") for name in methods.known()))
#: Whose phones may do more for some users than for others, so that the cloud cannot tell beforehand.
BY_USER = {"cda4rec"}
#: Memory and speed that let some models in and some not.
MIXED = (
    "population.tiers.low.memory_mb=0.02",
    "population.tiers.mid.memory_mb=0.06",
    "population.tiers.high.memory_mb=99",
    "population.tiers.low.latency_ms=0.3",
    "population.spread=0.5",
    "settings.cda4rec.short_history=6",
)
NOTHING = ("down_bytes", "up_bytes", "cut_down_bytes", "cut_up_bytes", "wasted_bytes", "round_trips", "macs", "total_s", "radio_j")


@pytest.fixture(scope="module")
def both(tiny_overrides: Any, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the ledgers of all methods under both admissions."""
    out = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_CACHE", str(shared_cache))
        for when in ("before", "after"):
            overrides = tiny_overrides(*MIXED, f'protocol.admission="{when}"', methods=NAMES)
            run = chordsim.run("offline", overrides=overrides, out=tmp_path_factory.mktemp(when) / "run", report=False)
            out[when] = run.ledger.astype({"outcome": str, "refused_by": str, "method": str, "served_by": str})
    return out


@pytest.mark.parametrize("name", NAMES)
def test_the_same_phones_are_refused_and_it_costs_nothing(both: dict[str, Any], name: str) -> None:
    before, after = (both[when][lambda f: f.method == name].reset_index(drop=True) for when in ("before", "after"))
    assert (before.outcome == after.outcome).all() and (before.binding == after.binding).all()
    assert before["rank"].equals(after["rank"])
    refused = before[before.outcome == "refused"]
    if name not in BY_USER:
        assert (refused.refused_by == "cloud").all()
        for column in NOTHING:
            assert (refused[column] == 0).all(), column
        assert (before.wasted_bytes == 0).all()


def test_some_are_refused_some_are_served_and_waste_is_what_the_download_was(both: dict[str, Any]) -> None:
    before, after = both["before"], both["after"]
    by_method = before.groupby("method").outcome.agg(lambda column: frozenset(column))
    assert sum({"refused", "served"} <= found for found in by_method) > len(NAMES) / 2
    late = after[(after.outcome == "refused") & (after.refused_by == "device") & (after["round"] == 1) & (after.bootstrap_bytes > 0)]
    assert len(late) > 100 and (late.wasted_bytes == late.down_bytes + late.up_bytes).all()
    told_by_the_phone = before[(before.outcome == "refused") & (before.refused_by == "device")]
    assert set(told_by_the_phone.method) <= BY_USER


def test_before_is_the_default() -> None:
    assert ProtocolConfig().admission == "before"


def test_a_method_without_a_closed_form_finds_out_on_the_phone(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    at = table("population.tiers.low.memory_mb=0.001", methods=("fp32",))
    method = at.method("fp32")
    monkeypatch.setattr(type(method.spec), "needs", lambda self, context, budgets: None)
    played = at.play("fp32")
    check(played.rows, played.moved)
    refused = played.rows.is_word("outcome", "refused")
    assert refused.any() and played.rows.is_word("refused_by", "device")[refused].all()
    assert (np.asarray(played.rows["wasted_bytes"])[refused] > 0).all()
