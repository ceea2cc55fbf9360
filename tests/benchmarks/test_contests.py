"""How the personal plans' contests are judged: validation chooses rivals, fewer seeds say nothing, some contests end at seed 1."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.personal_plans import experiments  # noqa: E402
from benchmarks.personal_plans.declared import Experiment  # noqa: E402
from benchmarks.personal_plans.judging import above_rival, chosen, claims, equalled, grows, suite  # noqa: E402
from benchmarks.suites.figures import Book  # noqa: E402
from benchmarks.suites.verdicts import HELD, NOT_HELD, NOT_MEASURED  # noqa: E402

SPARSITY = experiments.SPARSITY


def line(own: str, other: str, **more: str) -> dict[str, str]:
    """Return a measured difference of five seeds."""
    known = {"own": own, "other": other, "seeds": "1 2 3 4 5", "p_holm": "0.01", "signs": "+++++", "relative_low": "", "relative_high": ""}
    return {**known, **more}


def book_of(
    validation: dict[str, float],
    differences: list[dict[str, str]],
    macs: dict[str, float] | None = None,
    experiment: Experiment = SPARSITY,
) -> Book:
    """Return tables in which these arms of an experiment have this validation at seed 1, and everybody these operations."""
    accuracy = [
        {
            "group": experiment.name,
            "label": experiment.key(name).partition("/")[2],
            "seed": seed,
            "validation_ndcg_10": str(score),
            "macs": str((macs or {}).get(name, 1e6)),
        }
        for name, score in validation.items()
        for seed in ("1", "all")
    ]
    return Book(accuracy, differences, [], [], [])


def test_a_rival_that_equals_own_at_every_staleness_falsifies() -> None:
    experiment = experiments.CANDIDATES

    def judged(seeds: str = "1 2 3 4 5", **gains: float) -> str:
        told = []
        for contest in experiment.contests:
            for rival in contest.rivals:
                gain = gains.get(rival.replace("-", "_"), 0.0)
                ends = {"low": str(gain - 0.001), "difference": str(gain), "relative": str(gain / 0.15)}
                told.append(line(experiment.key(contest.own), experiment.key(rival), seeds=seeds, **ends))
        return equalled(experiment)(book_of({}, told)).verdict

    assert judged(cloud_0=0.01, fused_10=0.01, vector_5=0.01) == HELD
    assert judged(cloud_0=0.01, fused_10=0.01) == NOT_HELD == judged(cloud_0=0.01, fused_0=0.01, fused_5=0.01)
    assert equalled(experiment)(book_of({}, [])).verdict == NOT_MEASURED == judged("1", cloud_0=0.01, fused_10=0.01, vector_5=0.01)


def test_the_rival_is_chosen_on_validation_whatever_the_test_items_say() -> None:
    contest = SPARSITY.contests[3]
    own, shared, vector = (SPARSITY.key(f"{kind}-eighth") for kind in ("own", "shared", "vector"))
    told = [
        line(own, shared, relative="-0.05", difference="-0.007", low="-0.01", high="-0.004"),
        line(own, vector, relative="0.05", difference="0.007", low="0.004", high="0.01"),
    ]
    scores = {"own-eighth": 0.16, "shared-eighth": 0.14, "vector-eighth": 0.15, "narrow-eighth": 0.13}
    book = book_of(scores, told)
    assert chosen(book, SPARSITY, contest) == "vector-eighth" and above_rival(SPARSITY, contest)(book).verdict == HELD
    assert above_rival(SPARSITY, contest)(book_of({**scores, "shared-eighth": 0.155}, told)).verdict == NOT_HELD
    # More operations win nothing and excuse nothing, fewer are no objection, and a rival without validation leaves all open.
    assert above_rival(SPARSITY, contest)(book_of(scores, told, {"own-eighth": 1.2e6})).verdict == NOT_MEASURED
    assert above_rival(SPARSITY, contest)(book_of({**scores, "shared-eighth": 0.155}, told, {"own-eighth": 1.2e6})).verdict == NOT_HELD
    assert above_rival(SPARSITY, contest)(book_of(scores, told, {"own-eighth": 0.8e6})).verdict == HELD
    assert above_rival(SPARSITY, contest)(book_of({**scores, "narrow-eighth": float("nan")}, told)).verdict == HELD
    del scores["narrow-eighth"]
    assert above_rival(SPARSITY, contest)(book_of(scores, told)).verdict == NOT_MEASURED
    # An interval above zero is not enough below the bar.
    small = [told[0], {**told[1], "relative": "0.016"}]
    assert above_rival(SPARSITY, contest)(book_of({**scores, "narrow-eighth": 0.13}, small)).verdict == NOT_HELD


def test_fewer_seeds_than_declared_are_shown_and_judged_by_nobody() -> None:
    contest, scores = SPARSITY.contests[3], {f"{kind}-eighth": 0.1 for kind in ("shared", "vector", "narrow")}
    gain = {"relative": "0.05", "difference": "0.007", "low": "0.004", "high": "0.01"}
    told = line(SPARSITY.key("own-eighth"), SPARSITY.key("shared-eighth"), **gain)
    assert above_rival(SPARSITY, contest)(book_of(scores, [told])).verdict == HELD
    early = above_rival(SPARSITY, contest)(book_of(scores, [{**told, "seeds": "1 2 3"}]))
    assert early.verdict == NOT_MEASURED and "+5.0%" in early.measured and "3 of 5 seeds" in early.measured


def test_the_chosen_rival_and_own_alone_get_more_seeds() -> None:
    before, after = (
        {piece.name: group.seeds_of(piece) for group in suite(book) if group.name == "sparsity" for piece in group.pieces}
        for book in (None, book_of({"shared-all": 0.14, "vector-all": 0.15}, []))
    )
    assert before["own-all"] == before["own-eighth"] == (1, 2, 3, 4, 5) and before["own-half"] == (1,)
    assert {name for name in after if after[name] != before[name]} == {"vector-all"} and after["vector-all"] == (1, 2, 3, 4, 5)


def test_a_strongest_rival_gets_all_seeds_and_a_verdict_of_its_own() -> None:
    experiment = experiments.CANDIDATES
    (group,) = (group for group in suite(None) if group.name == "candidates")
    seeds = {piece.name: group.seeds_of(piece) for piece in group.pieces}
    assert seeds["own-5"] == seeds["vector-5"] == experiments.SEEDS and seeds["cloud-5"] == seeds["fused-5"] == (1,)
    kinds = ("cloud", "fused", "vector")
    gain = {"relative": "0.05", "difference": "0.007", "low": "0.004", "high": "0.01"}
    told = {kind: line(experiment.key("own-0"), experiment.key(f"{kind}-0"), **gain) for kind in kinds}

    def book(**seeds: str) -> Book:
        lines = [{**told[kind], "seeds": seeds.get(kind, "1 2 3 4 5")} for kind in kinds]
        return book_of({"cloud-0": 0.2, "fused-0": 0.1, "vector-0": 0.1}, lines, experiment=experiment)

    fresh = [claim for claim in claims(experiment) if claim.text.startswith("fresh: ")]
    assert [claim.judge(book(vector="1")).verdict for claim in fresh] == [HELD, NOT_MEASURED]
    assert [claim.judge(book(cloud="1")).verdict for claim in fresh] == [NOT_MEASURED, HELD]
    assert "+5.0%" in (shown := fresh[1].judge(book(vector="1 2")).measured) and "2 of 5 seeds" in shown
    # Of a rival that does not decide, seed 1 is all that was declared.
    assert equalled(experiment)(book(fused="1")).verdict == HELD
    assert equalled(experiment)(book(cloud="1")).verdict == equalled(experiment)(book(vector="1")).verdict == NOT_MEASURED


@pytest.mark.parametrize(("high", "seeds"), [("0.019", (1,)), ("0.02", experiments.SEEDS)])
def test_a_contest_that_can_hardly_be_won_ends_at_seed_1(high: str, seeds: tuple[int, ...]) -> None:
    def played(experiment: Experiment, told: Book) -> set[tuple[int, ...]]:
        contest = experiment.contests[0]
        (group,) = (group for group in suite(told) if group.name == experiment.name)
        return {group.seeds_of(piece) for piece in group.pieces if piece.name in (contest.own, contest.rivals[0])}

    # Where gains have to grow all seeds are played, while there may be one at the second end.
    for experiment, wanted in ((experiments.LEARNT_SIGNS, seeds), (SPARSITY, experiments.SEEDS)):
        contest = experiment.contests[0]
        own, rival = experiment.key(contest.own), experiment.key(contest.rivals[0])
        ends = {"relative_high": high, "relative": "0.009", "difference": "0.001", "low": "-0.001"}
        scores = {name: 0.1 for name in contest.rivals}
        first = book_of(scores, [line(own, rival, seeds="1", **ends)], experiment=experiment)
        assert played(experiment, first) == {wanted}
        assert above_rival(experiment, contest)(first).verdict == (NOT_HELD if high == "0.019" else NOT_MEASURED)
        # What was played further is judged by all of it.
        assert played(experiment, book_of(scores, [line(own, rival, seeds="1 2", **ends)], experiment=experiment)) == {experiments.SEEDS}


def test_a_rival_that_validation_did_not_choose_can_deny_a_contest() -> None:
    contest, key = SPARSITY.contests[3], SPARSITY.key
    gain = {"seeds": "1", "relative": "0.05", "difference": "0.007", "low": "0.004", "high": "0.01", "relative_high": "0.07"}
    none = {**gain, "relative": "0.001", "difference": "0.0001", "low": "-0.001", "high": "0.001", "relative_high": "0.01"}
    scores = {"own-eighth": 0.15, "shared-eighth": 0.1, "vector-eighth": 0.1, "narrow-eighth": 0.2}
    told = [line(key(contest.own), key("narrow-eighth"), **gain), line(key(contest.own), key("vector-eighth"), **none)]
    assert above_rival(SPARSITY, contest)(book_of(scores, told[:1])).verdict == NOT_MEASURED
    denied = above_rival(SPARSITY, contest)(book_of(scores, told))
    assert denied.verdict == NOT_HELD and "vector-eighth" in denied.measured and "so far" not in denied.measured


def test_one_seed_grants_no_gain_over_a_named_rival_where_another_denies_the_contest() -> None:
    experiment = experiments.HISTORY
    (contest,) = experiment.contests
    own, named, denier = (experiment.key(name) for name in (contest.own, contest.strongest, "shared"))
    gain = {"seeds": "1", "relative": "0.05", "difference": "0.007", "low": "0.004", "high": "0.01", "relative_high": "0.07"}
    none = {**gain, "relative": "0.001", "difference": "0.0001", "low": "-0.001", "high": "0.001", "relative_high": "0.01"}
    book = book_of({name: 0.1 for name in contest.rivals}, [line(own, named, **gain), line(own, denier, **none)], experiment=experiment)
    assert above_rival(experiment, contest)(book).verdict == NOT_HELD
    assert above_rival(experiment, contest, contest.strongest)(book).verdict == NOT_MEASURED


def test_what_is_no_gain_at_the_second_end_has_not_grown() -> None:
    near, far = SPARSITY.contests[0], SPARSITY.contests[3]
    none = {"seeds": "1", "relative": "0.001", "difference": "0.0001", "low": "-0.001", "high": "0.001"}
    scores = {name: 0.1 for name in (near.own, *near.rivals, far.own, *far.rivals)}

    def judged(high_near: str, high_far: str) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
        told = [
            line(SPARSITY.key(contest.own), SPARSITY.key(f"vector-{at}"), **none, relative_high=high)
            for contest, at, high in ((near, "all", high_near), (far, "eighth", high_far))
        ]
        book = book_of(scores, told)
        (group,) = (group for group in suite(book) if group.name == "sparsity")
        seeds = {piece.name: group.seeds_of(piece) for piece in group.pieces}
        assert seeds["own-all"] == seeds["shared-all"] and seeds["own-eighth"] == seeds["shared-eighth"]
        return grows(SPARSITY)(book).verdict, seeds["own-all"], seeds["own-eighth"]

    every = experiments.SEEDS
    assert judged("0.03", "0.01") == (NOT_HELD, every, (1,)) and judged("0.01", "0.01") == (NOT_HELD, (1,), (1,))
    assert judged("0.01", "0.03") == judged("0.03", "0.03") == (NOT_MEASURED, every, every)


def test_growth_is_judged_between_the_rivals_that_validation_chose() -> None:
    scores = {name: 0.1 for one in SPARSITY.contests for name in (one.own, *one.rivals)} | {"vector-all": 0.2, "narrow-eighth": 0.2}
    (pair,) = (sides for sides, names in SPARSITY.growths() if names == ("vector-all", "narrow-eighth"))
    grown = line(*pair, difference="0.004", own_mean="0.006", other_mean="0.002", low="0.001", high="0.007")
    assert grows(SPARSITY)(book_of(scores, [grown])).verdict == HELD
    assert grows(SPARSITY)(book_of(scores, [{**grown, "low": "-0.001"}])).verdict == NOT_HELD
    assert grows(SPARSITY)(book_of({**scores, "shared-all": 0.3}, [grown])).verdict == NOT_MEASURED
    assert grows(SPARSITY)(book_of(scores, [{**grown, "seeds": "1"}])).verdict == NOT_MEASURED
