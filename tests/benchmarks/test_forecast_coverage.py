"""The count of forecasts that hold: every shipped scenario with losses is in it, and a range that is too narrow is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import forecast_coverage  # noqa: E402

SMALL = ['methods=["fp32","cloud-only"]', "data.synthetic.users=60", "data.synthetic.items=80", "rounds.count=2", "clock.loss=0.1"]


def test_every_shipped_scenario_with_losses_is_counted() -> None:
    names = forecast_coverage.lossy()
    assert {"weak-links", "tight-deadline", "knock-out-link", "ten-million-phones"} <= set(names) and "quickstart" not in names


def test_each_method_and_quantity_is_counted_once_per_seed() -> None:
    found = forecast_coverage.coverage("offline", SMALL, range(1, 4))
    assert set(found) == {(method, quantity) for method in ("fp32", "cloud-only") for quantity in forecast_coverage.QUANTITIES}
    assert all(0 <= inside <= seen == 3 for inside, seen in found.values())


def test_a_range_that_holds_too_seldom_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for inside, code in ((18, 0), (17, 1)):
        monkeypatch.setattr(forecast_coverage, "coverage", lambda *given, n=inside: {("fp32", "per_session_seconds_p50"): (n, 20)})
        assert forecast_coverage.main(["weak-links"]) == code
        assert f"{inside} of 20" in capsys.readouterr().out
