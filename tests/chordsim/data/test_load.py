"""From a scenario's `[data]` to a log and its split, and what importing that may not bring in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chordsim.config.model import DataConfig
from chordsim.data.load import load, read_interactions
from chordsim.errors import DataError


def write(folder: Path, users: int = 6, length: int = 8) -> Path:
    path = folder / "log.csv"
    rows = [f"u{u},i{(u + k) % 9},{1 + k % 5},{1000 - k}" for k in range(length) for u in range(users)]
    path.write_text("user,item,rating,timestamp\n" + "\n".join(rows) + "\n")
    return path


def test_a_file(tmp_path: Path) -> None:
    path = write(tmp_path)
    log, held = load(DataConfig(source="file", path=str(path)), rounds=3, seed=1)
    assert log.n_users == 6 and held.rounds == 3
    assert (log.source.name, log.source.path, log.source.how) == ("log.csv", str(path), "file")
    assert log.source.rows_read == log.source.rows_kept == 48 and "read as csv" in log.source.notes
    assert "log.csv" in log.source.line() and "48 of 48 interactions" in log.source.line()
    # Later rows have earlier times, so the file is played backwards.
    assert log.item_tokens[held.targets(np.array([0]), 3)[0]] == "i0"


def test_filters_are_applied_in_order_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    rows = [f"a,i{k},5,{k}" for k in range(9)] + [f"b,i{k},5,{k}" for k in range(6)] + [f"c,i{k},1,{k}" for k in range(9)] + ["a,rare,5,99"]
    path.write_text("user,item,rating,timestamp\n" + "\n".join(rows) + "\n")
    config = DataConfig(source="file", path=str(path), min_rating=2, min_user=2, min_item=2)
    log, _ = load(config, rounds=2, seed=1)
    assert list(log.user_tokens) == ["a", "b"] and log.n_items == 6 and log.source.rows_kept == 12
    assert any("data.min_item = 2" in note for note in log.source.notes)
    log, _ = load(DataConfig(source="file", path=str(path), min_rating=2, min_user=2), rounds=4, seed=1)
    assert list(log.user_tokens) == ["a"] and any("1 users dropped: 4 rounds need 7" in note for note in log.source.notes)


def test_max_users_and_cloud_share(tmp_path: Path) -> None:
    config = DataConfig(source="file", path=str(write(tmp_path, users=60)), max_users=40, cloud_share=0.5)
    log, held = load(config, rounds=1, seed=1)
    again, _ = load(config, rounds=1, seed=1)
    assert log.n_users == 40 and log.digest() == again.digest()
    assert 5 < len(held.train_logs()) < 35


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"path": "/no/such.csv"}, "/no/such.csv: no such file"),
        ({"min_user": 100}, "log.csv: nothing is left by the k-core of 100 a user and 1 an item"),
        ({"min_rating": 9}, "log.csv: no interaction has a rating of 9 or more"),
        ({"format": "seq"}, "line 1: a user without items"),
    ],
)
def test_faults_are_one_line(tmp_path: Path, change: dict[str, object], fault: str) -> None:
    config = DataConfig.model_validate({"source": "file", "path": str(write(tmp_path))} | change)
    with pytest.raises(DataError) as caught:
        load(config, rounds=1, seed=1)
    assert fault in str(caught.value) and "\n" not in str(caught.value)


def test_more_rounds_than_anyone_has(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rounds.count = 9 needs 12 interactions of a user; the most that one has is 8"):
        load(DataConfig(source="file", path=str(write(tmp_path))), rounds=9, seed=1)


def test_real_data_that_are_nowhere_never_become_synthetic(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="yelp: not found"):
        load(DataConfig(source="yelp"), rounds=1, seed=1)


def test_looking_at_a_file_filters_nothing(tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("1 2\n1 3\n2 2\n")
    log = read_interactions(path)
    assert log.items.size == 3 and log.n_users == 2 and "read as pairs" in log.source.notes


def test_importing_the_data_package_brings_in_neither_torch_nor_flower() -> None:
    code = (
        "import importlib, pkgutil, sys, chordsim.data as d\n"
        "for m in pkgutil.iter_modules(d.__path__): importlib.import_module('chordsim.data.' + m.name)\n"
        "print(sorted({'torch', 'flwr', 'ray'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
