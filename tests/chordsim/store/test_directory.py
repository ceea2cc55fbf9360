"""The run directory: files whole or absent, one run at a time, faults of the disk in one line."""

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from chordsim.errors import RunError, UserError
from chordsim.files import atomic_write, disk_errors
from chordsim.ledger.columns import PER_ROW
from chordsim.ledger.digest import ledger_sha256, rows_digest
from chordsim.ledger.parquet import file_name, iter_rows
from chordsim.ledger.round_lines import ROUND_FIELDS
from chordsim.ledger.rows import Rows
from chordsim.store import directory as store
from chordsim.store.directory import RunDirectory
from tests.chordsim.ledger.round_line import round_line


def rows_of(method="fp32", round=1, count=3):
    columns = {c.name: np.zeros(count, float if c.dtype == "float64" else np.int64) for c in PER_ROW}
    return Rows.of(method, round, columns | {"device_id": np.arange(count)}, tiers=("low",))


@pytest.fixture
def run(tmp_path):
    with RunDirectory.create(tmp_path / "run", name="quickstart", seed=1) as made:
        yield made


def fail_with(monkeypatch, name, code):
    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(store.os, name, fail)


def visible(path):
    return sorted(p.name for p in path.iterdir() if p.name != store.LOCK)


def test_a_whole_run(run):
    run.write_scenario('name = "quickstart"\n')
    run.write_manifest("running", schema_version=1, seeds=[1])
    made = [rows_of(m, r) for r in (1, 2) for m in ("fp32", "chord")]
    for r in (1, 2):
        part = [rows for rows in made if rows.round == r]
        for rows in part:
            run.write_rows(rows)
        run.append_rounds([round_line(rows) for rows in part])
    run.write_devices({"device_id": np.arange(3), "tier": np.array(["low", "mid", "low"]), "ram_bytes": np.full(3, 2**31)})
    run.write_summary({"methods": {}, "users": 3})
    run.write_manifest("complete", ledger_sha256=run.ledger_sha256)
    assert visible(run.path) == ["SHA256SUMS", "devices.parquet", "ledger", "manifest.json", "rounds.csv", "scenario.toml", "summary.json"]
    manifest = json.loads((run.path / "manifest.json").read_text())
    assert manifest == {"schema_version": 1, "seeds": [1], "status": "complete", "ledger_sha256": run.ledger_sha256}
    assert manifest["ledger_sha256"] == ledger_sha256({(r.method, r.round): rows_digest(r) for r in iter_rows(run.path)})
    lines = (run.path / "rounds.csv").read_text().splitlines()
    assert lines[0] == ",".join(ROUND_FIELDS)
    assert [line.split(",")[:2] for line in lines[1:]] == [["1", "fp32"], ["1", "chord"], ["2", "fp32"], ["2", "chord"]]
    assert pq.read_table(run.path / "devices.parquet").to_pydict()["tier"] == ["low", "mid", "low"]


def test_the_default_folder_is_the_first_free_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2, 3):
        with RunDirectory.create(None, name="quickstart", seed=7) as made:
            assert str(made.path) == f"runs/quickstart-7-{number}"


def test_an_empty_folder_is_taken(tmp_path):
    RunDirectory.create(tmp_path, name="x", seed=1).close()
    assert visible(tmp_path) == ["ledger"]


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match=r"is not empty \(it holds thesis.tex\)"):
        RunDirectory.create(tmp_path, name="x", seed=1)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match="holds an earlier run: .*--resume"):
        RunDirectory.create(tmp_path, name="x", seed=1)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_two_runs_into_one_folder_are_refused(tmp_path):
    first = RunDirectory.create(tmp_path / "run", name="x", seed=1)
    first.write_manifest("running")
    for make in (lambda: RunDirectory.create(first.path, name="x", seed=1), lambda: RunDirectory.reopen(first.path)):
        with pytest.raises(UserError, match="another run is writing here"):
            make()
    first.close()
    first.close()
    RunDirectory.reopen(first.path).close()


