"""The reproduction suite at a tiny size: it resumes, its tables come out of ledgers, its page says what is missing, its verdicts judge."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy import stats

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import chordsim  # noqa: E402
from benchmarks.reproduction import __main__ as main_module  # noqa: E402
from benchmarks.reproduction import document, on_phone  # noqa: E402
from benchmarks.reproduction.__main__ import main  # noqa: E402
from benchmarks.reproduction.claims import ABSTRACT, CLAIMS, NEEDED  # noqa: E402
from benchmarks.reproduction.families import FAMILIES  # noqa: E402
from benchmarks.reproduction.suite import SUITE  # noqa: E402
from benchmarks.suites import figures, raw_tables, users  # noqa: E402
from benchmarks.suites.agenda import Group, Piece, cells  # noqa: E402
from benchmarks.suites.play import play_all  # noqa: E402
from benchmarks.suites.verdicts import (  # noqa: E402
    HELD,
    NOT_HELD,
    NOT_MEASURED,
    above,
    at_equal_bits,
    at_least_of,
    at_most,
    not_below,
    reaches,
    share,
)
from chordsim.errors import RunError, UserError  # noqa: E402
from chordsim.ledger.summary import UNKNOWN  # noqa: E402
from chordsim.progress import Silent  # noqa: E402

SMALL = ("settings.chord-plus.profile_dim=8",)
PAIRS = {"tiny": (("tiny/chord-plus", "tiny/fp32"), ("tiny/fp32", "tiny/popularity"), ("tiny/fp32", "tiny/markov"))}


@pytest.fixture
def suite(tiny: Callable[..., list[str]]) -> tuple[Group, ...]:
    """Return two pieces of two seeds, and one that no test plays."""
    given = tiny("population.devices=40", methods=())
    overrides = tuple(text for text in given if not text.startswith("methods="))
    return (
        Group(
            "tiny",
            "offline",
            (1, 2),
            (Piece("references", ("fp32", "popularity")), Piece("plans", ("chord-plus",), SMALL), Piece("more", ("markov",))),
            overrides,
        ),
    )


@pytest.fixture
def played(suite: tuple[Group, ...], tmp_path: Path) -> Path:
    for piece in ("tiny/references", "tiny/plans"):
        assert play_all(suite, piece, tmp_path / "runs") == (2, [])
    raw_tables.write(tmp_path / "runs", tmp_path / "tables", suite, PAIRS)
    return tmp_path


def lines(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_every_shipped_piece_resolves_and_every_name_that_is_judged_exists() -> None:
    for group in SUITE:
        for piece in group.pieces:
            assert group.resolved(piece, 1).methods == piece.methods
        # Controls of `chord` that are played apart are those of the `chord` that is played here.
        settings = {piece.name: group.resolved(piece, 1).settings for piece in group.pieces}
        for name, table in settings.get("chord-controls", {}).items():
            whose = {"swaps": "user"} if name == "chord-swapped" else {}
            assert table == {**settings["chord"]["chord"], "plans_of": "chord", **whose}, (group.name, name)
        if "no-plan" in settings:
            shared = {key: settings["chord"]["chord"][key] for key in ("law", "gains", "start", "horizon", "activation_bits")}
            assert settings["no-plan"]["frozen-3"] == {"width": 3, **shared}, group.name
    keys = {cell.key for cell in cells(SUITE)}
    assert {key for pairs in FAMILIES.values() for pair in pairs for key in pair} <= keys
    assert {f"ml-1m/{name}" for name in NEEDED} <= keys


def test_what_is_complete_is_not_played_again(played: Path, suite: tuple[Group, ...]) -> None:
    assert play_all(suite, "tiny/plans", played / "runs") == (0, [])
    with pytest.raises(UserError, match=r"--seed 3: no such seed of tiny/plans"):
        play_all(suite, "tiny/plans", played / "runs", 3)
    with pytest.raises(UserError, match=r"no such piece.*tiny/more"):
        play_all(suite, "tiny/other", played / "runs")


def test_a_piece_that_was_cut_off_goes_on(suite: tuple[Group, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from server.stages import LiveStage

    whole = tmp_path / "whole"
    play_all(suite, "tiny/references", whole)
    real, seen = LiveStage.play, 0

    def cut(*args: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == 3:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(LiveStage, "play", cut)
    with pytest.raises(KeyboardInterrupt):
        play_all(suite, "tiny/references", tmp_path / "runs")
    monkeypatch.setattr(LiveStage, "play", real)
    assert play_all(suite, "tiny/references", tmp_path / "runs") == (2, [])
    hashes = []
    for folder in (whole, tmp_path / "runs"):
        raw_tables.write(folder, folder, suite, PAIRS)
        hashes.append([line["ledger_sha256"] for line in lines(folder / raw_tables.CELLS)])
    assert hashes[0] == hashes[1] and sum(map(bool, hashes[0])) == 4


def test_tables_are_what_a_naive_reader_of_the_ledgers_finds(played: Path) -> None:
    rows = lines(played / "tables" / raw_tables.ACCURACY)
    means = []
    for seed in (1, 2):
        run = played / "runs" / f"tiny_plans_seed-{seed}" / "ledger"
        frame = pd.concat(pd.read_parquet(path) for path in sorted(run.glob("*.parquet")))
        line = next(line for line in rows if (line["label"], line["seed"]) == ("chord-plus", str(seed)))
        per_user = frame.groupby(["user_id", "round"]).ndcg_10.mean().groupby("user_id").mean()
        assert float(line["ndcg_10"]) == pytest.approx(per_user.mean(), rel=1e-6)
        last = frame[frame["round"] == frame["round"].max()].groupby("user_id").ndcg_10.mean().mean()
        assert float(line["ndcg_10_last"]) == pytest.approx(last, rel=1e-6)
        assert float(line["prescription_bytes"]) == frame[frame.outcome == "served"].prescription_bytes.mean()
        means.append(frame.groupby(["user_id", "round"]).ndcg_10.mean())
    both = next(line for line in rows if (line["label"], line["seed"]) == ("chord-plus", raw_tables.ALL_SEEDS))
    assert float(both["ndcg_10"]) == pytest.approx(pd.concat(means).groupby("user_id").mean().mean(), rel=1e-6) and both["seeds"] == "1 2"


def test_a_group_of_strangers_counts_those_alone_whom_the_cloud_never_trained_on(suite: tuple[Group, ...], tmp_path: Path) -> None:
    known = replace(suite[0], name="known", seeds=(1,), pieces=(Piece("all", ("popularity",)),))
    apart = replace(known, name="apart", overrides=(*known.overrides, "data.cloud_share=0.5"), strangers=True)
    assert play_all((known, apart), None, tmp_path) == (2, [])
    raw_tables.write(tmp_path, tmp_path, (known, apart), {"apart": (("apart/popularity", "known/popularity"),)})
    everybody, strangers = (line for line in lines(tmp_path / raw_tables.ACCURACY) if line["seed"] == raw_tables.ALL_SEEDS)
    told = json.loads((tmp_path / "apart_all_seed-1" / "summary.json").read_text())["methods"]["popularity"][UNKNOWN]["ndcg_10"]
    assert int(strangers["users"]) == told["users"] < int(everybody["users"])
    assert float(strangers["ndcg_10"]) == pytest.approx(told["mean"], rel=1e-6)
    (line,) = lines(tmp_path / raw_tables.DIFFERENCES)
    assert int(line["users"]) == told["users"] and float(line["own_mean"]) == pytest.approx(told["mean"], rel=1e-6)


def test_missing_cells_are_counted_in_holm_and_shown_with_their_command(played: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = lines(played / "tables" / raw_tables.DIFFERENCES)
    assert [row["family_size"] for row in rows] == ["3"] * 3
    for row in rows[:2]:
        assert not row["p_holm"] + row["p"] + row["low"] + row["interval_over"] and len(row["signs"]) == 2, "two seeds are too few"
        assert float(row["difference"]) == pytest.approx(float(row["own_mean"]) - float(row["other_mean"]), abs=1e-7)
    monkeypatch.setattr(document, "FAMILIES", PAIRS)
    text = document.page(played / "tables")
    assert "Missing: `markov`." in text and "6 of 8 cells are measured" in text
    # The command that fills it stands once, on a line of its own that can be copied, and no table has it.
    command = "python -m benchmarks.reproduction run --only tiny/more"
    assert [line for line in text.splitlines() if command in line] == [f"{command}  # markov (seeds 1 2)"]
    assert "family of 3" in text and "Missing, and counted in Holm's correction: " in text
    # Claims on other sets are open, and none is held by what is not there.
    assert text.count("**not measured**") == len(ABSTRACT) + sum(map(len, CLAIMS.values())) and "**held**" not in text


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_was_measured_elsewhere_stays(played: Path, suite: tuple[Group, ...]) -> None:
    before = files(played / "tables")
    assert len(before) == 3 + 6, "three tables, and the users of six cells"
    shutil.rmtree(played / "runs" / "tiny_plans_seed-1")
    for folder in ("runs", "none"):
        told = raw_tables.write(played / folder, played / "tables", suite, PAIRS)
        assert files(played / "tables") == before
    assert told == [f"6 of 8 cells are measured: 0 in {played / 'none'}, 6 before"]


def write_apart(runs: Path, tables: Path, suite: tuple[Group, ...], *, forget: bool = False) -> None:
    """Write tables seed by seed, as on machines that have nothing of one another but the tables, or not even their users' values."""
    for seed in suite[0].seeds:
        apart = tables / f"runs-{seed}"
        for run in runs.glob(f"*_seed-{seed}"):
            shutil.copytree(run, apart / run.name)
        raw_tables.write(apart, tables, suite, PAIRS)
        shutil.rmtree(apart)
        if forget:
            shutil.rmtree(tables / users.FOLDER)


