"""Processes that are begun quickly and killed: what all of them import is imported once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

#: How long a command may take that nobody kills.
PATIENCE_S = 1800.0
_PRELOADED = [
    "server.app",
    "clients.app",
    "chordsim.cli.guard",
    "chordsim.sweep.sweep",
    "chordsim.sweep.curves",
    "chordsim.recost.again",
    "benchmarks.kills.killed",
]


def context() -> ForkServerContext:
    """Return where processes come from."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(_PRELOADED)
    return made


class Forked:
    """A function in a process of its own."""

    def __init__(self, made: ForkServerContext, call: Callable[..., int], given: Sequence[Any], log: Path) -> None:
        self._process = made.Process(target=_called, args=(call, tuple(given), str(log)))
        self._process.start()

    def killed_after(self, seconds: float) -> bool:
        """Kill it after a while; return whether it was still there."""
        self._process.join(seconds)
        alive = self._process.is_alive()
        if alive and self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
        return alive

    def code(self) -> int:
        """Wait for its end."""
        self._process.join(PATIENCE_S)
        return 1 if self._process.exitcode is None else self._process.exitcode


class Spawned:
    """A command and all that it starts, told by a variable of their environment."""

    def __init__(self, argv: Sequence[str], environment: dict[str, str], mark: str, log: Path) -> None:
        self._mark = f"{mark}={environment[mark]}".encode()
        with open(log, "ab") as file:
            self._process = subprocess.Popen(argv, env=environment, cwd="/", stdout=file, stderr=file, stdin=subprocess.DEVNULL)

    def killed_after(self, seconds: float) -> bool:
        """Kill all of them at once; return whether the command was still there."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end()
            return True
        self.end()
        return False

    def code(self) -> int:
        """Wait for the command's end, then end what it left."""
        try:
            return self._process.wait(PATIENCE_S)
        finally:
            self.end()

    def end(self) -> None:
        """Kill until nobody is left."""
        while pids := [pid for pid in _processes() if self._mark in _environment(pid)]:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self._process.poll()
            time.sleep(0.1)


def _called(call: Callable[..., int], given: tuple[Any, ...], log: str) -> None:
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(target, 1)
    os.dup2(target, 2)
    raise SystemExit(call(*given))


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if entry.name != str(os.getpid())]


def _environment(pid: int) -> list[bytes]:
    try:
        if b"\nState:\tZ" in Path(f"/proc/{pid}/status").read_bytes():
            return []
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
