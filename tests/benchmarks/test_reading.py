"""The benchmark of reading: files of one log, read to one digest by turns, and a table that says how they compare."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import reading_data
from benchmarks.reading_data import HERE, Read, gain, lines, make, measure


@pytest.mark.slow
def test_a_small_log_is_read_by_turns_to_one_digest(tmp_path: Path) -> None:
    files = make(tmp_path, 2000)
    reads = measure(files, HERE, 1)
    assert {name for _, name in reads} == set(files) and ("there", "parquet") not in reads
    assert all(one.peak_mib >= one.before_mib > 0 and one.wall_s > 0 for found in reads.values() for one in found)
    assert len(lines(reads)) == 2 + len(reads)


def test_gains_are_of_the_fastest_and_parquet_is_held_against_csv() -> None:
    def took(*seconds: float) -> list[Read]:
        return [Read(s, s, 1, 1, "") for s in seconds]

    reads = {
        ("there", "csv, numbers"): took(9, 6),
        ("here", "csv, numbers"): took(3, 4),
        ("there", "csv, texts"): took(8),
        ("here", "csv, texts"): took(16),
        ("here", "parquet"): took(1.5),
    }
    assert (gain(reads, "csv, numbers"), gain(reads, "csv, texts"), gain(reads, "parquet")) == (2.0, 0.5, 4.0)


def test_logs_that_differ_end_the_benchmark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reading_data, "read", lambda checkout, path: Read(1, 1, 1, 1, str(checkout)))
    with pytest.raises(SystemExit, match="the logs differ"):
        measure({name: tmp_path for name in ("csv, numbers", "csv, texts", "parquet")}, tmp_path, 1)