def test_a_seed_from_elsewhere_is_joined_with_seeds_at_hand(played: Path, suite: tuple[Group, ...], tmp_path: Path) -> None:
    write_apart(played / "runs", tmp_path / "joined", suite)
    one, other = files(played / "tables"), files(tmp_path / "joined")
    tables = [csv.DictReader(made.pop(raw_tables.ACCURACY).decode().splitlines()) for made in (one, other)]
    assert one == other
    for whole, joined in zip(*tables, strict=True):
        # Means over seeds are made of seeds' lines, which are rounded.
        apart = {name: (value, joined[name]) for name, value in whole.items() if value != joined[name]}
        assert all(float(a) == pytest.approx(float(b), rel=1e-6) for a, b in apart.values()) and joined.keys() == whole.keys()


def test_a_seed_whose_users_are_not_known_is_joined_by_its_mean_alone(played: Path, suite: tuple[Group, ...], tmp_path: Path) -> None:
    whole = {line["seed"]: line for line in lines(played / "tables" / raw_tables.ACCURACY) if line["label"] == "chord-plus"}
    (pair,) = (line for line in lines(played / "tables" / raw_tables.DIFFERENCES) if line["own"] == "tiny/chord-plus")
    write_apart(played / "runs", tmp_path / "joined", suite, forget=True)
    joined = {line["seed"]: line for line in lines(tmp_path / "joined" / raw_tables.ACCURACY) if line["label"] == "chord-plus"}
    assert list(joined) == ["1", "2", raw_tables.ALL_SEEDS] and joined[raw_tables.ALL_SEEDS]["seeds"] == "1 2"
    for name, value in whole[raw_tables.ALL_SEEDS].items():
        if name in (*raw_tables.METRICS, "bits_mean", "bytes_after_10", "train_steps"):
            assert float(joined[raw_tables.ALL_SEEDS][name]) == pytest.approx(float(value), rel=1e-6)
    (kept,) = (line for line in lines(tmp_path / "joined" / raw_tables.DIFFERENCES) if line["own"] == "tiny/chord-plus")
    assert (kept["seeds"], pair["seeds"]) == ("1", "1 2") and kept["by_seed"] == pair["by_seed"].split()[0]


