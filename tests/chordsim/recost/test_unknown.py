"""What recost does not know: methods that do not say what their prescriptions depend on, and keys that change nothing."""

from __future__ import annotations

import pytest

import chordsim
from chordsim.api import RunResult
from chordsim.methods.chord.spec import PlanSpec
from chordsim.methods.shipped.spec import ShippedSpec
from chordsim.recost.again import recost
from chordsim.recost.printed import unknown_lines

SMALL = [
    'methods=["fp32","chord-plus"]',
    "data.synthetic.users=60",
    "data.synthetic.items=80",
    "training.max_steps=4",
    "training.eval_every=4",
    "rounds.count=2",
    "engine.chunk_size=32",
    "population.tiers.low.memory_mb=0.14",
    "population.tiers.mid.memory_mb=9",
    "population.tiers.high.memory_mb=9",
]
TIGHTER = ["population.tiers.mid.memory_mb=8"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return chordsim.run("offline", overrides=SMALL, out=tmp_path_factory.mktemp("run") / "run", report=False)


def test_a_method_that_says_nothing_is_unknown_and_keeps_who_was_served(run: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default of the contract, with and without a closed form of what the method takes."""
    monkeypatch.setattr(ShippedSpec, "unchanged", lambda *given: None)
    served = run.summary["methods"]["fp32"]["served_share"]
    assert 0 < served < 1
    for closed in (True, False):
        if not closed:
            monkeypatch.setattr(ShippedSpec, "needs", lambda *given: None)
        found = recost(run.path, TIGHTER)
        shares, mid = found.unknown["fp32"], found.after["fp32"]["per_tier"]["mid"]["device_rounds"] / found.after["fp32"]["device_rounds"]
        assert shares["unknown prescription"] == pytest.approx(mid if closed else shares["unknown prescription"])
        assert shares["unknown prescription"] >= mid * 0.99
        assert found.after["fp32"]["served_share"] == served
        # Another link changes no budget and no outcome, so everything holds.
        assert not any(share for why, share in recost(run.path, ["clock.jitter=0.3"]).unknown["fp32"].items() if why != "estimated cost")


def test_without_a_closed_form_what_was_recorded_is_told(run: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlanSpec, "unchanged", lambda *given: None)
    monkeypatch.setattr(PlanSpec, "needs", lambda *given: None)
    monkeypatch.setattr(PlanSpec, "sizes", lambda *given: {})
    found = recost(run.path, ["clock.jitter=0.3"])
    before, after = found.before["chord-plus"], found.after["chord-plus"]
    for name in ("outcomes", "served_by", "down_bytes_per_device", "up_bytes_per_device", "bits_mean", "ndcg_10_all"):
        assert after[name] == pytest.approx(before[name]) if isinstance(before[name], float) else after[name] == before[name], name
    assert after["joules_per_device"] == pytest.approx(before["joules_per_device"], rel=0.05)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("population.tiers.low.ram_gb=3.5", "follows memory_mb"),
        ("population.tiers.high.memory_mb=12", ""),
        ("population.tiers.low.down_mbps=9.0", ""),
        ("population.tiers.high.share=0.2", None),
    ],
)
def test_a_key_that_changes_nothing_is_said(run: RunResult, override: str, words: str | None) -> None:
    if words is None:
        with pytest.raises(chordsim.errors.ScenarioError, match="nothing differs"):
            recost(run.path, [override])
        return
    found = recost(run.path, [override, "clock.jitter=0.2"])
    key = override.partition("=")[0]
    assert list(found.inert) == ([key] if words else [])
    said = [line for line in unknown_lines(found) if line.startswith("changes nothing")]
    assert len(said) == bool(words) and all(key in line and words in line for line in said)
    if words:
        assert not any(value for shares in found.unknown.values() for value in shares.values())
