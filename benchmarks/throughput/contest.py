"""Measured processes side by side: each is started and warmed up, then they take turns, and all others stand still meanwhile."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from benchmarks.throughput.turns import END, GO

ROOT = Path(__file__).parents[2]
#: Telemetry, update checks and fresh installations off: nothing here may reach out or change the machine.
QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
}
READY_S, TURN_S, END_S = 300.0, 1800.0, 60.0
#: How often the memory of the one whose turn it is is looked at.
SAMPLE_S = 1.0


class Failed(Exception):
    """A measured process ended or fell silent."""


@dataclass
class Case:
    """One thing to measure.

    Attributes:
        name: Within its piece.
        kind: ``"module:function"`` under `benchmarks.throughput.kinds`.
        settings: Its arguments.
        python: The interpreter, where it is not this one.
        most: At most so many repetitions, 0 for as many as asked.
        root: The checkout whose suite and packages it runs.
    """

    name: str
    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    python: str = sys.executable
    most: int = 0
    root: Path = ROOT


class Contestant:
    """One case's process. Use it as a context manager."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case, self.about = case, dict[str, Any]()
        self.skipped = ""
        self._log = folder / "logs" / f"{case.name.replace('/', '-')}.log"
        self._home = folder / "home"
        self._read, self._peak_bytes = b"", 0

    def __enter__(self) -> Self:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        there_read, here_write = os.pipe()
        here_read, there_write = os.pipe()
        command = [self.case.python, "-W", "ignore", "-m", "benchmarks.throughput.child", self.case.kind, json.dumps(self.case.settings)]
        environment = {**os.environ, **QUIET, "FLWR_HOME": str(self._home / "flwr"), "PYTHONPATH": str(self.case.root)}
        environment["CHORDSIM_CACHE"] = str(self._home / "models")
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [*command, str(there_read), str(there_write)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(there_read, there_write),
                cwd=self.case.root,
                env=environment,
                start_new_session=True,
            )
        os.close(there_read)
        os.close(there_write)
        self._in, self._out = here_read, os.fdopen(here_write, "w")
        try:
            told = self._hear(READY_S)
        except BaseException:
            self._end()
            raise
        self.about, self.skipped = told.get("ready", {}), told.get("skipped", "")
        self._stop()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def turn(self) -> dict[str, float]:
        """Let the process do one repetition and return its figures, with the memory that its whole tree has held."""
        self._process.send_signal(signal.SIGCONT)
        self._out.write(f"{GO}\n")
        self._out.flush()
        figures: dict[str, float] = self._hear(TURN_S)["result"]
        self._sample()
        figures["peak_rss_bytes"] = float(self._peak_bytes)
        self._stop()
        return figures

    def _stop(self) -> None:
        """Stop the process itself, so that what it polls for costs the others nothing; what it started idles by itself."""
        self._process.send_signal(signal.SIGSTOP)

    def _sample(self) -> None:
        """Add up the most that each process of the tree has held so far; workers come and go, so this is looked at all the while."""
        self._peak_bytes = max(self._peak_bytes, sum(_peak_bytes(process) for process in self._tree()))

    def _tree(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _hear(self, timeout_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._read:
            ready, _, _ = select.select([self._in], [], [], SAMPLE_S)
            self._sample()
            if not ready and time.monotonic() < deadline:
                continue
            part = os.read(self._in, 65_536) if ready else b""
            if not part:
                what = "ended" if ready else f"said nothing for {timeout_s:g} s"
                raise Failed(f"{self.case.name} {what}; its log is {self._log}:\n" + self._log.read_text(errors="replace")[-2000:])
            self._read += part
        line, self._read = self._read.split(b"\n", 1)
        out: dict[str, Any] = json.loads(line)
        return out

    def _end(self) -> None:
        """Ask the process to end, wait, and end what is left of it and of what it started."""
        tree = self._tree()
        try:
            self._process.send_signal(signal.SIGCONT)
            self._out.write(f"{END}\n")
            self._out.close()
            self._process.wait(END_S)
        except (subprocess.TimeoutExpired, OSError):
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        _, alive = psutil.wait_procs([p for p in tree if p.pid != self._process.pid], timeout=5)
        for process in alive:
            process.kill()


def _peak_bytes(process: psutil.Process) -> int:
    """Return the most resident memory that a process has held (Linux), or what it holds now."""
    try:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return int(process.memory_info().rss)
    except (OSError, psutil.Error):
        return 0
