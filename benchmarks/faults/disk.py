"""A disk and a process that fail at a given write: what comes after a kill is not written any more."""

from __future__ import annotations

import contextlib
import errno
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chordsim.store.directory as directory
from benchmarks.faults.kinds import DISK
from benchmarks.faults.plan import Fault


class Killed(BaseException):
    """Stands for the end of the process."""


class Process:
    """One attempt of a run.

    Attributes:
        dead: Whether it was killed.
        met: Faults that came, by kind.
        written: Files that were written, the last one last.
    """

    def __init__(self, out: Path, fault: Fault | None) -> None:
        self.dead, self.met, self.written = False, Counter[str](), list[Path]()
        self._out, self._fault, self._writes = out, fault, 0

    def kill(self, kind: str) -> None:
        """End the process here."""
        self.met[kind] += 1
        self.dead = True
        raise Killed

    def alive(self) -> None:
        """Let nobody do anything after the end."""
        if self.dead:
            raise Killed

    @contextlib.contextmanager
    def on_disk(self) -> Iterator[None]:
        """Let writes into the run directory meet the fault."""
        replace, append = os.replace, directory._append

        def replaced(source: Any, target: Any) -> None:
            path = Path(target)
            if self._out not in path.parents:
                replace(source, target)
                return
            kind = self._due()
            data = Path(source).read_bytes()
            cut = data[: int(len(data) * (self._fault.part if self._fault else 1))]
            if kind == "torn beside":
                Path(source).rename(path.with_name(f".{path.name}.77.part"))
                path.with_name(f".{path.name}.77.part").write_bytes(cut)
            if kind == "torn in place":
                path.write_bytes(cut)
            self._struck(kind)
            replace(source, target)
            self.written.append(path)

        def appended(path: Path, data: bytes) -> None:
            kind = self._due()
            if kind.startswith("torn") and self._fault is not None:
                with open(path, "ab") as file:
                    file.write(data[: int(len(data) * self._fault.part)])
            self._struck(kind)
            append(path, data)
            self.written.append(path)

        os.replace = replaced  # type: ignore[assignment]
        directory._append = appended
        try:
            yield
        finally:
            os.replace, directory._append = replace, append

    def _due(self) -> str:
        """Return the fault of this write, "" for none."""
        self.alive()
        self._writes += 1
        fault = self._fault
        return fault.kind if fault is not None and fault.kind in DISK and self._writes - 1 == fault.at else ""

    def _struck(self, kind: str) -> None:
        if kind == "full disk":
            self.met[kind] += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if kind:
            self.kill(kind)
