"""What Ray does when it is in trouble: no start, a full object store, a worker out of memory. Each is one typed line, or a lost cell."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import ray.exceptions
from flwr.app import Message, RecordDict

import chordsim
from chordsim.config.model import EngineConfig
from chordsim.engine import ray as engine
from chordsim.engine import ray_cluster
from chordsim.engine.ray import TRIES, RayGrid
from chordsim.errors import NotWhole, RunError


class Answering:
    """Stands for one worker: each call does the next thing of a list, and the last thing for ever."""

    def __init__(self, *does: Exception | str) -> None:
        self.does = list(does)
        self.answer = SimpleNamespace(remote=self.called)
        self.ready = SimpleNamespace(remote=lambda: "ready")

    def called(self, data: bytes, *_: object) -> Any:
        does = self.does.pop(0) if len(self.does) > 1 else self.does[0]
        if does == "full":
            raise ray.exceptions.ObjectStoreFullError("the store of this test is full")
        return data if does == "answer" else does


class FakeRay:
    """Stands for the functions of Ray that the grid calls."""

    exceptions = ray.exceptions

    @staticmethod
    def wait(calls: list[Any], **_: object) -> tuple[list[Any], list[Any]]:
        return calls[:1], calls[1:]

    @staticmethod
    def get(call: Any) -> Any:
        if isinstance(call, Exception):
            raise call
        return (1, "here") if call == "ready" else call


@pytest.fixture
def grid(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answering], RayGrid]:
    def make(worker: Answering) -> RayGrid:
        made = RayGrid("clients.app:app", EngineConfig(kind="ray", workers=1))
        super(RayGrid, made).__init__(1)
        made._cluster = SimpleNamespace(
            lost=lambda: "", private=True, where="a test's Ray", watch=lambda *_: None, short_of_memory=lambda: ""
        )  # type: ignore[assignment]
        made._seats = [engine._Seat(0, worker, None)]
        monkeypatch.setattr(engine, "ray", FakeRay)
        monkeypatch.setattr(engine.codec, "encode", lambda message: (b"a call", {}))
        monkeypatch.setattr(engine.codec, "decode", lambda data: Message(RecordDict(), reply_to=message(made)))
        return made

    return make


def message(grid: RayGrid) -> Message:
    return Message(RecordDict(), dst_node_id=grid.get_node_ids()[0], message_type="query.cell")


def test_a_full_object_store_is_told_in_one_line(grid: Callable[[Answering], RayGrid]) -> None:
    made = grid(Answering("full"))
    with pytest.raises(RunError, match=r"^a test's Ray: its object store cannot take 6 bytes: .*full"):
        list(made.deliver([message(made)], None))


def test_a_worker_out_of_memory_is_tried_again(grid: Callable[[Answering], RayGrid]) -> None:
    short = ray.exceptions.OutOfMemoryError("the worker was killed, memory was short")
    made = grid(Answering(*[short] * (TRIES - 1), "answer"))
    (answer,) = made.deliver([message(made)], None)
    assert not answer.has_error()


def test_one_that_is_always_out_of_memory_loses_its_cell(grid: Callable[[Answering], RayGrid]) -> None:
    made = grid(Answering(ray.exceptions.OutOfMemoryError("the worker was killed, memory was short")))
    (answer,) = made.deliver([message(made)], None)
    assert answer.has_error() and f"{TRIES} times: the worker was killed, memory was short" in answer.error.reason


def test_a_ray_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(**_: object) -> None:
        raise Exception("The current node timed out\n during startup.")

    monkeypatch.setattr(ray_cluster.ray, "init", late)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(ray_cluster.tempfile, "tempdir", None)
    with (
        pytest.raises(RunError, match=r"^Ray does not start on this machine: The current node timed out during startup\.; --engine"),
        RayGrid("clients.app:app", EngineConfig(kind="ray", workers=1)),
    ):
        pass
    assert not list(tmp_path.iterdir()), "its folder went"


def test_a_joined_head_may_be_silent_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's own question would wait until Ray ends this process; a connection to the head does not."""
    now, alive = [100.0], [{"Alive": True}]
    cluster = ray_cluster.Cluster(1, "auto")
    with socket.create_server(("127.0.0.1", 0)) as head:
        cluster._ours, cluster._head = True, f"127.0.0.1:{head.getsockname()[1]}"
        monkeypatch.setattr(ray_cluster, "time", SimpleNamespace(monotonic=lambda: now[0]))
        monkeypatch.setattr(ray_cluster.ray, "nodes", lambda: alive)
        assert cluster.lost() == "" and not cluster.silent
    monkeypatch.setattr(ray_cluster.ray, "nodes", lambda: pytest.fail("that would hang"))
    for passed, lost in ((10, False), (20, False), (20, True)):
        now[0] += passed
        assert bool(cluster.lost()) == lost and cluster.silent
    now[0] += 10
    assert cluster.lost().startswith("Ray's head does not answer: ")


