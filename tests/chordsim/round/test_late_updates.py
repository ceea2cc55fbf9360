"""Updates that came after the close are not learnt from, and the manifest says how many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import chordsim
from tests.plenty import PLENTY


def test_late_updates_are_counted_by_round_and_method(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    overrides = tiny(*PLENTY, "clock.quantile=0.7", "rounds.count=3", methods=("fedavg", "fp32"))
    run = chordsim.run("offline", overrides=overrides, out=tmp_path / "run", report=False)
    late = run.ledger[(run.ledger["outcome"] == "late") & (run.ledger["method"] == "fedavg")]["round"].value_counts()
    found = run.manifest["quarantine"]
    assert len(late) == 3 and {int(r): parts["fedavg"] for r, parts in found.items()} == {r: {"late updates": n} for r, n in late.items()}
    assert all(set(parts) == {"fedavg"} for parts in found.values())
