"""What Ray does when it is in trouble: no start, a full object store, a worker out of memory. Each is one typed line, or a lost cell."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray.exceptions
from flwr.app import Message, RecordDict

from chordsim.config.model import EngineConfig
from chordsim.engine import ray as engine
from chordsim.engine import ray_cluster
from chordsim.engine.ray import TRIES, RayGrid
from chordsim.errors import RunError


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
        made._cluster = SimpleNamespace(lost=lambda: "", private=True, where="a test's Ray", watch=lambda *_: None)  # type: ignore[assignment]
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
