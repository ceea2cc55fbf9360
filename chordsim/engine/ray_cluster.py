"""Which Ray the work runs on: a private one on this machine, gone with the run, or a cluster that exists already."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import ray
from ray.job_config import JobConfig

from chordsim import signals
from chordsim.errors import RunError, UserError, one_line
from chordsim.installed import HOME
from chordsim.threads import cores
from chordsim.watchdog import Watchdog

#: Objects in flight are few and small; Ray's own default is a third of the machine's memory.
_STORE_BYTES = 256 * 2**20
#: Ray puts sockets about 65 characters below its folder, and a socket's path has at most 107.
_LONGEST_FOLDER = 40
_GONE_WITHIN_S = 15.0
_CONNECT_S = 10.0
_LAST_PORT = 65_535
#: Processes without which a private Ray plays nothing.
_NEEDED = ("raylet", "gcs_server")
#: How often a cluster of others is asked which of its machines live.
_ASK_EVERY_S = 5.0
#: How long its head may be silent. Ray ends this process without a word after 60 s, and every question waits as long.
_SILENT_S = 25.0
#: How long to wait for Ray to let go of a head that is gone.
_LET_GO_S = 5.0
_ENDED_FOR_MEMORY = re.compile(r"Killing (\d+) worker\(s\), kill details: Memory")
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
}


class Cluster:
    """A connection to Ray. Use it as a context manager; what it started ends with it.

    Attributes:
        workers: How many workers to start.
        cpus_per_worker: What each asks of Ray; a fraction where workers outnumber processors.
        where: Where they run, for a person.
    """

    def __init__(self, workers: int, address: str | None) -> None:
        """Prepare; nothing starts yet.

        Args:
            workers: Wanted; 0 is one per processor.
            address: A cluster that exists already, such as "auto" or "host:6379"; None for a private one.
        """
        self._address = address
        self.workers = workers
        self.cpus_per_worker = 1.0
        self.where = ""
        self._folder: Path | None = None
        self._ours = False
        self._pids: list[int] = []
        self._watchdog: Watchdog | None = None
        self._asked_s = 0.0
        self._head = ""
        self._silent_since: float | None = None

    def __enter__(self) -> Self:
        os.environ.update({name: value for name, value in _ENVIRONMENT.items() if name not in os.environ})
        try:
            self._connect()
        except BaseException:
            self.close()
            raise
        processors = float(ray.cluster_resources().get("CPU", 0.0))  # type: ignore[no-untyped-call]
        self.workers = self.workers or max(1, int(processors))
        if processors <= 0:
            self.close()
            raise RunError(f"Ray at {self.where} has no processors to give")
        self.cpus_per_worker = min(1.0, int(processors / self.workers * 10_000) / 10_000)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def private(self) -> bool:
        """Whether Ray was started here and ends here."""
        return self._folder is not None

    @property
    def silent(self) -> bool:
        """Whether the head of a cluster of others does not answer."""
        return self._silent_since is not None

    def watch(self, pid: int, node: str) -> None:
        """Remember a worker process, to see it gone at the end."""
        if node == ray.get_runtime_context().get_node_id() and pid not in self._pids:
            self._pids.append(pid)

    def lost(self) -> str:
        """Return why nothing can run here any more, "" where something can.

        Ray itself waits for minutes, or for ever, for a process that is gone. Of a cluster of others only its own word is known.
        """
        if self.private:
            node = ray._private.worker._global_node
            running: dict[str, list[Any]] = {} if node is None else node.all_processes
            ended = [kind for kind in _NEEDED for one in running.get(kind, []) if one.process.poll() is not None]
            return f"Ray's {ended[0].replace('_', ' ')} has ended" if ended else ""
        if self._ours and time.monotonic() >= self._asked_s + _ASK_EVERY_S:
            self._asked_s = time.monotonic()
            if why := self._silence():
                begun = self._silent_since = self._silent_since or self._asked_s
                return f"Ray's head does not answer: {why}" if self._asked_s - begun >= _SILENT_S else ""
            self._silent_since = None
            nodes = ray.nodes()  # type: ignore[no-untyped-call]
            return "" if any(node["Alive"] for node in nodes) else "no machine of the cluster is left"
        return ""

    def short_of_memory(self) -> str:
        """Return what a private Ray's own log says of workers that it ended for want of memory, "" where it says nothing.

        The error of their calls does not tell: it is that of any worker that is gone and begins anew.
        """
        if self._folder is None:
            return ""
        try:
            log = (self._folder / "session_latest" / "logs" / "raylet.out").read_text(errors="replace")
        except OSError:
            return ""
        ended = sum(int(count) for count in _ENDED_FOR_MEMORY.findall(log))
        return f"; Ray has ended {ended} worker(s) because memory was short" if ended else ""

    def _silence(self) -> str:
        """Return why the head of a cluster of others takes no connection, "" where it does."""
        host, _, port = self._head.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
        except OSError as error:
            return error.strerror or str(error) or type(error).__name__
        return ""

    def restart(self) -> None:
        """Begin a private cluster anew."""
        workers = self.workers
        self.close()
        self.workers = workers
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End what was started here and wait until its processes are gone."""
        if self._ours and self.silent:
            letting_go = threading.Thread(target=ray.shutdown, daemon=True)
            letting_go.start()
            letting_go.join(_LET_GO_S)
        elif self._ours:
            ray.shutdown()
        self._ours, self._silent_since = False, None
        deadline = time.monotonic() + _GONE_WITHIN_S
        while any(_alive(pid) for pid in self._pids) and time.monotonic() < deadline:
            time.sleep(0.05)
        self._pids.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        if self._watchdog is not None:
            self._watchdog.release()
            self._watchdog = None

    def _connect(self) -> None:
        if ray.is_initialized():
            # Whoever began it, such as a notebook, also ends it.
            self.where = "the Ray that this process uses already"
            return
        self._ours = True
        if self._address is not None:
            _check_address(self._address)
            try:
                with signals.kept():
                    ray.init(address=self._address, job_config=_job(), log_to_driver=False, logging_level=logging.ERROR)
            except (ConnectionError, RuntimeError, ValueError) as error:
                reason = one_line(error, 200)
                raise UserError(f"--ray-address {self._address}: no Ray cluster can be joined there: {reason}") from error
            nodes = sum(bool(node["Alive"]) for node in ray.nodes())  # type: ignore[no-untyped-call]
            self.where = f"the Ray cluster at {self._address} ({nodes} node(s))"
            self._head = ray.get_runtime_context().gcs_address
            return
        self.workers = self.workers or cores()
        self._folder = _private_folder()
        self._watchdog = Watchdog([self._folder])
        self._watchdog.__enter__()
        try:
            with marked(self._watchdog), signals.kept():
                self._begin()
        except Exception as error:  # Ray raises plain ones where a process of its own was not up in time
            reason = one_line(error, 200)
            raise RunError(f"Ray does not start on this machine: {reason}; --engine inprocess needs none") from error
        self.where = "Ray on this machine"

    def _begin(self) -> None:
        ray.init(
            address="local",
            num_cpus=self.workers,
            num_gpus=0,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=_STORE_BYTES,
            job_config=_job(),
            _temp_dir=str(self._folder),
        )


def _job() -> JobConfig:
    """Return what lets workers find chordsim, server and clients where this process found them."""
    return JobConfig(code_search_path=[str(HOME)])


@contextlib.contextmanager
def marked(watchdog: Watchdog) -> Iterator[None]:
    """Let the processes that start in the block end with this one, whatever ends it."""
    os.environ.update(watchdog.mark)
    try:
        yield
    finally:
        for name in watchdog.mark:
            del os.environ[name]


def _check_address(address: str) -> None:
    """Ask whether anything listens at an address, since Ray itself would try for minutes.

    Raises:
        UserError: Not an address, or nobody answers.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdigit() or int(port) > _LAST_PORT:
        raise UserError(f"--ray-address {address}: give auto, or HOST:PORT of the cluster's head as `ray start --head` prints it")
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except OSError as error:
        raise UserError(f"--ray-address {address}: no Ray cluster can be joined there: {error}") from error


def _private_folder() -> Path:
    """Return a new folder with a path that is short enough for Ray's sockets."""
    folder = Path(tempfile.mkdtemp(prefix="chordsim-ray-"))
    if len(str(folder)) > _LONGEST_FOLDER:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="chordsim-ray-", dir="/tmp"))  # noqa: S108
    return folder


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
