"""Who lists: a model of its own, the cloud's own order as a method, and what a list allows at most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chordsim
from chordsim.api import RunResult
from chordsim.errors import ScenarioError
from chordsim.evaluate import metrics
from chordsim.progress import Silent
from chordsim.report.listed import listed
from chordsim.report.terminal_tables import listed_table
from chordsim.scenario.load import load
from chordsim.scenario.text import dump
from chordsim.world import World, lists_of, of_text
from server.hosting import train
from server.model_retriever import ModelLists, RetrieverModel, context_of
from server.training import cache

LISTED = 20
NAMES = ("retriever", "fp32", "chord-plus", "cloud-only")
WIDE = ("retriever.dim=24", "retriever.ffn_dim=32", "retriever.max_len=30", "retriever.positions=99")
CACHED = (f"protocol.candidates={LISTED}", "protocol.ranking=candidates", "backbone.items=cached", "clock.loss=0.0", "rounds.count=2")
MODEL = ("protocol.ranking=candidates", "protocol.retriever=model")
RUN: dict[str, RunResult] = {}


@pytest.fixture
def runs(tiny: Callable[..., list[str]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunResult]:
    """One run for each retriever, of the same scenario."""
    if not RUN:
        for kind in ("counts", "model"):
            overrides = tiny(*CACHED, f"protocol.retriever={kind}", methods=NAMES)
            RUN[kind] = chordsim.run("offline", overrides=overrides, out=tmp_path_factory.mktemp(kind) / "run")
    return RUN


def world_of(tiny: Callable[..., list[str]], kind: str) -> World:
    world = of_text(dump(load("offline", tiny(*CACHED, f"protocol.retriever={kind}", methods=NAMES))))
    train(world, Silent())
    return world


@pytest.mark.parametrize("kind", ["counts", "model"])
def test_the_clouds_own_order_is_the_place_of_the_target_in_its_list(
    kind: str, tiny: Callable[..., list[str]], runs: dict[str, RunResult]
) -> None:
    world, rows = world_of(tiny, kind), runs[kind].ledger.query("method == 'retriever'")
    assert (rows.outcome == "served").all() and rows.rows_bytes.eq(0).all() and rows.bootstrap_bytes.eq(0).all()
    found = 0
    for row in rows.itertuples():
        user = np.array([row.user_id])
        lists = world.candidates(user)
        assert lists is not None
        had = set(world.split.seen(user, row.round)[1].tolist())
        left = [item for item in lists[0].tolist() if item and item not in had]
        target = int(world.split.targets(user, row.round)[0])
        found += target in left
        assert row.rank == (left.index(target) + 1 if target in left else world.n_items + 1)
    assert 0 < found < len(rows)


def test_a_model_that_lists_is_nobody_who_is_compared_and_stands_in_the_manifest(
    tiny: Callable[..., list[str]], runs: dict[str, RunResult]
) -> None:
    told = runs["model"].manifest["retriever"]
    assert told["kind"] == "model" and told["seed"] != runs["model"].manifest["seed"]
    assert told["backbone"]["embedding_bits"] == 32 and told["steps"] > 0 and "validation_ndcg_10" in told
    assert runs["counts"].manifest["retriever"] == {"kind": "counts"}
    assert runs["model"].summary["engine"]["cloud_s"] > 0
    everybody = np.arange(40)
    one, other = (world_of(tiny, kind).candidates(everybody) for kind in ("counts", "model"))
    assert one is not None and other is not None and (one != other).any()
    assert runs["model"].manifest["protocol"]["retriever"] != runs["counts"].manifest["protocol"]["retriever"]


def test_a_model_with_a_shape_of_its_own_reads_as_far_back_as_it_says(tiny: Callable[..., list[str]]) -> None:
    """Items from beyond the phones' window move the lists of who reads further, and nobody else's; `aged` forgets the last ones."""
    moved = {}
    for name, more in (("phones'", ()), ("own", WIDE)):
        scenario = load("offline", tiny(*CACHED, *more, "protocol.retriever=model", methods=("retriever",)))
        world = of_text(dump(scenario))
        model = RetrieverModel(context_of(*scenario.lister, world.n_items, scenario.seed))
        state, logs = cache.trained(model, world.logs, Silent())[0], world.logs
        assert scenario.backbone.max_len == 12 and state["item"].shape[1] == (24 if more else 16)

        def lists(of: Any, state: Any = state, model: RetrieverModel = model, **how: Any) -> Any:
            return ModelLists(model, state, of, 40, LISTED, repeat=True, **how).listed(np.arange(40))

        place = np.repeat(logs.offsets[1:], np.diff(logs.offsets)) - np.arange(logs.items.size)
        older = replace(logs, items=np.where(place > 12, logs.items % logs.n_items + 1, logs.items))
        moved[name] = (lists(logs) != lists(older)).any(1)
        # What `aged` leaves is what a shorter log says; users of whom it leaves nothing get what is popular.
        kept = place > 5
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.maximum(np.diff(logs.offsets) - 5, 0))])
        some = np.diff(offsets) > 0
        shorter = replace(logs, items=logs.items[kept], offsets=offsets)
        assert np.array_equal(lists(logs, aged=5)[some], lists(shorter)[some])
    long = np.diff(logs.offsets) > 12
    assert not moved["phones'"].any() and moved["own"][long].any() and not moved["own"][~long].any()


def test_a_shape_of_its_own_stands_in_manifest_and_protocol(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    overrides = tiny(*CACHED, *WIDE, "retriever.aged=3", "protocol.retriever=model", "rounds.count=1", methods=("retriever",))
    run = chordsim.run("offline", overrides=overrides, out=tmp_path / "run", report=False)
    told = run.manifest["retriever"]
    assert told["aged"] == 3 and {key: told["backbone"][key] for key in ("dim", "ffn_dim", "max_len")} == {
        "dim": 24,
        "ffn_dim": 32,
        "max_len": 30,
    }
    words = "of its own: dim 24, ffn_dim 32, max_len 30, positions 99; its lists are those of 3 items"
    assert words in run.manifest["protocol"]["retriever"]
    made = [load("offline", tiny(*CACHED, *WIDE, *more, "protocol.retriever=model")) for more in ((), ("retriever.aged=3",))]
    fresh, aged = (lists_of(one) for one in made)
    assert fresh and aged and fresh.recipe() == aged.recipe() and fresh.recipe()["training"]["positions"] == 99
    assert made[0].training.positions != 99 == made[0].lister[1].positions
    assert "[retriever]" not in dump(load("offline", tiny(*CACHED, "protocol.retriever=model", methods=("retriever",))))


def test_lists_do_not_depend_on_who_is_asked_for(tiny: Callable[..., list[str]]) -> None:
    world = world_of(tiny, "model")
    whole = world.candidates(np.arange(40))
    train(world, Silent())
    alone = world.candidates(np.array([33, 2, 33]))
    assert whole is not None and alone is not None and np.array_equal(alone, whole[[33, 2, 33]])
    rows, items = world.split.seen(np.arange(40), 0)
    had = set(zip(rows.tolist(), items.tolist(), strict=True))
    assert not any((user, item) in had for user, row in enumerate(whole.tolist()) for item in row if item)
    assert all(len(set(row) - {0}) == len([i for i in row if i]) for row in whole.tolist())


@pytest.mark.parametrize("kind", ["counts", "model"])
def test_ceilings_and_metrics_where_the_target_was_listed_are_those_of_the_ledger(kind: str, runs: dict[str, RunResult]) -> None:
    run = runs[kind]
    for name in NAMES:
        rows, m = run.ledger.query(f"method == {name!r}"), run.summary["methods"][name]
        hit = rows.fallback_rank <= LISTED
        for metric in ("ndcg_10", "ndcg_10_all", "hr_10"):
            some = rows[rows[metric].notna()]
            ceiling = hit[some.index].groupby(some.user_id).mean().mean()
            given = some[hit[some.index]].groupby("user_id")[metric].mean().mean()
            assert m["ceilings"][metric]["mean"] == pytest.approx(ceiling)
            assert m["given_listed"][metric]["mean"] == pytest.approx(given)
            assert m[metric]["mean"] <= m["ceilings"][metric]["mean"] + 1e-12
        # Whoever ranks it, a target that was not listed is a miss.
        assert (metrics(rows["rank"][~hit].dropna().to_numpy(), 60)["mrr"] == 0).all()


def test_what_the_lists_allow_stands_in_table_and_page(runs: dict[str, RunResult]) -> None:
    table = listed_table(runs["counts"].summary)
    assert table is not None and [row[0] for row in table.rows] == list(NAMES)
    m = runs["counts"].summary["methods"]["fp32"]
    shown = table.rows[NAMES.index("fp32")]
    assert shown[2] == f"{m['ceilings']['ndcg_10_all']['mean']:.4f}" and shown[3] == f"{m['given_listed']['ndcg_10_all']['mean']:.4f}"
    blocks: list[Any] = listed(runs["counts"].summary["methods"])
    assert blocks[-1].rows[NAMES.index("fp32")][2] == m["ceilings"]["ndcg_10_all"]["mean"]
    page = (runs["counts"].path / "report.html").read_text()
    assert "What the lists allow" in page


def test_everything_is_ranked_without_ceilings(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    run = chordsim.run("offline", overrides=tiny(methods=("popularity",)), out=tmp_path / "run")
    assert "ceilings" not in run.summary["methods"]["popularity"] and listed_table(run.summary) is None
    assert listed(run.summary["methods"]) == [] and "retriever" not in run.manifest and "cloud_s" not in run.summary["engine"]


def test_the_same_ledger_with_any_number_of_cells_and_chunks_of_users(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    hashes = set()
    for cells, workers in ((1, 1), (3, 2)):
        more = (*CACHED, "protocol.retriever=model", f"engine.cells={cells}", f"engine.workers={workers}")
        run = chordsim.run("offline", overrides=tiny(*more, methods=("retriever", "fp32")), out=tmp_path / f"{cells}")
        hashes.add(run.manifest["ledger_sha256"])
    assert len(hashes) == 1


def test_where_everything_is_ranked_the_clouds_list_is_a_list_like_another(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    overrides = tiny(f"protocol.candidates={LISTED}", "clock.loss=0.0", methods=("retriever", "popularity"))
    run = chordsim.run("offline", overrides=overrides, out=tmp_path / "run")
    rows = run.ledger[run.ledger.method == "retriever"]
    assert rows.candidates_bytes.isin([0, LISTED]).all() and rows.candidates_bytes.max() == LISTED
    ranks = rows["rank"].dropna()
    assert ((ranks <= LISTED) | (ranks == 61)).all() and (ranks <= LISTED).any()


def test_an_old_plan_is_shown_on_the_models_list(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    """Phones that own the catalogue and were not served show what they held, on the list of today."""
    more = ("protocol.ranking=candidates", f"protocol.candidates={LISTED}", "protocol.retriever=model", "clock.loss=0.2", "rounds.count=4")
    run = chordsim.run("offline", overrides=tiny(*more, methods=("chord-plus",)), out=tmp_path / "run")
    stale = run.ledger[run.ledger.served_by == "stale"]
    assert len(stale) and stale["rank"].notna().all()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["protocol.retriever=model"], 'protocol.retriever = "model" goes with protocol.ranking = "candidates"'),
        (['methods=["fp32","retriever"]', "protocol.ranking=sampled-100"], "needs scores, and 'retriever' sends a list"),
        (["protocol.retriever=magic"], "protocol.retriever"),
        (["retriever.dim=128"], 'retriever: this table goes with protocol.retriever = "model", and that is "counts"'),
        ([*MODEL, "retriever.heads=3"], "retriever.heads must divide retriever.dim"),
        ([*MODEL, "retriever.max_len=1"], "retriever.max_len: must be greater than or equal to 2"),
        ([*MODEL, "retriever.kind=caser"], "unknown key 'retriever.kind'"),
        (
            [*MODEL, "backbone.kind=caser", "retriever.blocks=1"],
            'retriever.blocks is for backbone.kind = "sasrec": with "caser" leave it out',
        ),
        (["protocol.ranking=candidates", "protocol.candidates=5"], "protocol.candidates"),
        (
            ["protocol.ranking=candidates", "backbone.items=cached", "backbone.cache_rows=20"],
            "a history window of 20 items and a list of 100",
        ),
    ],
)
def test_what_contradicts_is_one_line(overrides: list[str], words: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load("offline", overrides)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_more_candidates_than_items_is_one_line(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    overrides = tiny("protocol.ranking=candidates", "protocol.candidates=60", methods=("fp32",))
    with pytest.raises(ScenarioError, match="needs more than 60 items"):
        chordsim.run("offline", overrides=overrides, out=tmp_path / "run")
