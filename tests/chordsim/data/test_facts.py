"""What decides results and is not seen in them is counted right, told, and changed by its key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chordsim.config.model import DataConfig
from chordsim.data import facts
from chordsim.data.interactions import Interactions, SourceInfo
from chordsim.data.load import load, read_interactions
from chordsim.data.raw import RawLog
from chordsim.errors import DataError, ScenarioError
from chordsim.evaluate import metrics, rank_scores
from chordsim.scenario.load import load as scenario
from chordsim.world import World, build

Rows = list[tuple[int, int, int]]
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 5)), min_size=1, max_size=40)


def log_of(rows: Rows, **keys: object) -> Interactions:
    users, items, times = (np.array(column) for column in zip(*rows, strict=True))
    names = np.arange(10).astype(str)
    return RawLog(users, names, items, names, None, times).to_interactions(SourceInfo("made", "", "file", "", 0, 0), **keys)  # type: ignore[arg-type]


@settings(max_examples=150)
@given(ROWS)
def test_shares_are_those_of_counting_by_hand(rows: Rows) -> None:
    log = log_of(rows)
    ties = [sum(other[0] == user and other[2] == time for other in rows) > 1 for user, _, time in rows]
    assert facts.tied_share(log) == pytest.approx(sum(ties) / len(rows))
    assert log.source.duplicates_share == pytest.approx(1 - len(set(rows)) / len(rows))
    for rounds in (1, 3):
        targets, again = 0, 0
        for user in sorted({row[0] for row in rows}):
            mine = [item for _, item, _ in sorted((row for row in rows if row[0] == user), key=lambda row: row[2])]
            for place in range(max(len(mine) - rounds, 1), len(mine)):
                targets, again = targets + 1, again + (mine[place] in mine[:place])
        assert facts.repeated_share(log, rounds) == pytest.approx(again / targets if targets else 0.0)


@settings(max_examples=100)
@given(ROWS)
def test_dropping_duplicates_keeps_one_of_each_and_the_order(rows: Rows) -> None:
    kept = list(dict.fromkeys(rows))
    assert log_of(rows, drop_duplicates=True).digest() == log_of(kept).digest()


def test_ratings_tell_duplicates_apart_and_missing_ones_are_equal() -> None:
    one, names = np.zeros(4, np.int64), np.array(["a"])
    log = RawLog(one, names, one, names, np.array([1.0, 2.0, np.nan, np.nan]), one).to_interactions(
        SourceInfo("made", "", "file", "", 0, 0)
    )
    assert log.source.duplicates_share == 0.25


def test_without_time_stamps_a_duplicate_is_a_line_equal_to_the_one_before() -> None:
    users, items, names = np.zeros(5, np.int64), np.array([0, 0, 1, 0, 0]), np.array(["a", "b"])
    log = RawLog(users, names, items, names, None, None).to_interactions(SourceInfo("made", "", "file", "", 0, 0), drop_duplicates=True)
    assert log.source.duplicates_share == 0.4 and log.items.tolist() == [1, 2, 1]


def sorted_by_item(folder: Path, days: int = 3, users: int = 12) -> Path:
    """Write a log of days, each user's items of a day in order of their ids, as a data base exports them."""
    rng = np.random.default_rng(5)
    path = folder / "days.csv"
    rows = [f"{user},{item},{day}" for user in range(users) for day in range(days) for item in sorted(rng.choice(60, 8, replace=False))]
    path.write_text("user,item,timestamp\n" + "\n".join(rows) + "\n")
    return path


