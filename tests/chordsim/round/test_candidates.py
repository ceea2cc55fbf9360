"""The protocol of candidates in a run: what it charges, what it ranks, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import chordsim
from chordsim.api import RunResult
from chordsim.compare.compare import compare
from chordsim.config.model import BackboneConfig
from chordsim.errors import ScenarioError, UserError
from chordsim.ledger.invariants import check
from chordsim.nets import embeddings
from chordsim.ragged import Ragged
from chordsim.round.candidates import payload_bytes
from chordsim.wire.frame import OVERHEAD_BYTES, encode_rows
from chordsim.wire.ids import pack_ids

CANDIDATES = 100
NAMES = ("fp32", "chord-plus", "popularity", "cloud-only", "forward-ofa")
OWN = ("cloud-only", "forward-ofa")
ITEMS = "data.synthetic.items=160"
SMALL = [
    f"methods={list(NAMES)!r}".replace("'", '"'),
    ITEMS,
    "data.synthetic.users=60",
    "training.max_steps=8",
    "training.eval_every=8",
    "backbone.dim=16",
    "backbone.ffn_dim=16",
    "backbone.max_len=16",
    "engine.chunk_size=16",
    "settings.chord-plus.profile_dim=8",
    "rounds.count=2",
    "population.tiers.low.memory_mb=9",
    "population.tiers.mid.memory_mb=9",
    "population.tiers.high.memory_mb=9",
    "population.spread=0",
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> tuple[RunResult, RunResult]:
    """The same scenario ranked among all items and among candidates."""
    folder = tmp_path_factory.mktemp("rankings")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_CACHE", str(shared_cache))
        every, listed = (
            chordsim.run("offline", overrides=[*SMALL, *more], out=folder / name)
            for name, more in (("all", []), ("candidates", ["protocol.ranking=candidates"]))
        )
    return every, listed


@pytest.mark.parametrize("bits", [32, 16, 8])
def test_what_is_charged_is_the_length_of_the_message_encoded(bits: int) -> None:
    backbone = BackboneConfig(dim=12, embedding_bits=bits)
    for n_items in (160, 300, 70_000):
        ids = np.random.default_rng(1).permutation(n_items)[:CANDIDATES][None] + 1
        table = embeddings.encode(torch.randn(n_items + 1, 12), bits, "item")
        rows = b"".join(part[torch.from_numpy(ids[0])].numpy().tobytes() for part in table.values())
        payload = pack_ids(ids, n_items).tobytes() + rows
        frame = encode_rows("candidates", "fp32", 1, Ragged.of_rows([payload]), np.ones(1, np.bool_))
        assert frame.lengths[0] == payload_bytes(backbone, n_items, CANDIDATES) + OVERHEAD_BYTES


def test_every_method_that_ranks_on_the_phone_is_charged_the_same_list_and_nothing_else_moves(both: tuple[RunResult, RunResult]) -> None:
    every, listed = (run.ledger.set_index(["method", "round", "device_id"]).sort_index() for run in both)
    payload = payload_bytes(BackboneConfig(dim=16), 160, CANDIDATES)
    others = ["bootstrap_bytes", "prescription_bytes", "up_bytes", "macs", "peak_memory_bytes", "cloud_macs", "bits_mean", "outcome"]
    for name in NAMES:
        before, after = every.loc[name], listed.loc[name]
        assert (after.outcome == "served").all()
        assert before[others].equals(after[others]), name
        extra = 0 if name in OWN else payload
        assert (after.candidates_bytes - before.candidates_bytes == extra).all(), name
        assert (after.down_bytes - before.down_bytes == extra + (OVERHEAD_BYTES if extra else 0)).all()
        assert (after.round_trips - before.round_trips == int(extra > 0)).all()
        assert (after.download_s > before.download_s).all() if extra else after.download_s.equals(before.download_s)


def test_a_rank_among_candidates_is_no_worse_and_a_missing_target_is_a_miss(both: tuple[RunResult, RunResult]) -> None:
    """The retriever is the same for all, so one column says for every method whose target was there."""
    every, listed = (run.ledger.pivot(index=["round", "device_id"], columns="method", values="rank") for run in both)
    missed = listed == 161
    for name in ("fp32", "chord-plus", "popularity", "forward-ofa"):
        assert missed[name].equals(missed["fp32"])
        there = ~missed[name]
        assert (listed[name][there] <= every[name][there]).all() and (listed[name][there] <= CANDIDATES).all()
    assert 0.05 < missed["fp32"].mean().item() < 0.9
    # A list is cut to the candidates: whom it did not hold before it does not hold now.
    assert missed["cloud-only"][every["cloud-only"] == 161].all()
    fallback = both[1].ledger.pivot(index=["round", "device_id"], columns="method", values="fallback_rank")["fp32"]
    assert (fallback == listed["popularity"]).all()


def test_both_pages_and_tables_say_which_ranking_it_was_and_compare_refuses_to_mix(both: tuple[RunResult, RunResult]) -> None:
    for run, words in zip(both, ("all items", "100 candidates"), strict=True):
        assert words in run.manifest["protocol"]["ranking"] and words in run.summary["protocol"]["ranking"]
        assert words in (run.path / "report.html").read_text().replace("&#x27;", "'")
    with pytest.raises(UserError, match="ranking protocol differ"):
        compare([run.path for run in both])


@pytest.mark.parametrize("cells", [1, 3])
def test_cut_links_reconcile_whoever_carries_the_cells(table: Callable[..., Any], cells: int) -> None:
    at = table(
        ITEMS, "protocol.ranking=candidates", "clock.loss=0.5", "rounds.new_model_every=1", methods=("fp32", "chord-plus", "cloud-only")
    )
    at.carrier.cells = cells
    for name in ("fp32", "chord-plus", "cloud-only"):
        for round in (1, 2):
            played = at.play(name, round)
            check(played.rows, played.moved)
    dropped = played.rows.is_word("outcome", "dropped")
    assert dropped.any()
    rows = at.play("fp32", 2).rows
    cut = (rows["candidates_bytes"] > 0) & (rows["cut_down_bytes"] > 0)
    assert cut.any() and rows.is_word("outcome", "dropped")[cut].all()
    # A list is charged to nobody whose bootstrap broke before it.
    assert ((rows["candidates_bytes"] == 0) & (rows["cut_down_bytes"] > 0)).any()


def test_a_small_catalogue_has_no_candidates(table: Callable[..., Any]) -> None:
    with pytest.raises(ScenarioError, match='"candidates" needs more than 100 items, and the .* = 100, or set it to 0'):
        table("protocol.ranking=candidates", methods=("fp32",))


def test_none_said_is_a_hundred_or_all_of_a_small_catalogue(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    asked = ["protocol.candidates=0", "protocol.ranking=candidates", "backbone.items=cached", "clock.loss=0.0"]
    run = chordsim.run("offline", overrides=tiny(*asked, methods=("fp32", "retriever")), out=tmp_path / "run", report=False)
    assert run.manifest["status"] == "complete"
    # Seen items are not listed, so whatever is not yet seen is.
    assert run.summary["methods"]["retriever"]["ceilings"]["ndcg_10"]["mean"] == 1.0
    for wrong in (5, -1):
        with pytest.raises(ScenarioError, match="protocol.candidates"):
            chordsim.run("offline", overrides=tiny(*asked, f"protocol.candidates={wrong}"), out=tmp_path / "other")
