"""The ledger's hash: recomputed from the files by the page's recipe, and moved by every change of a cell."""

import hashlib
import struct

import numpy as np
import pyarrow.parquet as pq
import pytest

from chordsim.ledger.columns import COLUMNS, PER_ROW
from chordsim.ledger.digest import ledger_sha256, rows_digest
from chordsim.ledger.parquet import write_rows
from chordsim.ledger.rows import Rows


def recomputed(path):
    """Follow docs/ledger.md with nothing but Parquet, struct and hashlib."""
    table = pq.ParquetFile(path).read().to_pylist()
    table.sort(key=lambda row: row["device_id"])
    text = lambda s: struct.pack("<I", len(s.encode())) + s.encode()  # noqa: E731
    out = hashlib.sha256(b"chordsim-ledger-2\n" + struct.pack("<QI", len(table), len(COLUMNS)))
    for column in COLUMNS:
        cells = [row[column.name] for row in table]
        bitmap = bytearray(-(-len(cells) // 8))
        for i, cell in enumerate(cells):
            bitmap[i // 8] |= (cell is None) << (i % 8)
        out.update(text(column.name) + {"int64": b"i", "float64": b"f", "str": b"s"}[column.dtype] + bitmap)
        pack = {"int64": lambda x: struct.pack("<q", x or 0), "float64": lambda x: struct.pack("<d", x or 0.0), "str": text}[column.dtype]
        for cell in cells:
            out.update(pack(cell))
    return out.digest()


@pytest.mark.parametrize("count", [0, 1, 8, 61])
def test_a_third_party_gets_the_same_hash(make_rows, tmp_path, count):
    rows = make_rows(count, seed=count, method="uniform-2", round=3)
    assert recomputed(write_rows(tmp_path, rows, rows_digest(rows))) == rows_digest(rows)


def test_golden(make_columns):
    columns = {c.name: np.zeros(1, np.int64 if c.dtype != "float64" else np.float64) for c in PER_ROW}
    columns["rank"] = np.array([np.nan])
    rows = Rows.of("chord", 1, columns, tiers=("tief·low",))
    assert rows_digest(rows).hex() == "95647cfdad8d94072f4e9fe13b922c771e03fc374f71ddde660e097710bd9c8f"


@pytest.mark.parametrize("column", [c.name for c in PER_ROW])
def test_every_cell_counts(make_columns, column):
    columns = make_columns(9)
    tiers = ("low", "mid", "high")
    before = rows_digest(Rows.of("m", 1, columns, tiers=tiers))
    changed = columns[column].copy()
    is_text = next(c.dtype for c in PER_ROW if c.name == column) == "str"
    changed[8] = (changed[8] + 1) % 3 if is_text else np.nan_to_num(changed[8]) + 1
    assert rows_digest(Rows.of("m", 1, columns | {column: changed}, tiers=tiers)) != before


def test_null_is_not_zero_and_nan_is_not_hashed(make_columns):
    columns = make_columns(3)
    by_rank = [rows_digest(Rows.of("m", 1, columns | {"rank": np.array([r, 1, 1])}, tiers="abc")) for r in (0.0, np.nan, -np.nan, -0.0)]
    assert by_rank[0] == by_rank[3] != by_rank[1] == by_rank[2]


def test_method_and_round_count(make_rows):
    assert len({rows_digest(make_rows(method=m, round=r)) for m in ("a", "b") for r in (1, 2)}) == 4


def test_how_tiers_are_numbered_does_not_matter(make_columns):
    columns = make_columns(5)
    columns["tier"] = np.array([0, 1, 2, 1, 0])
    one = Rows.of("m", 1, columns, tiers=("low", "mid", "high"))
    other = Rows.of("m", 1, columns | {"tier": np.array([3, 0, 1, 0, 3])}, tiers=("mid", "high", "none", "low"))
    assert rows_digest(one) == rows_digest(other)


def test_the_order_of_writing_does_not_matter():
    digests = {("fp32", 2): b"d" * 32, ("chord", 10): b"b" * 32, ("chord", 9): b"a" * 32, ("fp32", 1): b"c" * 32}
    want = hashlib.sha256(b"a" * 32 + b"b" * 32 + b"c" * 32 + b"d" * 32).hexdigest()
    assert ledger_sha256(digests) == ledger_sha256(dict(reversed(digests.items()))) == want
    assert ledger_sha256({}) == hashlib.sha256().hexdigest()
