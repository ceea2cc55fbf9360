"""Where one checkout's commands are given: an environment, a folder and a mark by which every process is found again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults.plan import TINY
from benchmarks.same_ledgers.checkout import Checkout

MARK = "BROKEN_BY"
#: Whoever gives this in the background may ignore some signals, which children inherit.
_PROGRAM = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_DFL), signal.signal(signal.SIGHUP, signal.SIG_DFL)
from chordsim.cli import main
sys.exit(main(sys.argv[1:]))
"""
COMMAND = [sys.executable, "-P", "-c", _PROGRAM]
METHODS = 'methods=["fp32", "chord-plus"]'
SETTINGS = (METHODS, *TINY, "settings.chord-plus.profile_dim=8", "engine.chunk_size=16")
PATIENCE_S = 400.0


@dataclass(frozen=True)
class Seen:
    """What came of one way to break a run.

    Attributes:
        held: Whether the checkout kept the promise.
        told: What was seen, for a person.
    """

    held: bool
    told: str


@dataclass(frozen=True)
class Given:
    """What a command did.

    Attributes:
        code: Its exit code; None where it had to be ended.
        out: Standard output.
        said: Standard error.
    """

    code: int | None
    out: str
    said: str

    @property
    def last(self) -> str:
        """The last line that it said, at most 160 characters of it."""
        lines = self.said.strip().splitlines()
        return lines[-1][:160] if lines else "nothing said"

    @property
    def ended(self) -> str:
        """How it ended, for a person."""
        return "went on without end" if self.code is None else f"exit code {self.code}"


class Ground:
    """One checkout in one folder. Use it as a context manager: what it started ends with it.

    Attributes:
        checkout: What is tried.
        folder: Where everything is written.
        environment: Of its commands.
    """

    def __init__(self, checkout: Checkout, folder: Path) -> None:
        """Lay it out in an empty folder with a short path, for Ray's sockets."""
        self.checkout, self.folder = checkout, folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self._mark = f"{os.getpid()}-{time.monotonic_ns()}"
        # Programs of Flower's lie beside Python.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        self.environment = {**checkout.environment(folder), MARK: self._mark, "TMPDIR": str(self.temporary), "PATH": path}
        # None that lies about on this machine.
        (folder / "no-data").mkdir()
        self.environment["CHORDSIM_DATA"] = str(folder / "no-data")

    def __enter__(self) -> Ground:
        return self

    def __exit__(self, *error: object) -> None:
        while pids := self.processes():
            for pid in pids:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Give a command; what it says is left in files of the folder."""
        with open(self.folder / "out", "w") as out, open(self.folder / "said", "w") as said:
            return subprocess.Popen(
                [*COMMAND, *words], env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=said, text=True
            )

    def give(self, *words: str, limit_s: float = PATIENCE_S) -> Given:
        """Give a command and wait for its end, or end it."""
        return self.over(self.begin(*words), limit_s)

    def over(self, process: subprocess.Popen[str], limit_s: float = PATIENCE_S) -> Given:
        """Wait for the end of a command, or end it."""
        try:
            code: int | None = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = None
        return Given(code, (self.folder / "out").read_text(), (self.folder / "said").read_text())

    def run(self, out: Path, *settings: str, more: tuple[str, ...] = (), command: str = "run") -> list[str]:
        """Return the command of a tiny run; a key that is set twice has the later value, and one set to nothing is left out."""
        keys = {setting.partition("=")[0]: setting for setting in (*SETTINGS, *settings)}
        sets = [word for setting in keys.values() if not setting.endswith("=") for word in ("--set", setting)]
        return [command, "offline", *sets, "--out", str(out), *more]

    def processes(self, name: str = "") -> list[int]:
        """Return the living processes that carry the mark, or those of one program."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                carries = f"{MARK}={self._mark}".encode() in (entry / "environ").read_bytes().split(b"\0")
                if carries and name in (entry / "comm").read_text():
                    found.append(int(entry.name))
        return found


def wait(ready: Callable[[], bool], process: subprocess.Popen[str], limit_s: float = PATIENCE_S) -> bool:
    """Wait until something is so; return whether it came before the process ended."""
    deadline = time.monotonic() + limit_s
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def manifest(run: Path) -> dict[str, Any]:
    """Return a run's manifest, empty where there is none that can be read."""
    try:
        found: dict[str, Any] = json.loads((run / "manifest.json").read_text())
    except (OSError, ValueError):
        return {}
    return found


def lines(run: Path) -> int:
    """Return how many lines of rounds a run has."""
    try:
        return max((run / "rounds.csv").read_text().count("\n") - 1, 0)
    except OSError:
        return 0
