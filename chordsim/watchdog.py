"""Ends processes and removes folders when the process that started them is gone, whatever ended it.

A small process of its own waits on a pipe whose other end only its parent holds: it reads the end of the file once the parent is
gone, also by SIGKILL. Run as a script it imports nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess  # noqa: S404
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

#: In the environment of every process that is to end with its parent.
MARK = "CHORDSIM_ENDS_WITH"
#: How long processes may take to end by themselves, and how often it is tried.
GRACE_S, TRIES = 2.0, 20
#: How often a process without an environment is read again, and after how long: while a program is loaded it shows none.
READS, AGAIN_S = 10, 0.01
_DONE = "done"


class Watchdog:
    """Use it as a context manager around what must not outlive this process.

    Attributes:
        mark: Name and value of the variable that processes carry which are to be ended.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        """Prepare.

        Args:
            folders: What is removed when this process is gone, in that order.
        """
        self._folders = [str(folder.absolute()) for folder in folders]
        self._process: subprocess.Popen[bytes] | None = None
        self.mark = {MARK: f"{os.getpid()}-{time.monotonic_ns()}"}

    def __enter__(self) -> Self:
        asked = json.dumps([self.mark[MARK], self._folders])
        self._process = subprocess.Popen(  # noqa: S603 - this file, by this Python
            [sys.executable, "-I", "-S", __file__, asked],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def watch(self, pid: int) -> None:
        """Name the leader of a process group that is to end, for systems that do not tell the environment of processes."""
        self._write(f"{pid}\n")

    def release(self) -> None:
        """Let it go: this process has cleared up itself."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.write(_DONE.encode())
                process.stdin.close()
            process.wait()

    def _write(self, text: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(text.encode())
                self._process.stdin.flush()


def marked(value: str, name: str = MARK) -> list[int]:
    """Return the processes whose environment says so, where the system tells (Linux), in ascending order.

    A process whose program is just being loaded shows an empty environment for an instant, also after `Popen` has returned: it is
    read again. Kernel threads and zombies show none for ever, and no executable either.
    """
    wanted, found = f"{name}={value}".encode(), []
    entries = list(Path("/proc").glob("[0-9]*"))
    for _ in range(READS):
        blank = []
        for entry in entries:
            with contextlib.suppress(OSError):
                said = (entry / "environ").read_bytes()
                if wanted in said.split(b"\0"):
                    found.append(int(entry.name))
                elif not said and os.readlink(entry / "exe"):
                    blank.append(entry)
        if not blank:
            break
        entries = blank
        time.sleep(AGAIN_S)
    return sorted(found)


def _signal(value: str, groups: Iterable[int], number: int) -> None:
    for pid in groups:
        with contextlib.suppress(OSError):
            os.killpg(pid, number)
    for pid in marked(value):
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def main(asked: str) -> None:
    """Wait for the end of the parent, then clear up."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    value, folders = json.loads(asked)
    said = sys.stdin.buffer.read().decode()
    if said.endswith(_DONE):
        return
    groups = [int(line) for line in said.split()]
    # Keys first: what processes have read is in their memory, and they end next.
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    _signal(value, groups, signal.SIGTERM)
    time.sleep(GRACE_S)
    for _ in range(TRIES):
        _signal(value, groups, signal.SIGKILL)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        if not marked(value):
            break
        time.sleep(0.1)


if __name__ == "__main__":
    main(sys.argv[1])
