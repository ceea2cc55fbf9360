"""The switch as a run turns it: what was used stands in the manifest, and moves ranks nowhere but in last bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import chordsim
from chordsim.config.model import BackboneConfig
from chordsim.errors import UserError
from chordsim.files import read_json
from chordsim.kernels import choose

Tiny = Callable[..., list[str]]
#: A plan, one network for all, a mask, a network that phones widen, one that they train whole, and what the cloud ranks.
METHODS = ("chord-plus", "fp32", "diet", "dccl", "finetune", "cloud-only")
#: Phones that bear to train them.
STRONG = [f"population.tiers.{tier}.memory_of_fp32=50" for tier in ("low", "mid", "high")]
MAY_DIFFER = {"rank", "ndcg_10", "hr_10", "mrr"}


def play(tiny: Tiny, out: Path, *more: str, workers: int = 1) -> chordsim.api.RunResult:
    return chordsim.run("offline", overrides=tiny(*more, methods=METHODS), out=out, workers=workers, report=False)


def test_compiled_loops_give_the_ledger_of_torch_up_to_last_bits_of_scores(tiny: Tiny, tmp_path: Path) -> None:
    slow, fast = (play(tiny, tmp_path / kind, f"engine.kernel={kind}", *STRONG) for kind in ("torch", "native"))
    assert set(slow.ledger.dropna(subset=["rank"]).method) == set(METHODS)
    assert slow.ledger.shape == fast.ledger.shape
    moved = {column for column in slow.ledger if not slow.ledger[column].equals(fast.ledger[column])}
    assert moved <= MAY_DIFFER, moved
    assert (slow.ledger["rank"].fillna(0) - fast.ledger["rank"].fillna(0)).abs().max() <= 1
    assert slow.manifest["numerics"]["kernel"] == "torch"
    assert fast.manifest["numerics"]["kernel"] == "native" and "numba" in fast.manifest["versions"]


def test_auto_is_told_as_what_it_was_and_has_one_hash_whoever_works(tiny: Tiny, tmp_path: Path) -> None:
    named = play(tiny, tmp_path / "named", "engine.kernel=native")
    auto = play(tiny, tmp_path / "auto", "engine.kernel=auto", "engine.cells=3", workers=2)
    assert auto.manifest["engine"]["kernel"] == auto.manifest["numerics"]["kernel"] == "native"
    assert 'kernel = "native"' in (auto.path / "scenario.toml").read_text()
    assert auto.manifest["ledger_sha256"] == named.manifest["ledger_sha256"] is not None


def test_where_nothing_can_be_compiled_auto_goes_on_and_a_resume_of_compiled_rounds_does_not(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(tiny, tmp_path / "fast", "engine.kernel=auto")
    monkeypatch.setattr(choose, "obstacle", lambda: "no such compiler")
    slow = play(tiny, tmp_path / "slow", "engine.kernel=auto")
    assert slow.status == "complete" and slow.manifest["numerics"]["kernel"] == "torch" and "numba" not in slow.manifest["versions"]
    assert 'kernel = "native"' not in (slow.path / "scenario.toml").read_text()
    manifest = tmp_path / "fast" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"complete"', '"interrupted"'))
    assert read_json(manifest)["status"] == "interrupted"
    with pytest.raises(UserError, match=r"engine\.kernel = \"native\" cannot be had here: no such compiler"):
        chordsim.run(resume=tmp_path / "fast")


def test_one_line_says_what_runs_what(monkeypatch: pytest.MonkeyPatch) -> None:
    sasrec = BackboneConfig()
    caser = BackboneConfig(kind="caser")
    assert choose.told("torch", caser) == "torch, as the scenario asks"
    assert choose.told("auto", sasrec) == "native, compiled by numba"
    assert choose.told("auto", caser) == "native, compiled by numba; the forward pass of caser stays with torch"
    monkeypatch.setattr(choose, "obstacle", lambda: "no such compiler")
    assert choose.told("auto", sasrec) == "torch, which takes several times as long: no such compiler"