def test_ties_in_order_of_item_ids_are_told_and_drawn_by_the_seed(tmp_path: Path) -> None:
    path = sorted_by_item(tmp_path)
    log, _ = load(DataConfig(source="file", path=str(path)), 2, 1)
    assert log.source.tied_times_share == 1.0
    assert any('stand in rising order of item ids, which methods can learn; data.ties = "seeded"' in note for note in log.source.notes)
    drawn = [load(DataConfig(source="file", path=str(path), ties="seeded"), 2, seed)[0] for seed in (1, 1, 2)]
    assert drawn[0].digest() == drawn[1].digest() != drawn[2].digest() != log.digest()
    assert all(facts.follows_items(one) == "" and "the seed drew their order" in one.source.line() for one in drawn)
    for one in drawn:
        assert np.array_equal(one.timestamps, log.timestamps), "only the order within ties is drawn"
        for a, b in zip(np.split(one.items, one.items.size // 8), np.split(log.items, log.items.size // 8), strict=True):
            assert sorted(a.tolist()) == sorted(b.tolist())
    (tmp_path / "falling.csv").write_text("user,item,timestamp\n" + "\n".join(reversed(path.read_text().split()[1:])) + "\n")
    assert facts.follows_items(read_interactions(tmp_path / "falling.csv")) == "falling"


def test_drawn_ties_need_time_stamps(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,item\n" + "".join(f"1,{n}\n" for n in range(9)))
    with pytest.raises(DataError, match='data.ties = "seeded" needs time stamps'):
        load(DataConfig(source="file", path=str(path), ties="seeded"), 1, 1)


def world_of(path: Path, *overrides: str) -> World:
    every_item = ["backbone.items=owned", "protocol.ranking=all"]
    return build(scenario("quickstart", ["data.source=file", f'data.path="{path}"', "rounds.count=2", *every_item, *overrides]))


def test_targets_that_are_masked_are_told_and_refused_where_nothing_could_score(case: Callable[[str], Path]) -> None:
    path = case("repeat_heavy.csv")
    with pytest.raises(
        ScenarioError, match=r"100.0% of the targets stand in .* protocol.mask_seen .*: nothing could ever score; set protocol"
    ):
        world_of(path)
    world = world_of(path, "protocol.mask_seen=false")
    assert world.source()["repeated_targets_share"] == 1.0
    assert world_of(path, "protocol.metrics=none") is not None, "sizes need no metric"


@pytest.mark.parametrize("name", ["one_item.csv", "two_items.csv"])
def test_in_a_tiny_catalogue_misses_score_nothing(case: Callable[[str], Path], name: str) -> None:
    world = world_of(case(name))
    assert "100.0% of the targets stand in their user's history" in world.split.log.source.line()
    users = np.arange(world.split.log.n_users)
    targets, seen = world.split.targets(users, 1), world.split.seen(users, 1)
    scores = np.ones((users.size, world.n_items + 1), np.float32)
    rank = rank_scores(scores, targets, seen, world.scenario.protocol, (1, users, 1))
    assert all((values == 0).all() for values in metrics(rank, world.n_items).values())


def test_some_masked_targets_are_a_note_on_the_data_line(case: Callable[[str], Path]) -> None:
    world = world_of(case("dup_rows.csv"))
    line = world.split.log.source.line()
    assert "50.0% of the targets stand in their user's history, and protocol.mask_seen counts them as misses" in line
    assert '50.0% of the file are exact duplicates; data.duplicates = "drop" keeps one of each' in line
    dropped = world_of(case("dup_rows.csv"), 'data.duplicates="drop"')
    log = dropped.split.log
    assert log.items.size == 120 and log.source.rows_read == 240 and "120 exact duplicates dropped" in log.source.notes
    assert dropped.source()["repeated_targets_share"] < 0.5


def test_the_manifest_tells_what_decides_results(tmp_path: Path) -> None:
    path = sorted_by_item(tmp_path)
    found = world_of(path, "data.min_user=5").source()
    assert found["columns_read"] == {"user": "user", "item": "item", "timestamp": "timestamp"} and found["columns_unread"] == ()
    assert found["tied_times_share"] == 1.0 and found["duplicates_share"] == 0.0 and found["users_dropped"] == 0
    assert 0 <= found["repeated_targets_share"] < 1 and found["items_seen_once"] >= 0
    with (path).open("a") as file:
        file.write("99,777,1\n")
    after = world_of(path).source()
    assert after["users_dropped"] == 1 and after["digest"] == found["digest"]
