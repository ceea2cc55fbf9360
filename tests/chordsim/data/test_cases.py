"""Reading the inputs of `../shared/cases`: each stands for a kind that was read wrong, in silence, once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chordsim.config.model import DataConfig
from chordsim.data.interactions import Interactions
from chordsim.data.load import load, read_interactions
from chordsim.errors import DataError

Case = Callable[[str], Path]


def read(path: Path, **keys: object) -> Interactions:
    config = DataConfig.model_validate({"source": "file", "path": str(path), **keys})
    return read_interactions(path, config.format, config.min_rating, config=config, seed=1)


def sequence(log: Interactions, user: str) -> list[str]:
    at = log.user_tokens.tolist().index(user)
    return log.item_tokens[log.items[log.offsets[at] : log.offsets[at + 1]]].tolist()


def test_time_by_other_names_orders_the_log(case: Case) -> None:
    # Both files list every user's items from the latest to the earliest, or the other way round; only time tells.
    created, dated = read(case("created_at.csv")), read(case("date_col.csv"))
    assert created.source.columns_read["timestamp"] == "created_at" and dated.source.columns_read["timestamp"] == "date"
    assert sequence(created, "0") == ["4", "3", "2", "1", "0"]
    assert sequence(dated, "0") == ["10", "9", "8", "7", "6"]
    assert np.diff(dated.timestamps[:2]) == [86_400] and "times read as days, YYYYMMDD" in dated.source.notes


def test_a_column_that_looks_like_time_is_not_left_unread(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(case("created_at.csv").read_text().replace("created_at", "moment"))
    with pytest.raises(DataError, match='line 1: column moment .* looks like time and is not read: set data.columns.timestamp = "moment"'):
        read(path)
    assert sequence(read(path, columns={"timestamp": "moment"}), "0") == ["4", "3", "2", "1", "0"]
    log = read(path, columns={"timestamp": "none"})
    assert sequence(log, "0") == ["0", "1", "2", "3", "4"] and log.source.columns_unread == ("moment",)
    assert "no time stamps: the order of lines is the order" in log.source.notes


def test_units_of_time_are_never_mixed_in_silence(case: Case) -> None:
    path = case("mixed_units.csv")
    with pytest.raises(DataError, match=r"seconds and milliseconds in one column of time: .*set data.time_unit = .by-size."):
        read(path)
    log = read(path, time_unit="by-size")
    assert int(log.timestamps.max()) < 2e9
    lines = [line.split(",") for line in path.read_text().split()[1:]]
    first = [item for user, item, _, _ in lines if user == "1"]
    assert sequence(log, "1") == first, "the file is in order of time"
    assert read(path, time_unit="s").timestamps.max() > 1e12


def test_without_a_header_the_guess_is_told_and_a_key_turns_it_round(case: Case) -> None:
    path = case("amazon_2018_item_first.csv")
    guessed = read(path)
    assert any("user = 0, item = 1, rating = 2, timestamp = 3 assumed by position; data.columns" in note for note in guessed.source.notes)
    assert guessed.source.columns_read == {"user": 0, "item": 1, "rating": 2, "timestamp": 3}
    for keys in ({"user": 1, "item": 0}, {"user": 1}, {"item": 0}):
        turned = read(path, columns=keys)
        assert set(turned.user_tokens.tolist()) == set(guessed.item_tokens[1:].tolist())
        assert turned.timestamps is not None and turned.source.columns_read["rating"] == 2


@pytest.mark.parametrize(
    ("name", "columns", "unread"),
    [
        ("headers_retail.csv", {"user": "visitorid", "item": "itemid", "timestamp": "timestamp"}, ("event", "transactionid")),
        ("headers_yelp.csv", {"user": "user_id", "item": "business_id", "rating": "stars", "timestamp": "date"}, ("review_id",)),
        ("headers_goodreads.csv", {"user": "user_id", "item": "book_id", "rating": "rating"}, ("is_read", "is_reviewed")),
    ],
)
def test_public_headers(case: Case, name: str, columns: dict[str, str], unread: tuple[str, ...]) -> None:
    log = read(case(name))
    assert log.source.columns_read == columns and log.source.columns_unread == unread
    assert log.n_users == 12 and log.items.size == 120
    line = log.source.line()
    assert all(name in line for name in (*columns.values(), *unread)), "the run's data line says what was read and what was not"


def test_blanks_between_four_columns(case: Case) -> None:
    log = read(case("spaces_nohead4.txt"))
    assert "read as blanks" in log.source.notes and log.source.columns_read == {"user": 0, "item": 1, "rating": 2, "timestamp": 3}
    assert log.n_users == 12 and log.items.size == 120
    again = read(case("spaces_nohead4.txt"), format="blanks")
    assert again.digest() == log.digest()


def test_one_list_of_names_for_all_formats(case: Case, tmp_path: Path) -> None:
    log = read(case("inter_movie_id.inter"))
    assert log.source.columns_read == {"user": "user_id", "item": "movie_id", "rating": "rating", "timestamp": "timestamp"}
    path = tmp_path / "same.csv"
    path.write_text("user_id,movie_id,rating,timestamp\n1,2,3,4\n")
    assert read(path).digest() == log.digest()


def test_labels_of_zero_are_told(case: Case) -> None:
    log = read(case("implicit01.csv"))
    zeros = sum(line.split(",")[2] == "0" for line in case("implicit01.csv").read_text().split()[1:])
    told = [note for note in log.source.notes if "have label 0 and count like any other; data.min_rating = 1" in note]
    assert told and told[0].startswith(f"{zeros / 120:.1%} ")
    assert read(case("implicit01.csv"), min_rating=1.0).items.size == 120 - zeros


def test_quotes_between_tabs(case: Case) -> None:
    log = read(case("quoted_tab.tsv"))
    assert not any('"' in token for token in [*log.user_tokens.tolist(), *log.item_tokens.tolist()])
    assert log.n_users == 12 and log.items.size == 120


def test_missing_ratings_are_no_reason_to_refuse(case: Case) -> None:
    path = case("nan_rating.csv")
    missing = path.read_text().count("NaN")
    log = read(path)
    assert log.items.size == 120 and any(note.startswith(f"{missing} of 120 ratings are missing") for note in log.source.notes)
    assert read(path, min_rating=-5.0).items.size == 120 - missing


@pytest.mark.parametrize("name", ["dup_rows.csv", "one_item.csv", "two_items.csv", "repeat_heavy.csv"])
def test_the_others_load(case: Case, name: str) -> None:
    config = DataConfig(source="file", path=str(case(name)))
    log, split = load(config, rounds=1, seed=1)
    assert log.n_users == split.log.n_users > 0