def test_users_of_another_run_than_the_tables_tell_are_refused(played: Path, suite: tuple[Group, ...]) -> None:
    one, other = sorted((played / "tables" / users.FOLDER / "tiny").glob("references_*_seed-[12].json"))[:2]
    whole = one.read_bytes()
    for damage, told in (
        (other.read_bytes(), "of another run than its line in cells.csv"),
        (b"{}", "not users' values of a cell"),
        (whole.replace(b'"rounds":[[', b'"rounds":[[-9'), "not users' values"),
    ):
        one.write_bytes(damage)
        with pytest.raises(RunError, match=rf"{one.name}: {told}"):
            raw_tables.write(played / "none", played / "tables", suite, PAIRS)
    one.write_bytes(whole)
    assert raw_tables.write(played / "none", played / "tables", suite, PAIRS)


def test_three_seeds_have_an_interval_and_p_over_users_and_seeds(suite: tuple[Group, ...], tmp_path: Path) -> None:
    three = (replace(suite[0], seeds=(1, 2, 3), pieces=suite[0].pieces[:1]),)
    assert play_all(three, None, tmp_path / "runs") == (3, [])
    family = {"tiny": (("tiny/fp32", "tiny/popularity"), ("tiny/fp32", "tiny/markov"))}
    raw_tables.write(tmp_path / "runs", tmp_path, three, family)
    # The synthetic users of another seed are other people, so that intervals are Student's over seeds.
    by_seed = [line for line in lines(tmp_path / raw_tables.ACCURACY) if line["label"] == "fp32"]
    values, whole = [float(line["ndcg_10"]) for line in by_seed[:3]], by_seed[3]
    ends = stats.t.interval(0.95, 2, sum(values) / 3, stats.sem(values))
    assert (float(whole["ndcg_10_low"]), float(whole["ndcg_10_high"])) == pytest.approx(ends, rel=1e-5)
    assert [line["interval_over"] for line in by_seed] == ["users", "users", "users", "users and seeds"]
    write_apart(tmp_path / "runs", tmp_path / "joined", three)
    assert lines(tmp_path / "joined" / raw_tables.ACCURACY)[3]["ndcg_10_low"] == whole["ndcg_10_low"]
    pair, missing = lines(tmp_path / raw_tables.DIFFERENCES)
    apart = [float(one.partition(":")[2]) for one in pair["by_seed"].split()]
    assert float(pair["p"]) == pytest.approx(stats.ttest_1samp(apart, 0).pvalue, rel=1e-2)
    assert float(pair["p_holm"]) == pytest.approx(min(1, 2 * float(pair["p"]))) and not missing["p"]


