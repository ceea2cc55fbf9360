"""Values as exports of data bases and table libraries have them: dates for "never", zones in words, ids that mean nothing or look alike."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chordsim.data.in_memory import keep_frame
from chordsim.data.interactions import Interactions
from chordsim.data.load import read_interactions
from chordsim.errors import DataError

NOON = 1_717_156_800  # 31 May 2024


def csv(folder: Path, rows: Sequence[str]) -> Interactions:
    path = folder / "log.csv"
    path.write_text("user,item,rating,timestamp\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return read_interactions(path)


def parquet(folder: Path, **columns: object) -> Interactions:
    path = folder / "log.parquet"
    pq.write_table(pa.table(columns), path)
    return read_interactions(path)


def test_a_zone_in_words_is_a_zone(tmp_path: Path) -> None:
    stamps = ["2024-05-31 12:00:02 UTC", "2024-05-31 12:00:00 UTC", "2024-05-31 14:00:01+02:00", "2024-05-31T12:00:03GMT"]
    log = csv(tmp_path, [f"a,{n},4,{stamp}" for n, stamp in enumerate(stamps)])
    assert log.timestamps is not None and log.timestamps.tolist() == [NOON, NOON + 1, NOON + 2, NOON + 3]
    assert log.item_tokens[log.items].tolist() == ["1", "2", "0", "3"]


@pytest.mark.parametrize(
    ("stamp", "says"),
    [
        ("9999-12-31", "the timestamp '9999-12-31' is not plausible: give a date from 1970 to 2261"),
        ("9999-12-31 23:59:59.999", "is not plausible: give a date"),
        ("0001-01-01", "the timestamp '0001-01-01' is not plausible"),
        ("NULL", "the timestamp 'NULL' is missing: leave such rows out, or set data.columns.timestamp"),
        ("31.05.2024", "is not an ISO date without a zone"),
    ],
)
def test_dates_for_never_and_for_nothing_are_named(tmp_path: Path, stamp: str, says: str) -> None:
    with pytest.raises(DataError) as caught:
        csv(tmp_path, ["a,1,4,2024-05-31", f"a,2,4,{stamp}"])
    assert says in str(caught.value) and "line 3: " in str(caught.value)


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_a_typed_date_for_never_is_named_and_others_are_exact(tmp_path: Path, unit: str) -> None:
    exact = parquet(
        tmp_path,
        user=["a", "a"],
        item=["x", "y"],
        timestamp=pa.array([NOON + 1, NOON], pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp(unit)),
    )
    assert exact.timestamps is not None and exact.timestamps.tolist() == [NOON, NOON + 1]
    with pytest.raises(DataError, match=r"row 2: the timestamp 9999-12-31 00:00:00 is not plausible"):
        parquet(
            tmp_path,
            user=["a", "a"],
            item=["x", "y"],
            timestamp=pa.array([dt.datetime(2024, 1, 1), dt.datetime(9999, 12, 31)], pa.timestamp(unit)),
        )


def test_a_unit_and_a_comma_that_are_not_read_say_what_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2: .* seconds, milliseconds or microseconds \(divide nanoseconds by 1000\)"):
        csv(tmp_path, [f"a,1,4,{NOON * 10**9}"])
    with pytest.raises(DataError, match=r"line 2: the rating '4,5' is not a finite number: write 4.5"):
        csv(tmp_path, [f'a,1,"4,5",{NOON}'])


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        (["a", "NULL", "NULL"], "'NULL' stands for the item in 2 interactions, and counts as one item"),
        (["7", "7.0", "007"], "2 item ids differ from another one only by"),
        (["\u00e9", "e\u0301", "x"], "1 item ids differ from another one only by"),
        (["\u00a0x", "x", "y"], "1 item ids differ from another one only by"),
    ],
)
def test_ids_that_mean_nothing_or_look_alike_are_told(tmp_path: Path, ids: Sequence[str], says: str) -> None:
    log = csv(tmp_path, [f"u,{item},4,{NOON + n}" for n, item in enumerate(ids)])
    assert any(note.startswith(says) for note in log.source.notes) and log.n_items == len(set(ids))


def test_plain_ids_are_not_talked_about(tmp_path: Path) -> None:
    for ids in (["1", "10", "-3"], ["a1", "a01", "B"]):
        log = csv(tmp_path, [f"u,{item},4,{NOON + n}" for n, item in enumerate(ids)])
        assert log.source.notes == ("read as csv",)


def test_ids_that_are_no_text_are_refused_by_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 1: the user id holds a NUL character"):
        parquet(tmp_path, user=pa.array([b"a".ljust(4, b"\0"), b"abcd"], pa.binary(4)), item=["x", "y"])
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(json.dumps({"user": user, "item": "x"}) for user in ("a", "\ud800")))
    with pytest.raises(DataError, match=r"line 2: the user '\\ud800' has half a surrogate pair"):
        read_interactions(path)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"user,item\r1,2\r3,4", "line 1: a carriage return inside the line"),
        ("user,item\n1,2\n".encode("utf-16"), "a text in UTF-16: save it as UTF-8"),
        (b"ARROW1\0\0....", "a Feather or Arrow file: write it as Parquet"),
        (b"PK\x03\x04" + b"\0" * 26 + b"[Content_Types].xml", "an Excel workbook: save the sheet as CSV"),
    ],
)
def test_files_of_other_programs_are_named_as_what_they_are(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(data)
    with pytest.raises(DataError, match=says):
        read_interactions(path)


def test_half_floats_are_whole_numbers_too(tmp_path: Path) -> None:
    log = parquet(tmp_path, user=pa.array(np.array([1, 2, 1], np.float16)), item=["x", "y", "z"])
    assert log.user_tokens.tolist() == ["1", "2"]


@pytest.mark.parametrize("ids", [[2**70, 1], pd.cut(pd.Series([1, 9]), 2)], ids=["beyond 64 bits", "intervals"])
def test_frames_that_no_file_holds_are_refused_in_one_line(ids: object, own_places: Path) -> None:
    with pytest.raises(DataError, match="data: no table that can be read") as caught:
        keep_frame(pd.DataFrame({"user_id": ids, "item_id": [1, 2]}))
    assert "\n" not in str(caught.value)
