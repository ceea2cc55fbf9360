"""The personal plans' experiments: what is declared can be played and is fair, and comes out as a page."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.personal_plans import __main__ as main_module  # noqa: E402
from benchmarks.personal_plans import document, drawings, experiments  # noqa: E402
from benchmarks.personal_plans.by_length import BY_LENGTH  # noqa: E402
from benchmarks.personal_plans.declared import Arm, Contest, Experiment  # noqa: E402
from benchmarks.personal_plans.experiments import EXPERIMENTS, NARROW, SHARES, STALE  # noqa: E402
from benchmarks.personal_plans.judging import chosen, claims, suite  # noqa: E402
from benchmarks.suites.agenda import cells  # noqa: E402
from benchmarks.suites.figures import Book  # noqa: E402
from benchmarks.suites.runs import Training, settled_steps  # noqa: E402
from benchmarks.suites.sheets import MINUS, cells_of, read_lines  # noqa: E402
from benchmarks.suites.verdicts import NOT_MEASURED  # noqa: E402
from chordsim.methods.chord.settings import SERVING  # noqa: E402
from chordsim.report.charts.plot import Points  # noqa: E402
from chordsim.store.training import CurveLine  # noqa: E402
from chordsim.store.training import write as write_curves  # noqa: E402
from chordsim.world import lists_of  # noqa: E402

SPARSITY = experiments.SPARSITY


def test_every_arm_can_be_played_and_every_name_that_is_compared_exists() -> None:
    for experiment, group in zip(EXPERIMENTS, suite(None), strict=True):
        assert len({piece.name for piece in group.pieces}) == len(group.pieces)
        for piece in group.pieces:
            made = group.resolved(piece, 1)
            assert made.methods == piece.methods and made.rounds.count == 10
        keys = {cell.key for cell in cells((group,))}
        assert {key for pair in experiment.family() for side in pair for key in cells_of(side)} <= keys
        assert all(claim.judge(Book([], [], [], [], [])).verdict == NOT_MEASURED for claim in claims(experiment))


def test_own_plans_of_all_budgets_are_one_training_and_shared_ones_of_each_budget_their_own() -> None:
    (group,) = (one for one in suite(None) if one.name == SPARSITY.name)
    settings = {piece.name: group.resolved(piece, 1).settings for piece in group.pieces}
    own = [dict(settings[f"own-{at}"]["chord-plus"]) for at in SHARES]
    assert [one.pop("bits") for one in own] == list(SHARES.values()) and all(one == own[0] for one in own)
    for at, bits in SHARES.items():
        swapped = settings[f"own-{at}"]["chord-swapped"]
        assert swapped["bits"] == bits and swapped["train_bits"] == list(SHARES.values())
        shared, vector = (settings[f"{kind}-{at}"]["chord-shared"] for kind in ("shared", "vector"))
        assert shared["train_bits"] == [bits] == [shared["bits"]] and shared["delivery"] == "bootstrap"
        assert vector == {**shared, "user_input": True}
        # What own and shared plans do not share is the planner, who was trained at which budgets, and when and what phones are told.
        differing = {"planner", "train_bits", "delivery", "told", "aged"}
        assert {key for key, value in shared.items() if own[0].get(key, bits) != value} <= differing


def test_every_staleness_is_served_from_one_training_and_swaps_lists() -> None:
    experiment = experiments.CANDIDATES
    (group,) = (one for one in suite(None) if one.name == experiment.name)
    made = {piece.name: group.resolved(piece, 1) for piece in group.pieces}
    for kind, trainings in (("own", 1), ("fused", 1), ("vector", 1), ("cloud", 0)):
        some = [made[f"{kind}-{k}"] for k in STALE]
        assert [one.retriever.aged for one in some if one.retriever] == list(STALE)
        assert all(lists_of(one) == lists_of(some[0]) and one.lister == some[0].lister for one in some)
        trained = {
            json.dumps({key: v for key, v in one.settings[one.methods[0]].items() if key not in SERVING}) for one in some if one.settings
        }
        assert len(trained) == trainings
        assert kind != "vector" or [one.settings["chord-shared"]["aged"] for one in some] == list(STALE)
    assert made["own-0"].settings["chord-swapped"]["swaps"] == "list" and made["own-0"].settings["chord-swapped"]["sees"] == "candidates"
    cloud, phones = made["own-0"].lister[0], made["own-0"].backbone
    assert (cloud.dim, cloud.ffn_dim, cloud.max_len) == (128, 256, 200) and phones.max_len == 50 and phones.dim == 64
    # Trained arms differ in what the claim is about alone: the same teacher, budgets and targets a step for all.
    shared, own = made["shared-0"].settings["chord-shared"], made["own-0"].settings["chord-plus"]
    assert {key for key in own if own[key] != shared.get(key)} == {"planner", "sees"} | ({"delivery"} & own.keys())


def test_an_arm_of_two_experiments_is_played_once() -> None:
    digests = {(cell.key, cell.seed): cell.scenario_digest for cell in cells(suite(None)) if cell.seed == 1}
    for one, two in (("chord-plus, own-400", "chord-plus, free"), ("chord-shared, shared", "chord-shared, shared")):
        assert digests[f"history/{one}", 1] == digests[f"codebook/{two}", 1]
    for one, two in (
        ("chord-plus, own-400", "own-drawn"),
        ("chord-shared, shared", "shared-drawn"),
        ("fp32, fp32-50", "fp32"),
        ("qat-2, qat-2", "qat-2"),
    ):
        assert digests[f"history/{one}", 1] == digests[f"signs/{one.partition(',')[0]}, {two}", 1]
    assert digests["history/chord-plus, own-50", 1] != digests["codebook/chord-plus, free", 1]


def test_narrow_rivals_store_and_compute_what_the_wide_network_does_under_its_budget() -> None:
    def weights(ffn: int) -> int:
        return 2 * (4 * 64 * 64 + 2 * 64 * ffn)

    for at, (ffn, bits) in NARROW.items():
        assert weights(ffn) * bits == weights(512) * SHARES[at]


def test_how_much_a_plan_says_is_drawn_by_its_bits() -> None:
    experiment = experiments.CODEBOOK
    said = {"shared": 0.14, "codes-16": 0.15, "codes-64": 0.16, "free": 0.17}
    scores = {**said, "free-even": 0.18}  # the same plans under a smaller budget, which is not on this axis
    accuracy = [
        {"group": "codebook", "label": experiment.key(name).partition("/")[2], "seed": "all", "ndcg_10": str(score)}
        for name, score in scores.items()
    ]
    chart = drawings.accuracy(Book(accuracy, [], [], [], []), experiment)
    assert chart is not None
    (points,) = chart.plots[0].marks
    assert isinstance(points, Points) and list(points.x) == ["0", "4", "6", "1,536"] and list(points.y) == list(said.values())
    # What free plans say is two bits a channel: four attention matrices of 64 and a feed-forward of 64 and 64, in two blocks.
    assert 2 * 2 * (4 * 64 + 64 + 64) == experiment.arm("free").says


@pytest.fixture
def tiny_experiment(tiny: Callable[..., list[str]]) -> Experiment:
    """Return two budgets of own plans against a shared and a narrower network, over made-up users."""
    over = tuple(text for text in tiny("population.devices=40", methods=()) if not text.startswith("methods="))
    small = ("profile_dim=8", "widths=[0, 2, 2, 2]", "gains=true", 'gains_of="code"')

    def shared(name: str, bits: float, *more: str) -> Arm:
        return Arm(name, "chord-shared", (*more, *small, f"train_bits=[{bits}]", f"bits={bits}", 'delivery="bootstrap"'), "shared")

    arms = (
        *(
            Arm(f"own-{at}", "chord-plus", (*small, f"bits={bits}"), "own", ("chord-swapped",))
            for at, bits in (("all", 2.0), ("half", 1.0))
        ),
        shared("shared-all", 2.0),
        shared("shared-half", 1.0),
        shared("narrow-half", 2.0, "backbone.ffn_dim=4"),
    )
    contests = (
        Contest("all", "own-all", ("shared-all",), (1, 2, 3)),
        Contest("half", "own-half", ("shared-half", "narrow-half"), (1, 2, 3)),
    )
    others = (("own-all", "chord-swapped:own-all"),)
    made = replace(SPARSITY, name="tiny", scenario="offline", overrides=over, frozen=small, arms=arms, contests=contests, ends=(0, 1))
    return replace(made, others=others, shares=(("own-all", "own-half", 0.9),), lengths=(("own-all", "own-half"),))


@pytest.mark.slow
def test_arms_are_played_one_by_one_and_come_out_as_a_page(
    tiny_experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main_module, "EXPERIMENTS", (tiny_experiment,))
    runs, tables = ["--runs", str(tmp_path / "runs")], ["--tables", str(tmp_path)]
    docs = ["--docs", str(tmp_path)]
    assert main_module.main(["run", "--only", "tiny/own-all", "--seed", "1", *runs, *tables]) == 0
    assert [path.name for path in (tmp_path / "runs").iterdir() if path.is_dir()] == ["tiny_own-all_seed-1"]
    assert main_module.main(["tables", *runs, *tables]) == main_module.main(["page", *tables, *docs]) == 0
    text = (tmp_path / document.NAME).read_text()
    assert "2 of 15 cells are measured" in text and "run --only tiny/shared-half" in text and "1 of 5 arms are measured" in text
    assert (tmp_path / "personal-plans-tiny.svg").exists() and "not protected yet" in text

    assert main_module.main(["run", *runs, *tables]) == 0
    assert main_module.main(["tables", *runs, *tables]) == 0
    book = Book.read(tmp_path)
    rival = chosen(book, tiny_experiment, tiny_experiment.contests[1])
    # Validation has named rivals now, so they have two seeds more to play, and nothing else has.
    assert {f"{one['label']} {one['seed']}" for one in book.cells if one["state"] == "missing"} == {
        f"chord-shared, {name} {seed}" for name in ("shared-all", rival) for seed in (2, 3)
    }
    assert main_module.main(["run", *runs, *tables]) == main_module.main(["tables", *runs, *tables]) == 0
    assert main_module.main(["page", *tables, *docs]) == 0
    assert not any(one["state"] == "missing" for one in Book.read(tmp_path).cells)

    def gain(own: str, other: str, seed: int) -> float:
        means = []
        for name, method in ((own, "chord-plus"), (other, "chord-shared")):
            ledger = tmp_path / "runs" / f"tiny_{name}_seed-{seed}" / "ledger"
            frame = pd.concat(pd.read_parquet(path) for path in sorted(ledger.glob(f"{method}.round-*.parquet")))
            means.append(frame.groupby(["user_id", "round"]).ndcg_10.mean().groupby("user_id").mean())
        return float((means[0] - means[1]).mean())

    sides, _ = next(one for one in tiny_experiment.growths() if one[1] == ("shared-all", rival))
    assert all(MINUS in side for side in sides)
    grown = next(one for one in read_lines(tmp_path / "differences.csv") if (one["own"], one["other"]) == sides)
    expected = [gain("own-half", str(rival), seed) - gain("own-all", "shared-all", seed) for seed in (1, 2, 3)]
    assert float(grown["difference"]) == pytest.approx(sum(expected) / 3, abs=1e-6) and grown["seeds"] == "1 2 3" and not grown["relative"]
    text = (tmp_path / document.NAME).read_text()
    assert "**not measured**" not in text.partition("### Arms")[0] or "which are not the same" in text
    assert "## What is missing\n\nNothing." in text and f"`{rival}` against `own-half`" in text
    assert (tmp_path / "personal-plans-costs.svg").exists()
    by_length = read_lines(tmp_path / BY_LENGTH)
    everybody = next(one for one in read_lines(tmp_path / "differences.csv") if one["other"].endswith(", own-half"))
    assert sum(int(one["users"]) for one in by_length) == int(everybody["users"])
    of_all = sum(float(one["difference"]) * int(one["users"]) for one in by_length if one["difference"])
    assert of_all / int(everybody["users"]) == pytest.approx(float(everybody["difference"]), abs=1e-3)
    assert "| 1 to 50 |" in text and (tmp_path / "personal-plans-tiny-lengths.svg").exists()
    # What is kept when runs are gone is what stood there, growth included.
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.csv")}
    assert main_module.main(["tables", "--runs", str(tmp_path / "none"), *tables]) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.csv")} == before


def test_a_training_has_settled_where_its_validation_first_is_within_one_per_cent_of_its_best(tmp_path: Path) -> None:
    curve = {0: 0.05, 250: 0.14, 500: 0.1584, 750: 0.1586, 1000: 0.1602, 1250: 0.1599}
    lines = [CurveLine("chord-plus", step, what, "", "", value) for step, value in curve.items() for what in ("loss", "validation_ndcg_10")]
    write_curves(tmp_path, [*lines, CurveLine("fp32", 250, "validation_ndcg_10", "", "", 0.9)])
    naive = min(step for step, value in curve.items() if value >= 0.99 * max(curve.values()))
    assert settled_steps(tmp_path, "chord-plus") == naive == 750 and settled_steps(tmp_path, "qat-2") is None
    assert Training(1250, 0.1602, 500.0, naive).settled_seconds == 300.0
    assert Training(1250, 0.1602, None, naive).settled_seconds is None
    (tmp_path / "training.csv").unlink()
    assert settled_steps(tmp_path, "chord-plus") is None
