"""Parquet, JSON lines and tables in memory: the same rows as CSV, whatever type a column has, and clear words where it cannot be."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import chordsim
from chordsim.config.model import DataConfig
from chordsim.data.content import Limits
from chordsim.data.formats import read_file
from chordsim.data.in_memory import keep_frame
from chordsim.data.load import read_interactions
from chordsim.errors import DataError, UserError

USERS, ITEMS = [3, 1, 3, 1, 2], [10, 11, 12, 13, 10]
RATINGS, TIMES = [4.0, 3.5, 5.0, 1.0, 2.0], [1_600_000_300, 1_600_000_200, 1_600_000_100, 1_600_000_400, 1_600_000_500]
UTC = dt.UTC


def csv(folder: Path) -> Path:
    path = folder / "log.csv"
    rows = [f"{u},{i},{r},{t}" for u, i, r, t in zip(USERS, ITEMS, RATINGS, TIMES, strict=True)]
    path.write_text("user,item,rating,timestamp\n" + "\n".join(rows) + "\n")
    return path


def parquet(folder: Path, **columns: object) -> Path:
    path = folder / "log.parquet"
    pq.write_table(pa.table({"user": USERS, "item": ITEMS, "rating": RATINGS, "timestamp": TIMES, **columns}), path, row_group_size=2)
    return path


STAMPS = [dt.datetime.fromtimestamp(t, UTC).replace(tzinfo=None) for t in TIMES]


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"user": pa.array(USERS, pa.uint8()), "item": pa.array(ITEMS, pa.int16())},
        {"user": [str(u) for u in USERS]},
        {"user": pa.array([str(u) for u in USERS]).dictionary_encode(), "item": pa.array(ITEMS).dictionary_encode()},
        {"user": [float(u) for u in USERS], "rating": [4, 3, 5, 1, 2]},
        {"user": pa.array([str(u) for u in USERS], pa.large_string())},
        {"timestamp": [float(t) for t in TIMES]},
        {"timestamp": STAMPS},
        {"timestamp": pa.array(STAMPS, pa.timestamp("s", "Europe/Paris"))},
        {"timestamp": [s.isoformat(" ") for s in STAMPS]},
        {"unread": [[1], [2], [], [3], [4]], "rating": [True, False, True, True, False]},
        {"rating": [None, 1.0, None, float("nan"), 2.0]},
    ],
)
def test_parquet_is_read_as_csv_is_whatever_the_types(tmp_path: Path, columns: dict[str, object]) -> None:
    log = read_interactions(parquet(tmp_path, **columns))
    assert log.digest() == read_interactions(csv(tmp_path)).digest()
    assert "read as parquet" in log.source.notes and log.source.rows_read == 5


@pytest.mark.parametrize("kind", ["numbers", "texts", "mixed"])
def test_json_lines_are_read_as_csv_is(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "log.json"
    texts = kind == "texts"
    rows = []
    for n, (u, i, r, t) in enumerate(zip(USERS, ITEMS, RATINGS, TIMES, strict=True)):
        user = str(u) if texts or (kind == "mixed" and n > 2) else u
        rows.append({"user": user, "item": i, "rating": r, "timestamp": t, "text": "one, two", "more": {"x": [n]}})
    path.write_text("\n".join(json.dumps(row) for row in rows))
    log = read_interactions(path)
    assert log.digest() == read_interactions(csv(tmp_path)).digest()
    assert "read as jsonl" in log.source.notes and log.source.columns_unread == ("text", "more")


@pytest.mark.parametrize("first", [3, 3.0])
def test_whole_floats_of_json_lines_are_the_whole_numbers_that_they_are(tmp_path: Path, first: float) -> None:
    path = tmp_path / "log.jsonl"
    users = [first, 1.0, 3, 1]
    path.write_text("\n".join(json.dumps({"user": user, "item": float(n)}) for n, user in enumerate(users)))
    log = read_interactions(path)
    assert log.user_tokens.tolist() == ["1", "3"] and log.item_tokens.tolist() == ["", "0", "1", "2", "3"]
    path.write_text("\n".join(json.dumps({"user": user, "item": 7}) for user in (first, 2**53, 2**53 + 1)))
    assert read_interactions(path).user_tokens.tolist() == ["3", f"{2**53}", f"{2**53 + 1}"]
    for odd, shown in ((2.5, "2.5"), (2.0**53, "9007199254740992.0")):
        path.write_text("\n".join(json.dumps({"user": user, "item": 7}) for user in (first, odd)))
        with pytest.raises(DataError, match=f"line 2: the user id {shown} is no whole number"):
            read_interactions(path)


def test_two_objects_on_a_line_beyond_the_first_lines_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    row = json.dumps({"user": 1, "item": 2})
    path.write_text("\n".join([*[row] * 1200, row + row, ""]))
    with pytest.raises(DataError, match="line 1201: not JSON"):
        read_interactions(path)


@pytest.mark.parametrize(("key", "role"), [("createdAt", "timestamp"), ("rating", "rating")])
def test_a_key_that_only_later_lines_have_is_not_left_out_in_silence(tmp_path: Path, key: str, role: str) -> None:
    path = tmp_path / "log.jsonl"
    rows = [{"user": n % 7, "item": n % 11, "more": {key: n}, "text": f'"{key}": 3'} for n in range(1203)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    plain = read_interactions(path)
    assert plain.items.size == 1203 and role not in plain.source.columns_read
    rows[1201] |= {key: 3}
    path.write_text("\n".join(json.dumps(row) for row in rows))
    with pytest.raises(DataError, match=f"line 1202: the key '{key}' would be the {role}, and none of the first 1,000 lines has it"):
        read_interactions(path)
    config = DataConfig.model_validate({"source": "file", "path": str(path), "columns": {role: "none"}})
    assert read_interactions(path, config=config).digest() == plain.digest()


def test_columns_of_parquet_by_name_and_by_position(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"a": ITEMS, "b.c": USERS, "t": TIMES}), path)
    for keys in ({"user": "b.c", "item": "a", "timestamp": "t"}, {"user": 1, "item": 0, "timestamp": 2}):
        config = DataConfig.model_validate({"source": "file", "path": str(path), "columns": keys})
        assert read_interactions(path, config=config).digest() == read_interactions(csv(tmp_path)).digest()
    with pytest.raises(DataError, match="none of the columns a, b.c, t is known as the user"):
        read_interactions(path)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"user": [1, 2, None, 4, 5]}, "row 3: the user id is missing"),
        ({"item": ["a", "b", "c", "", "e"]}, "row 4: the item id is empty"),
        ({"item": [1.0, 2.0, 2.5, 3.0, 4.0]}, "row 3: the item id 2.5 is no whole number"),
        ({"timestamp": [1, 2, None, 4, 5]}, "row 3: the timestamp None is missing"),
        ({"timestamp": [1, 2, 3, -4, 5]}, "row 4: the timestamp -4 is not plausible"),
        ({"timestamp": [1.0, 2.0, 3.0, float("inf"), 5.0]}, "row 4: the timestamp inf is not plausible"),
        ({"timestamp": ["x"] * 5}, "row 1: the timestamp 'x' is not a finite number or an ISO date"),
        ({"rating": [1.0, 2.0, 3.0, 1e9, 5.0]}, "row 4: the rating 1000000000.0 is not plausible"),
        ({"timestamp": [1_600_000_000_000, *TIMES[1:]]}, "seconds and milliseconds in one column of time"),
    ],
)
def test_bad_values_in_parquet_are_named_by_their_row(tmp_path: Path, columns: dict[str, object], says: str) -> None:
    with pytest.raises(DataError) as caught:
        read_interactions(parquet(tmp_path, **columns))
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (pa.array([2**63 + 5, 1], pa.uint64()), "row 1: the {} 9223372036854775813 is not plausible"),
        (pa.array([2**53 + 5, None], pa.int64()), "row 1: the {} 9007199254740997 is not plausible"),
    ],
)
@pytest.mark.parametrize("role", ["timestamp", "rating"])
def test_numbers_that_no_float_holds_are_named_by_their_row(tmp_path: Path, role: str, column: object, says: str) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"user": [1, 2], "item": [1, 2], role: column}), path)
    with pytest.raises(DataError, match=says.format(role)):
        read_interactions(path)


def test_columns_of_one_name_are_told_apart_by_position(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    columns = [pa.array(column) for column in ([{"x": 1}] * 5, ITEMS, USERS, TIMES, RATINGS)]
    pq.write_table(pa.table(columns, names=["id", "id", "id", "t", "t"]), path)
    config = DataConfig.model_validate({"source": "file", "path": str(path), "columns": {"user": 2, "item": 1, "timestamp": 3}})
    log = read_interactions(path, config=config)
    assert log.digest() == read_interactions(csv(tmp_path)).digest() and log.source.columns_unread == ("id (nested)", "t")
    nested = DataConfig.model_validate({"source": "file", "path": str(path), "columns": {"user": 0, "item": 1, "timestamp": 3}})
    with pytest.raises(DataError, match=r"row 1: the user ids are of type struct<x: int64>: give whole numbers or texts"):
        read_interactions(path, config=nested)


def test_a_nested_column_stands_in_nobodys_way(tmp_path: Path) -> None:
    nested = pa.array([{"user": 1}] * 5)
    log = read_interactions(parquet(tmp_path, user=nested, user_id=USERS))
    assert log.digest() == read_interactions(csv(tmp_path)).digest() and log.source.columns_unread == ("user (nested)",)
    with pytest.raises(DataError, match=r"none of the columns user \(nested\), item, rating, timestamp is known as the user"):
        read_interactions(parquet(tmp_path, user=nested))


def test_a_group_without_rows_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    table = pa.table({"user": USERS, "item": ITEMS, "timestamp": TIMES})
    with pq.ParquetWriter(path, table.schema) as writer:
        for part in (table.slice(0, 0), table, table.slice(0, 0)):
            writer.write_table(part)
    assert read_interactions(path).digest() == read_interactions(csv(tmp_path)).digest()


def test_damaged_and_hostile_parquet(tmp_path: Path) -> None:
    path = parquet(tmp_path)
    good = path.read_bytes()
    for data in (good[:-9], good[:40], b"PAR1", good[:4] + bytes(60) + good[64:]):
        path.write_bytes(data)
        with pytest.raises(DataError) as caught:
            read_interactions(path)
        assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
    ones = pa.DictionaryArray.from_arrays(pa.array(np.zeros(3_000_000, np.int32)), pa.array(["1"]))
    pq.write_table(pa.table({"user": ones, "item": ones}), path)
    with pytest.raises(DataError, match="3,000,000 rows, too many to unpack from"):
        read_file(path, limits=Limits(ratio_from_bytes=1 << 20))
    pq.write_table(pa.table({"user": [1], "item": [2], **{f"c{n}": [0] for n in range(50)}}), path)
    with pytest.raises(DataError, match="52 columns; 40 at most"):
        read_file(path, limits=Limits(columns=40))


@pytest.mark.parametrize("make", [pd.DataFrame, pa.table, dict])
def test_a_table_in_memory_is_kept_once_and_read_as_its_csv(own_places: Path, tmp_path: Path, make: Callable[[object], object]) -> None:
    made = make({"user": USERS, "item": ITEMS, "rating": RATINGS, "timestamp": TIMES})
    path = keep_frame(made)
    assert keep_frame(made) == path and [p.name for p in path.parent.iterdir()] == [path.name]
    assert path.is_relative_to(own_places)
    assert read_interactions(path).digest() == read_interactions(csv(tmp_path)).digest()


@pytest.mark.parametrize("bad", [3, "x.csv", [1, 2], pd.DataFrame({"user": [1, "a", {}], "item": [1, 2, 3]})])
def test_what_is_no_table_is_refused(bad: object) -> None:
    with pytest.raises(DataError, match="data: no table that can be read"):
        keep_frame(bad)


def test_a_run_takes_a_frame(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = 30 * 12
    frame = pd.DataFrame(
        {"who": np.repeat(np.arange(30), 12), "sku": rng.integers(0, 40, rows), "when": 1_600_000_000 + rng.permutation(rows)}
    )
    sizes = ["protocol.metrics=none", 'methods=["uniform-2"]', "rounds.count=2", "data.columns.user=who"]
    run = chordsim.run("quickstart", data=frame, overrides=sizes, out=tmp_path / "run", report=False)
    assert run.manifest["status"] == "complete" and run.summary["users"] == 30
    told = run.manifest["data"]
    assert told["columns_read"] == {"user": "who", "item": "sku", "timestamp": "when"} and told["columns_unread"] == []
    assert told["tied_times_share"] == told["duplicates_share"] == 0.0 and 0 < told["repeated_targets_share"] < 1
    with pytest.raises(UserError, match="leave out data"):
        chordsim.run(data=frame, resume=tmp_path / "run")