def test_the_lock_goes_with_a_killed_process(tmp_path):
    code = (
        "import os, sys, pathlib; from chordsim.store.directory import RunDirectory\n"
        "r = RunDirectory.create(pathlib.Path(sys.argv[1]), name='x', seed=1); r.write_manifest('running'); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], check=False)
    assert done.returncode == -9
    RunDirectory.reopen(tmp_path / "run").close()


@pytest.mark.parametrize("below", ["file/run", "file"])
def test_a_place_that_cannot_be_a_folder_is_the_users_mistake(tmp_path, below):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written: .*choose a folder") as caught:
        RunDirectory.create(tmp_path / below, name="x", seed=1)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_read_only_folder_is_the_users_mistake(tmp_path, monkeypatch, code):
    fail_with(monkeypatch, "open", code)
    with pytest.raises(UserError, match="cannot be written"):
        RunDirectory.create(tmp_path, name="x", seed=1)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_really_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        RunDirectory.create(tmp_path / "run", name="x", seed=1)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_what_was_finished(run, monkeypatch, call):
    run.write_manifest("running", note=1)
    run.write_rows(rows_of(round=1))
    run.append_rounds([round_line(rows_of(round=1))])
    with monkeypatch.context() as broken:
        fail_with(broken, call, errno.ENOSPC)
        rows = run.settle if call == "fsync" else lambda: run.write_rows(rows_of(round=2))
        for write in (rows, lambda: run.write_manifest("complete"), lambda: run.write_summary({})):
            with pytest.raises(RunError, match=r"cannot be written: No space left.*free some space") as caught:
                write()
            assert caught.value.exit_code == 1
    assert json.loads((run.path / "manifest.json").read_text())["status"] == "running"
    assert [rows.round for rows in iter_rows(run.path)] == [1]
    assert len((run.path / "rounds.csv").read_text().splitlines()) == 2
    assert visible(run.path) == ["ledger", "manifest.json", "rounds.csv"]
    assert len(list((run.path / "ledger").iterdir())) == 1
    assert run.ledger_sha256 == ledger_sha256({("fp32", 1): rows_digest(rows_of(round=1))})


def test_rounds_wait_for_the_disk_together_and_before_the_run_says_how_it_ended(run, monkeypatch):
    waited: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        waited.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    for round in (1, 2):
        run.write_rows(rows_of(round=round))
        run.append_rounds([round_line(rows_of(round=round))])
    assert waited == [] and run.due
    run.settle()
    files = [file_name("fp32", 1), "rounds.csv", file_name("fp32", 2)]
    assert waited[:3] == files and set(waited[3:]) == {"ledger", run.path.name} and not run.due
    run.write_rows(rows_of(round=3))
    waited.clear()
    run.write_manifest("complete")
    assert waited[:2] == [file_name("fp32", 3), "ledger"] and any("manifest" in name for name in waited[2:])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_really_full_disk(tmp_path):
    with pytest.raises(OSError, match="No space left"), open("/dev/full", "wb", buffering=0) as file:
        file.write(b"x")
    os.symlink("/dev/full", tmp_path / "rounds.csv")
    with pytest.raises(RunError, match="No space left"), disk_errors(tmp_path):
        store._append(tmp_path / "rounds.csv", b"x")


def test_atomic_write_replaces_or_keeps(tmp_path, monkeypatch):
    path = tmp_path / "file"
    atomic_write(path, b"old")
    atomic_write(path, memoryview(b"new"))
    assert path.read_bytes() == b"new"
    fail_with(monkeypatch, "replace", errno.EIO)
    with pytest.raises(RunError, match="file: cannot be written"):
        atomic_write(path, b"newer")
    assert path.read_bytes() == b"new"
    assert visible(tmp_path) == ["file"]


def test_what_cannot_be_replaced_is_written_to_and_a_link_keeps_pointing(tmp_path):
    pipe, link, target = tmp_path / "pipe", tmp_path / "link", tmp_path / "target"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    atomic_write(pipe, b"line")
    assert os.read(reader, 9) == b"line" and stat.S_ISFIFO(pipe.stat().st_mode), "replaced, it would be a file that nobody reads"
    os.close(reader)
    link.symlink_to(target)
    atomic_write(link, b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"
    for folder in (tmp_path, Path()):
        with pytest.raises(UserError, match="a folder: name a file in it"):
            atomic_write(folder, b"new")


def test_reopen_goes_on_where_the_run_was_killed(tmp_path):
    with RunDirectory.create(tmp_path / "run", name="x", seed=1) as first:
        first.write_manifest("running", seeds=[1])
        first.write_rows(rows_of(round=1))
        first.append_rounds([round_line(rows_of(round=1))])
        whole = first.ledger_sha256
    csv = first.path / "rounds.csv"
    csv.write_bytes(csv.read_bytes() + b"2,fp32,3,1")
    for part in (".manifest.json.77.part", "ledger/.fp32.round-00002.parquet.77.part"):
        (first.path / part).write_bytes(b"half")
    with RunDirectory.reopen(first.path) as again:
        assert again.manifest["seeds"] == [1]
        for rows in iter_rows(again.path):
            again.adopt(rows)
        assert again.ledger_sha256 == whole
        again.append_rounds([round_line(rows_of(round=2))])
    assert [line.split(",")[0] for line in csv.read_text().splitlines()] == ["round", "1", "2"]
    assert not list(first.path.rglob("*.part"))


@pytest.mark.parametrize("text", [None, "", "{", "[]", "\x00"])
def test_reopen_refuses_what_is_not_a_run(tmp_path, text):
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json"):
        RunDirectory.reopen(tmp_path)
    with pytest.raises(UserError, match="not a run directory"):
        RunDirectory.reopen(tmp_path / "gone")


def test_an_unknown_status_or_a_nan_is_a_bug_not_a_file(run):
    with pytest.raises(ValueError, match="status"):
        run.write_manifest("done")
    with pytest.raises(ValueError, match="JSON"):
        run.write_summary({"x": float("nan")})
    assert visible(run.path) == ["ledger"]


def test_the_store_is_light():
    code = (
        "import sys, chordsim.store.directory, chordsim.ledger.summary, chordsim.wire.frame, chordsim.wire.reports\n"
        "print([m for m in ('torch', 'flwr', 'ray', 'pandas', 'pyarrow') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