#: A bootstrap of 82,000 items outweighs a store of 80 MiB, the least that Ray takes being 75.
LARGE = ("data.synthetic.items=82000", "backbone.dim=256", "training.max_steps=1", "training.eval_every=1")


@pytest.mark.slow
def test_a_store_that_is_full_ends_a_real_run_in_a_line_and_with_room_on_the_disk_it_goes_on(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nothing_left: Callable[[], bool]
) -> None:
    """What a store has no room for, Ray lays on the disk; where that is over its limit, too, nothing can be sent."""
    overrides = tiny(*LARGE, methods=("fp32",))
    here = chordsim.run("offline", overrides=overrides, out=tmp_path / "here", report=False)
    monkeypatch.setattr(ray_cluster, "_STORE_BYTES", 80 * 2**20)
    monkeypatch.setenv("RAY_local_fs_capacity_threshold", "0.0001")
    with pytest.raises(RunError, match=r"^Ray on this machine: its object store cannot take 8\d,\d{3},\d{3} bytes: .*store is full"):
        chordsim.run("offline", overrides=overrides, engine="ray", workers=1, out=tmp_path / "ray", report=False)
    assert chordsim.api.RunResult(tmp_path / "ray").status == "failed" and nothing_left()
    monkeypatch.delenv("RAY_local_fs_capacity_threshold")
    run = chordsim.run(resume=tmp_path / "ray", engine="ray", report=False)
    assert run.status == "complete" and run.manifest["ledger_sha256"] == here.manifest["ledger_sha256"]
    assert nothing_left()


@pytest.mark.slow
def test_a_real_worker_out_of_memory_loses_its_cell_and_no_more(
    tiny: Any, tmp_path: Path, trouble: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, nothing_left: Callable[[], bool]
) -> None:
    """Ray's monitor ends a worker that takes 3 GiB where 2 more than before are allowed: thrice, and then its phones failed."""
    room = psutil.virtual_memory()
    if room.available < 8 * 2**30:
        pytest.skip(f"takes 5 GiB of memory for some seconds; {room.available / 2**30:.1f} are free")
    monkeypatch.setenv("RAY_memory_usage_threshold", f"{(room.total - room.available + 2 * 2**30) / room.total:.4f}")
    monkeypatch.setenv("CHORDSIM_TEST_SWELL", str(3 * 2**30))
    overrides = tiny("engine.cells=3", methods=("fp32", "trouble"))
    trouble("nothing 0")
    here = chordsim.run("offline", overrides=overrides, out=tmp_path / "here", report=False)
    trouble("swell 3")
    with pytest.warns(NotWhole):
        run = chordsim.run("offline", overrides=overrides, engine="ray", workers=1, out=tmp_path / "ray", report=False)
    assert run.status == "degraded" and len(run.manifest["errors"]) == 1
    (told,) = run.manifest["errors"]
    assert told.startswith("trouble, round 1, cell 0: ") and f"its worker died {TRIES} times" in told, told
    assert told.endswith("worker(s) because memory was short"), told
    rows, sound = run.ledger, here.ledger
    lost = rows[(rows.method == "trouble") & (rows["round"] == 1) & (rows.outcome == "failed")]
    assert 0 < len(lost) < 40 and 3 in set(lost.device_id)
    others = (rows.method == "fp32") | (rows["round"] == 2)
    assert rows[others].equals(sound[others])
    assert nothing_left()
