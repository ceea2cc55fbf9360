"""A chunk of more phones than are computed together gives every method the bytes and ranks of small chunks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import chordsim
from chordsim.scenario.load import load
from clients.half import BLOCK

METHODS = load("neighbours").methods
#: The other user whose plan this control takes is one of the same chunk.
BY_CHUNK = "chord-swapped"
#: One of each way to rank and to exchange; the others are played in the slow tests.
PLAIN = {"fp32", "static-mixed", "chord", BY_CHUNK, "forward-ofa", "cocorrrec", "cda4rec", "dccl", "cloud-only"}


@pytest.mark.parametrize("method", [pytest.param(m, marks=() if m in PLAIN else pytest.mark.slow) for m in METHODS])
def test_a_chunk_of_several_blocks_is_played_as_small_chunks_are(method: str, tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    users = 2 * BLOCK + 5
    runs = []
    for size in (BLOCK // 2, 4 * BLOCK):
        sizes = (f"data.synthetic.users={users}", "rounds.count=1", f"engine.chunk_size={size}")
        given = tiny(*sizes, 'population.era="2025"', methods=(method,))
        runs.append(chordsim.run("offline", overrides=given, out=tmp_path / str(size)))
    for run in runs:
        assert run.manifest["status"] == "complete", run.manifest["errors"]
        assert (run.ledger.outcome == "served").any()
    small, large = (run.ledger.sort_values("device_id").reset_index(drop=True) for run in runs)
    own_plan = () if method == BY_CHUNK else ("macs", "train_macs", "peak_memory_bytes")
    for column in ("device_id", "outcome", "down_bytes", "up_bytes", *own_plan):
        assert small[column].astype(str).equals(large[column].astype(str)), column
    # Sums in another order may swap two scores that all but tie.
    moved = ((small["rank"].fillna(0) - large["rank"].fillna(0)).abs() > 0).mean()
    assert moved <= 0.05 or method == BY_CHUNK
