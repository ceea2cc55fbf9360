"""`protocol.keep_lists`: what phones ranked first is in the ledger, by one rule whatever they rank by, and moves no ledger without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chordsim
from chordsim import evaluate
from chordsim.config.model import ProtocolConfig
from chordsim.engine.cell import CellReply
from chordsim.errors import InvariantError, RunError, ScenarioError
from chordsim.ledger.digest import rows_digest
from chordsim.ledger.parquet import iter_rows, read_rows, write_rows
from chordsim.ledger.rows import Rows, joined
from chordsim.round.quarantine import Asked, inspected
from chordsim.scenario.load import load
from chordsim.world import build
from tests.chordsim.conftest import columns_of

METHODS = ("chord-plus", "popularity", "cloud-only")


def plain(scores: list[float], items: list[int], out: set[int], count: int) -> list[int]:
    """The rule in plain Python: sort what may be shown by score, then id."""
    ranked = sorted((-score, item) for score, item in zip(scores, items, strict=True) if item > 0 and item not in out)
    return ([item for _, item in ranked] + [0] * count)[:count]


@pytest.mark.parametrize("seed", range(6))
def test_the_first_items_are_those_of_a_plain_sort(seed: int) -> None:
    rng = np.random.default_rng(seed)
    phones, n_items, kept = 7, int(rng.integers(3, 30)), int(rng.integers(1, 12))
    scores = rng.integers(0, 4, (phones, n_items + 1)).astype(np.float32)  # many ties
    had = [set(rng.integers(1, n_items + 1, rng.integers(0, 6)).tolist()) for _ in range(phones)]
    seen = tuple(np.array([*zip(*((row, item) for row in range(phones) for item in sorted(had[row])), strict=True)] or [[], []], np.int64))
    listed = np.array([rng.permutation(n_items)[:3] + 1 for _ in range(phones)])
    listed[0, -1] = 0
    for mask in (True, False):
        protocol = ProtocolConfig(mask_seen=mask, keep_lists=kept)
        out = had if mask else [set[int]()] * phones
        before = scores.copy()
        got = evaluate.first_items(protocol, n_items, seen, scores=scores)
        assert got.dtype == np.int32 and np.array_equal(scores, before)
        want = [plain(scores[row].tolist(), list(range(n_items + 1)), out[row], kept) for row in range(phones)]
        assert got.tolist() == want
        of_listed = np.take_along_axis(scores, listed, 1)
        want = [plain(of_listed[row].tolist(), listed[row].tolist(), out[row], kept) for row in range(phones)]
        assert evaluate.first_items(protocol, n_items, seen, scores=of_listed, listed=listed).tolist() == want
        assert evaluate.first_items(protocol, n_items, seen, scores=scores, candidates=listed).tolist() == want
        want = [([i for i in row if i > 0 and i not in out[n]] + [0] * kept)[:kept] for n, row in enumerate(listed.tolist())]
        assert evaluate.first_items(protocol, n_items, seen, listed=listed).tolist() == want


def run(tiny: Callable[..., list[str]], out: Path, *more: str, methods: tuple[str, ...] = METHODS, **keys: Any) -> Any:
    return chordsim.run("offline", overrides=tiny("clock.loss=0.2", *more, methods=methods), out=out, report=False, **keys)


def lists_agree_with_ranks(path: Path, kept: int) -> None:
    """Where a target stands in a phone's list is its rank, within a tie; a target below the list is not in it."""
    scenario = load(path / "scenario.toml")
    world = build(scenario)
    some = 0
    for rows in iter_rows(path):
        assert rows.lists is not None and rows.lists.shape == (len(rows), kept)
        users, rank = rows["user_id"], rows.floats("rank")
        targets, seen = world.split.targets(users, rows.round), world.split.seen(users, rows.round)
        assert not rows.lists[np.isnan(rank)].any()
        assert not (np.isin(rows.lists + np.arange(len(users))[:, None] * 10_000, seen[0] * 10_000 + seen[1]) & (rows.lists > 0)).any()
        place = np.where((rows.lists == targets[:, None]).any(1), (rows.lists == targets[:, None]).argmax(1) + 1, np.inf)
        whole = rank == np.floor(rank)
        if rows.method != "popularity":  # counts tie, and a tie's middle rank is no place
            inside = whole & (rank <= kept)
            assert (place[inside] == rank[inside]).all()
            assert np.isinf(place[~np.isnan(rank) & (rank > kept + 1)]).all()
            some += int(inside.sum())
    assert some > 10


