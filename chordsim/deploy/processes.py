"""Long-lived helper processes: each with a log of its own, stopped by the id under which it was started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chordsim.errors import RunError
from chordsim.watchdog import Watchdog

GRACE_S = 10.0


@dataclass(frozen=True)
class Process:
    """A process that this program started, the leader of a process group of its own.

    Attributes:
        name: What it is, for messages.
        log: Its output.
        popen: Its handle.
    """

    name: str
    log: Path
    popen: subprocess.Popen[bytes]

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.popen.poll() is not None

    def last_lines(self, count: int = 3) -> str:
        """Return the end of its log as one line."""
        lines = self.log.read_text(errors="replace").splitlines()
        return " / ".join(" ".join(line.split()) for line in lines[-count:])


def start(name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str], watchdog: Watchdog | None = None) -> Process:
    """Start a program from this Python's installation.

    Args:
        name: What it is; names its log.
        command: Program name and arguments; no shell reads them.
        folder: Where its log goes.
        environment: Its whole environment.
        watchdog: What ends it if this process cannot.
    """
    log = folder / f"{name}.log"
    with open(log, "wb") as out:
        popen = subprocess.Popen(  # noqa: S603 - a program of this installation, arguments as a list
            [program(command[0]), *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
    if watchdog is not None:
        watchdog.watch(popen.pid)
    return Process(name, log, popen)


def stop(processes: Sequence[Process]) -> None:
    """Stop processes and their children, the last started first: ask, wait, then kill."""
    for process in reversed(processes):
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    for process in reversed(processes):
        try:
            process.popen.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            continue
    for process in reversed(processes):
        # Also where the leader has ended: its group may hold a child that did not.
        _signal(process, signal.SIGKILL)
        process.popen.wait()


def program(name: str) -> str:
    """Return the path of a program that was installed with this Python.

    Raises:
        RunError: It is not there.
    """
    for folder in (Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))):
        if (folder / name).is_file():
            return str(folder / name)
    raise RunError(f"{name} is not installed beside {sys.executable}: install chordsim with its dependencies")


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Return ports that nobody listens on now."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind((host, 0))
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()


def _signal(process: Process, number: signal.Signals) -> None:
    try:
        os.killpg(process.popen.pid, number)
    except ProcessLookupError:
        return
