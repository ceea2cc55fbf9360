"""What the cloud lists by its reference is what a phone that owns the reference ranks, whether seen items are masked or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import chordsim

ROOM = tuple(f"population.tiers.{tier}.memory_mb=8" for tier in ("low", "mid", "high"))


@pytest.mark.parametrize("mask_seen", [True, False])
def test_a_list_of_the_whole_catalogue_ranks_as_fp32(tiny: Callable[..., list[str]], tmp_path: Path, mask_seen: bool) -> None:
    # Shorter than the window: what lies beyond it is masked and not sent. Of 12 items, most targets are repeats.
    items = np.random.default_rng(1).integers(0, 12, (30, 10))
    data = {"user": np.repeat(np.arange(30), 10), "item": items.ravel()}
    overrides = tiny(*ROOM, f"protocol.mask_seen={str(mask_seen).lower()}", "rounds.count=1", methods=("fp32", "cloud-only"))
    kept = [text for text in overrides if not text.startswith("data.synthetic")]
    ledger = chordsim.run("offline", data=data, overrides=kept, out=tmp_path / "run").ledger
    ranks = ledger.pivot(index="device_id", columns="method", values="rank")
    assert ranks.shape == (30, 2) and (ranks["fp32"] <= 12).mean() == (1.0 if not mask_seen else pytest.approx(0.4, abs=0.3))
    assert ranks["fp32"].tolist() == ranks["cloud-only"].tolist()
