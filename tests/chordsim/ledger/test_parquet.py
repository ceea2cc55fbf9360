"""Ledger files: what is written is read back, and a damaged file is told, never half-read."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chordsim.errors import RunError
from chordsim.ledger.columns import COLUMNS
from chordsim.ledger.digest import rows_digest
from chordsim.ledger.parquet import file_name, iter_rows, ledger_files, read_ledger, read_rows, write_rows


def write(folder, rows):
    folder.mkdir(parents=True, exist_ok=True)
    return write_rows(folder, rows, rows_digest(rows))


@pytest.mark.parametrize("count", [0, 1, 500])
def test_round_trip(make_rows, tmp_path, count):
    rows = make_rows(count, seed=3, method="uniform-2", round=12)
    path = write(tmp_path, rows)
    assert path.name == "uniform-2.round-00012.parquet"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    back = read_rows(path)
    assert (back.method, back.round, len(back)) == ("uniform-2", 12, count)
    assert rows_digest(back) == rows_digest(rows)


def test_the_file_has_the_contract_types_units_and_nulls(make_rows, tmp_path):
    rows = make_rows(100)
    table = pq.ParquetFile(write(tmp_path, rows)).read()
    assert table.column_names == [c.name for c in COLUMNS]
    for column in COLUMNS:
        field = table.schema.field(column.name)
        want = {"int64": pa.int64(), "float64": pa.float64()}.get(column.dtype)
        assert field.type == want or (want is None and pa.types.is_dictionary(field.type))
        assert field.metadata[b"unit"].decode() == column.unit
        nulls = rows.nulls[column.name].sum() if column.nullable else 0
        assert table.column(column.name).null_count == nulls
    assert not any(np.isnan(table.column(c.name).drop_null().to_numpy()).any() for c in COLUMNS if c.dtype == "float64")
    assert table.schema.metadata[b"chordsim.rows_digest"].decode() == rows_digest(rows).hex()


def test_the_whole_ledger_as_one_frame(make_rows, tmp_path):
    made = [make_rows(30, seed=r, method=m, round=r) for m in ("fp32", "chord") for r in (10, 2)]
    for rows in made:
        write(tmp_path / "ledger", rows)
    (tmp_path / "ledger" / ".chord.round-00003.parquet.77.part").write_bytes(b"half")
    frame = read_ledger(tmp_path)
    assert list(frame.columns) == [c.name for c in COLUMNS]
    assert len(frame) == 120
    assert [(m, r) for m, r in frame[["method", "round"]].drop_duplicates().itertuples(index=False)] == [
        ("chord", 2),
        ("chord", 10),
        ("fp32", 2),
        ("fp32", 10),
    ]
    assert frame["plan_age_rounds"].dtype == pd.Int64Dtype()
    assert frame["plan_age_rounds"].isna().sum() == sum(rows.nulls["plan_age_rounds"].sum() for rows in made)
    assert frame["down_bytes"].sum() == sum(rows["down_bytes"].sum() for rows in made)
    assert set(frame["tier"]) <= {"low", "mid", "high"}
    assert [(rows.method, rows.round) for rows in iter_rows(tmp_path)] == [("chord", 2), ("chord", 10), ("fp32", 2), ("fp32", 10)]


def test_a_half_written_file_is_told(make_rows, tmp_path):
    path = write(tmp_path, make_rows(200))
    whole = path.read_bytes()
    for share in (0.0, 0.1, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(RunError, match=r"round-00001\.parquet: half-written or damaged"):
            read_rows(path)


def test_a_flipped_bit_is_told_or_harmless(make_rows, tmp_path):
    rows = make_rows(60)
    path = write(tmp_path, rows)
    whole = bytearray(path.read_bytes())
    rng = np.random.default_rng(1)
    told = 0
    for _ in range(150):
        where, bit = int(rng.integers(len(whole))), int(rng.integers(8))
        whole[where] ^= 1 << bit
        path.write_bytes(whole)
        try:
            assert rows_digest(read_rows(path)) == rows_digest(rows)
        except RunError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            told += 1
        whole[where] ^= 1 << bit
    assert told > 20


def test_an_edited_file_is_told(make_rows, tmp_path):
    path = write(tmp_path, make_rows(20))
    table = pq.ParquetFile(path).read()
    at = table.column_names.index("down_bytes")
    edited = pa.array(table.column("down_bytes").to_numpy() - 1)
    pq.write_table(table.set_column(at, table.schema.field(at), edited), path)
    with pytest.raises(RunError, match="do not match the digest"):
        read_rows(path)


def test_words_that_are_no_text_are_told(make_rows, tmp_path):
    """A bit that is flipped in a column's words: Arrow reads such a file, and fails at what it read."""
    path = write(tmp_path, make_rows(20))
    table = pq.ParquetFile(path).read()
    place = table.column_names.index("tier")
    words = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(np.array([0, 3], np.int32)), pa.py_buffer(b"\xff\xfe\xfd")])
    codes = pa.DictionaryArray.from_arrays(np.zeros(20, np.int32), words)
    pq.write_table(table.set_column(place, table.schema.field(place), codes), path)
    with pytest.raises(RunError, match=r"round-00001\.parquet: damaged: a column that cannot be read \("):
        read_rows(path)


def test_what_is_not_a_ledger_file_is_told(make_rows, tmp_path):
    with pytest.raises(RunError, match="no such file"):
        read_rows(tmp_path / "gone.parquet")
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(RunError, match="not a chordsim ledger file"):
        read_rows(path)
    good = write(tmp_path, make_rows(5))
    table = pq.ParquetFile(good).read()
    for version, words in ((b"99", "ledger schema 99: this program reads 2, or use"), (b"1", "ledger schema 1: .*its seconds.*report")):
        pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"chordsim.schema_version": version}), path)
        with pytest.raises(RunError, match=words):
            read_rows(path)
    pq.write_table(table.drop_columns(["mrr"]), path)
    with pytest.raises(RunError, match="columns are not those"):
        read_rows(path)
    at = table.column_names.index("mrr")
    pq.write_table(table.set_column(at, "mrr", pa.array(["x"] * 5)), path)
    with pytest.raises(RunError, match="not of its type"):
        read_rows(path)


def test_a_run_without_a_ledger_is_told(tmp_path):
    with pytest.raises(RunError, match="no ledger files"):
        ledger_files(tmp_path)


@pytest.mark.parametrize("method", ["", "../up", "a/b", ".hidden", "x" * 65, "a b", "other:a", "flower:", "flower:../up"])
def test_a_method_that_cannot_name_a_file_is_refused(method):
    with pytest.raises(RunError, match="cannot name a ledger file"):
        file_name(method, 1)