def test_a_cell_in_another_form_is_dropped_and_named(played: Path, suite: tuple[Group, ...]) -> None:
    references, plans, more = suite[0].pieces
    changed = (replace(suite[0], pieces=(references, replace(plans, overrides=("settings.chord-plus.profile_dim=4",)), more)),)
    told = raw_tables.write(played / "none", played / "tables", changed, PAIRS)
    assert told[0].startswith("4 of 8 cells are measured") and len(told) == 3
    assert all("dropped" in line and "tiny/chord-plus, seed" in line for line in told[1:])
    assert {line["label"] for line in lines(played / "tables" / raw_tables.ACCURACY)} == {"fp32", "popularity"}
    assert [bool(line["difference"]) for line in lines(played / "tables" / raw_tables.DIFFERENCES)] == [False, True, False]


def test_missing_plays_what_the_tables_do_not_have(played: Path, suite: tuple[Group, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main_module, "SUITE", suite)
    command = ["run", "--missing", "--runs", str(played / "anew"), "--tables", str(played / "tables")]
    assert main(command) == 0
    assert sorted(path.name for path in (played / "anew").iterdir() if path.is_dir()) == ["tiny_more_seed-1", "tiny_more_seed-2"]


def test_verdicts_judge_what_tables_say(played: Path) -> None:
    book = document.Book.read(played / "tables")
    score = book.number("tiny/fp32", "ndcg_10_last")
    assert score is not None
    assert reaches("tiny/fp32", ndcg_10_last=score)(book).verdict == HELD
    assert reaches("tiny/fp32", ndcg_10_last=score + 1e-6)(book).verdict == NOT_HELD
    assert reaches("tiny/markov", ndcg_10_last=0.0)(book).verdict == NOT_MEASURED
    difference = book.difference("tiny/chord-plus", "tiny/fp32")
    assert difference is not None
    part = 1 + float(difference["relative"])
    assert share("tiny/chord-plus", "tiny/fp32", part - 1e-6)(book).verdict == HELD
    assert share("tiny/chord-plus", "tiny/fp32", part + 1e-6)(book).verdict == NOT_HELD
    high = difference["relative_high"]
    assert not high and not_below("tiny/chord-plus", "tiny/fp32", 0.0)(book).verdict == NOT_MEASURED
    wide = replace(book, differences=[{**line, "relative_high": f"{part - 1 + 0.02}"} for line in book.differences])
    judged = [not_below("tiny/chord-plus", "tiny/fp32", part + more)(wide) for more in (-0.01, 0.01, 0.03)]
    assert [one.verdict for one in judged] == [HELD, HELD, NOT_HELD] and "reaches it" in judged[1].measured
    assert at_most("tiny/chord-plus", "train_macs", 0, "MAC")(book).verdict == HELD
    assert above("tiny/fp32", "tiny/markov")(book).measured == "missing"
    # One seed of two tells what it took: it is judged alone, and said so; where none tells, nothing is said.
    first = next(line for line in book.accuracy if line["label"] == "chord-plus" and line["seed"] != "all")
    others = [line for line in book.accuracy if line["label"] != "chord-plus"]
    made = [{**first, "seed": seed, "settled_s": took} for seed, took in (("1", "30"), ("2", ""), ("all", ""))]
    told = at_most("tiny/chord-plus", "settled_s", 40, "s")(replace(book, accuracy=[*others, *made]))
    assert (told.verdict, told.measured) == (HELD, "30 s (seeds 1; others do not tell)")
    untold = at_most("tiny/chord-plus", "settled_s", 40, "s")(
        replace(book, accuracy=[*others, *({**line, "settled_s": ""} for line in made)])
    )
    assert (untold.verdict, untold.measured) == (NOT_MEASURED, "not told by its runs")
    # fp32 stores 32 bits and the plan at most 2, so neither is above the other at equal bits, whatever the scores.
    assert at_equal_bits("tiny/chord-plus", "tiny/fp32")(book).verdict == NOT_MEASURED
    same = [{**line, "bits_mean": "1.0"} for line in book.accuracy]
    alike = replace(book, accuracy=same)
    made, plain = (one("tiny/chord-plus", "tiny/fp32")(alike) for one in (at_equal_bits, above))
    assert made.verdict == plain.verdict and made.measured.startswith(plain.measured)
    held, open_ = at_most("tiny/fp32", "train_macs", 0, "MAC"), above("tiny/fp32", "tiny/markov")
    assert [at_least_of(n, held, open_)(book).verdict for n in (1, 2)] == [HELD, NOT_MEASURED]


def test_trials_on_the_phone_begin_with_what_the_cloud_ships(
    suite: tuple[Group, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_phone, "STEPS", (2,))
    tables = tmp_path / "not" / "there"
    for method, rates in on_phone.RATES.items():
        (told,) = on_phone.write("offline", method, suite[0].overrides, 1, tables, Silent())
        rows = [row for row in lines(tables / figures.PHONE_TRIALS) if row["method"] == method]
        scores = [float(row["validation_ndcg_10"]) for row in rows]
        assert sorted((row["steps"], row["rate"]) for row in rows) == [("0", "0"), *(("2", f"{rate:g}") for rate in rates)]
        assert scores == sorted(scores, reverse=True) and f"{scores[0]:.4f}" in told
    run = chordsim.run("offline", overrides=[*suite[0].overrides, 'methods=["fp32"]'], seed=1, out=tmp_path / "run", report=False)
    tuned = [row for row in lines(tables / figures.PHONE_TRIALS) if row["method"] == "finetune"]
    assert len({row["validation_ndcg_10"] for row in tuned}) > 1
    as_it_is = next(float(row["validation_ndcg_10"]) for row in tuned if row["steps"] == "0")
    assert as_it_is == pytest.approx(run.manifest["trained"]["fp32"]["validation_ndcg_10"], rel=1e-6)


def test_commands_say_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--only", "ml-9", "--runs", str(tmp_path)]) == 2
    assert main(["page", "--tables", str(tmp_path), "--docs", str(tmp_path)]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2 and all(line.startswith("error: ") for line in told)
    assert main(["tables", "--runs", str(tmp_path), "--tables", str(tmp_path)]) == 0
    assert main(["page", "--tables", str(tmp_path), "--docs", str(tmp_path)]) == 0
    assert "Nothing is measured yet" in (tmp_path / "reproduction.md").read_text()
