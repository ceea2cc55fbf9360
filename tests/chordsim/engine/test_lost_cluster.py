"""A cluster that is lost with all its workers: begun anew, or the run stops as failed; never is a round played with nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import psutil
import pytest
from flwr.app import Message, RecordDict

import chordsim
from chordsim.config.model import EngineConfig
from chordsim.engine import codec
from chordsim.engine import ray as engine
from chordsim.engine.ray import RayGrid
from chordsim.errors import RunError
from chordsim.progress import Silent
from chordsim.store import checkpoint


class Gone:
    """Stands for a cluster all of whose workers are gone."""

    def __init__(self, private: bool) -> None:
        self.private, self.where, self.workers, self.begun = private, "a test's Ray", 2, 0

    def lost(self) -> str:
        return "Ray's raylet has ended"

    def restart(self) -> None:
        self.begun += 1

    def short_of_memory(self) -> str:
        return ""


def broken(*_: object, **__: object) -> None:
    """Stand for a call that needs Ray's object store when its raylet is gone."""
    raise BrokenPipeError(32, "Broken pipe")


@pytest.fixture
def grid(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], RayGrid]]:
    def make(private: bool) -> RayGrid:
        made = RayGrid("clients.app:app", EngineConfig(kind="ray", workers=2))
        super(RayGrid, made).__init__(2)
        made._cluster = Gone(private)  # type: ignore[assignment]
        monkeypatch.setattr(RayGrid, "_hired", lambda self, partition: engine._Seat(partition, None, None))
        return made

    yield make


@pytest.mark.parametrize(("private", "begun"), [(True, engine.RESTARTS), (False, 0)])
def test_without_workers_a_run_stops_after_bounded_retries(private: bool, begun: int, grid: Callable[[bool], RayGrid]) -> None:
    made = grid(private)
    message = Message(RecordDict(), dst_node_id=made.get_node_ids()[0], message_type="query.cell")
    with pytest.raises(RunError, match=r"^no worker is left on a test's Ray.*: Ray's raylet has ended; .*--resume"):
        list(made.send_and_receive([message], timeout=1))
    assert made._cluster.begun == begun  # type: ignore[attr-defined]