def test_lists_stand_in_the_ledger_and_without_them_nothing_moves(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    without = run(tiny, tmp_path / "without")
    kept = run(tiny, tmp_path / "kept", "protocol.keep_lists=8", "engine.cells=3")
    lists_agree_with_ranks(kept.path, 8)
    assert "list" in kept.ledger and "list" not in without.ledger
    assert kept.ledger.drop(columns="list").equals(without.ledger)
    assert kept.manifest["ledger_sha256"] != without.manifest["ledger_sha256"]
    for bare, full in zip(iter_rows(without.path), iter_rows(kept.path), strict=True):
        assert rows_digest(bare) == rows_digest(Rows(full.method, full.round, full.values, full.nulls, full.words))


def test_candidates_and_old_plans_are_kept_too(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    listed = ('protocol.ranking="candidates"', "protocol.candidates=20", "protocol.keep_lists=12", "clock.deadline_s=2.0", "rounds.count=3")
    found = run(tiny, tmp_path / "listed", *listed)
    lists_agree_with_ranks(found.path, 12)
    frame = found.ledger
    stale = frame[frame["served_by"] == "stale"]
    assert len(stale) and all(row.any() for row in stale["list"])


def test_a_resumed_run_keeps_them(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    whole = run(tiny, tmp_path / "whole", "protocol.keep_lists=5", methods=("chord-plus",))
    cut = run(tiny, tmp_path / "cut", "protocol.keep_lists=5", methods=("chord-plus",))
    (cut.path / "ledger" / "chord-plus.round-00002.parquet").unlink()
    text = (cut.path / "manifest.json").read_text()
    (cut.path / "manifest.json").write_text(text.replace('"complete"', '"interrupted"'))
    again = chordsim.run(resume=cut.path, report=False)
    assert again.manifest["ledger_sha256"] == whole.manifest["ledger_sha256"]


def made(lists: Any, ndcg: Any = (0.5, np.nan)) -> Rows:
    return Rows.of("m", 1, {**columns_of(np.arange(2), np.array(ndcg), 1), "list": np.array(lists)})


def test_rows_with_lists_are_checked_hashed_and_read_back(tmp_path: Path) -> None:
    rows = made([[3, 1, 0], [0, 0, 0]])
    path = write_rows(tmp_path, rows, rows_digest(rows))
    back = read_rows(path)
    assert back.lists is not None and back.lists.dtype == np.int32 and back.lists.tolist() == [[3, 1, 0], [0, 0, 0]]
    assert rows_digest(back) == rows_digest(rows) != rows_digest(made([[1, 3, 0], [0, 0, 0]]))
    assert rows_digest(made([[3, 1], [0, 0]])) != rows_digest(rows)
    other = made([[1, 3, 0], [0, 0, 0]])
    write_rows(tmp_path, other, rows_digest(rows))
    with pytest.raises(RunError, match="do not match the digest"):
        read_rows(path)
    assert joined([rows, rows]).lists.tolist() == [*rows.lists.tolist()] * 2
    for wrong, words in (([[3], [1]], "not empty"), ([[0, 1], [0, 0]], "gap"), ([[-1], [0]], "no item"), ([[0.5], [0]], "integers")):
        with pytest.raises(InvariantError, match=words):
            made(wrong)


def test_lists_of_a_node_that_lies_are_set_aside() -> None:
    from collections import Counter

    from chordsim.methods import COST
    from chordsim.ragged import Ragged

    columns = {**{name: np.zeros(2, np.int64) for name in COST}, "rank": np.array([1.0, 2.0]), "bits": np.full(2, np.nan)}
    columns |= {"refusal": np.zeros(2, np.uint8)}
    asked = Asked(np.ones(2, np.bool_), [], np.ones((2, 0)), (2, 9))
    good = CellReply(0, {**columns, "list": np.array([[9, 1], [2, 0]], np.int32)}, dict[str, Ragged]())
    seen = Counter[str]()
    assert inspected(good, asked, seen).columns["list"].tolist() == [[9, 1], [2, 0]] and not +seen
    beyond = CellReply(0, {**columns, "list": np.array([[10, 1], [2, 0]], np.int32)})
    assert inspected(beyond, asked, seen).columns["list"].tolist() == [[0, 0], [2, 0]] and seen["implausible"] == 1
    for reply, of in ((CellReply(0, columns), asked), (good, Asked(asked.asked, [], asked.fraction))):
        assert "list" in inspected(reply, of, seen).error


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong, words in (("protocol.cuts=[10,5]", "ascend"), ("protocol.cuts=[0]", "cuts"), ("protocol.keep_lists=-1", "keep_lists")):
        with pytest.raises(ScenarioError, match=words):
            load("offline", [wrong])
    with pytest.raises(ScenarioError, match="nothing is ranked"):
        load("offline", ["protocol.keep_lists=5", 'protocol.metrics="none"'])