@pytest.mark.parametrize("private", [True, False])
def test_an_object_store_that_does_not_answer_is_a_lost_cluster(
    private: bool, grid: Callable[[bool], RayGrid], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = grid(private)
    monkeypatch.setattr(made._cluster, "lost", lambda: "")  # it is asked before its raylet has ended
    monkeypatch.setattr(RayGrid, "_hired", lambda self, partition: engine._Seat(partition, None, object()))
    monkeypatch.setattr("chordsim.engine.ray.ray.wait", broken)
    made._seats = [made._hired(0)]
    message = Message(RecordDict(), dst_node_id=made.get_node_ids()[0], message_type="query.cell")
    with pytest.raises(RunError, match=r"^no worker is left on .*: Ray's object store does not answer: .*Broken pipe; .*--resume"):
        list(made.send_and_receive([message], timeout=1))
    assert made._cluster.begun == (engine.RESTARTS if private else 0)  # type: ignore[attr-defined]


def test_an_answer_that_went_with_the_raylet_is_asked_for_again(grid: Callable[[bool], RayGrid], monkeypatch: pytest.MonkeyPatch) -> None:
    made = grid(True)
    message = Message(RecordDict(), dst_node_id=made.get_node_ids()[0], message_type="query.cell")
    jobs, job = deque[engine._Job](), engine._Job(message)
    seat = engine._Seat(0, MagicMock(), object(), job)
    monkeypatch.setattr("chordsim.engine.ray.ray.get", broken)
    assert list(made._finished(seat, jobs)) == [] and list(jobs) == [job] and seat.job is None


def test_a_resume_begins_before_the_first_lost_cell(tiny: Any, tmp_path: Path, trouble: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    trouble("raise 3")  # in round 1
    methods = ("fp32", "trouble")
    overrides = tiny("engine.cells=3", "engine.workers=1", "rounds.count=3", methods=methods)
    with pytest.warns(chordsim.errors.NotWhole):
        run = chordsim.run("offline", overrides=overrides, out=tmp_path / "run", report=False)
    assert run.status == "degraded" and all(point.errors for point in checkpoint.newest_first(run.path))
    trouble("nothing 0")
    whole = chordsim.run("offline", overrides=overrides, out=tmp_path / "whole", report=False)
    again = chordsim.run(resume=run.path, report=False)
    assert again.status == "complete" and again.manifest["ledger_sha256"] == whole.manifest["ledger_sha256"]


class Killer(Silent):
    """Progress that kills one of Ray's own processes once some rounds are played."""

    def __init__(self, name: str, after: int, marked: Callable[[], list[psutil.Process]]) -> None:
        self.name, self.after, self.marked, self.hit = name, after, marked, 0

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.after -= note.startswith("round")
        if not self.after:
            for process in self.marked():
                if process.name() == self.name:
                    os.kill(process.pid, signal.SIGKILL)
                    self.hit += 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_a_private_ray_that_dies_is_begun_anew(
    name: str, tiny: Any, tmp_path: Path, marked: Callable[[], list[psutil.Process]], nothing_left: Callable[[], bool]
) -> None:
    overrides = tiny("rounds.count=4", "engine.cells=3", methods=("fp32", "chord-plus"))
    here = chordsim.run("offline", overrides=overrides, out=tmp_path / "here", report=False)
    killer = Killer(name, 3, marked)
    run = chordsim.run("offline", overrides=overrides, engine="ray", workers=2, out=tmp_path / "ray", progress=killer, report=False)
    assert killer.hit == 1
    assert run.status == "complete" and run.manifest["ledger_sha256"] == here.manifest["ledger_sha256"]
    assert nothing_left()


@pytest.mark.slow
def test_a_raylet_that_dies_before_an_object_is_stored_is_begun_anew(
    tiny: Any, tmp_path: Path, marked: Callable[[], list[psutil.Process]], monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = tiny("rounds.count=4", "engine.cells=3", methods=("fp32", "chord-plus"))
    here = chordsim.run("offline", overrides=overrides, out=tmp_path / "here", report=False)
    killer, encode = Killer("raylet", 0, marked), codec.encode

    def killing(message: Message) -> tuple[bytes, dict[str, bytes]]:
        data, blobs = encode(message)
        if blobs and not killer.hit:  # after the cluster was asked, and before these are stored
            raylets = [process for process in marked() if process.name() == "raylet"]
            killer.advance()
            assert not psutil.wait_procs(raylets, timeout=20)[1]  # one that is just ending counts as alive
        return data, blobs

    monkeypatch.setattr("chordsim.engine.codec.encode", killing)
    run = chordsim.run("offline", overrides=overrides, engine="ray", workers=2, out=tmp_path / "ray", report=False)
    assert killer.hit == 1
    assert run.status == "complete" and run.manifest["ledger_sha256"] == here.manifest["ledger_sha256"]


@pytest.mark.slow
def test_a_joined_head_that_is_lost_ends_the_run_in_a_line_and_a_resume_goes_on(tiny: Any, tmp_path: Path, shared_cache: Path) -> None:
    from ray.cluster_utils import Cluster

    overrides = tiny("rounds.count=60", "engine.cells=3", methods=("fp32", "chord-plus"))
    here = chordsim.run("offline", overrides=overrides, out=tmp_path / "here", report=False)
    home = str(Path(chordsim.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": home, "CHORDSIM_CACHE": str(shared_cache)}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False, "env_vars": {"PYTHONPATH": home}})
    try:
        sets = [word for text in overrides for word in ("--set", text)]
        call = ["run", "offline", *sets, "--engine", "ray", "--ray-address", cluster.address, "--out", str(tmp_path / "run")]
        # A run that is over sooner than that may end well without its head.
        hasty = "from chordsim.engine import ray_cluster; ray_cluster._SILENT_S, ray_cluster._ASK_EVERY_S = 2.0, 0.5"
        command = [sys.executable, "-c", f"{hasty}; import sys; from chordsim.cli import main; sys.exit(main(sys.argv[1:]))", *call]
        run = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        deadline = time.monotonic() + 240
        while not (tmp_path / "run" / "rounds.csv").exists() and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        for process in cluster.head_node.all_processes["gcs_server"]:
            process.process.kill()
        _, said = run.communicate(timeout=240)
    finally:
        cluster.shutdown()
    last = said.strip().splitlines()[-1]
    assert run.returncode == 1 and last.startswith("chordsim: error: no worker is left on the Ray cluster at"), said[-2000:]
    assert chordsim.api.RunResult(tmp_path / "run").status in ("failed", "interrupted")
    again = chordsim.run(resume=tmp_path / "run", report=False)
    assert again.status == "complete" and again.manifest["ledger_sha256"] == here.manifest["ledger_sha256"]
