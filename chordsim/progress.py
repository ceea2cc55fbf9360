"""How long work says how far it is: a protocol, so that the numeric core knows no terminal."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol


class Progress(Protocol):
    """One task's progress."""

    def start(self, title: str, total: int | None) -> None:
        """Begin a task of ``total`` steps (None: unknown)."""
        ...

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count steps done, with a short note such as the running loss."""
        ...

    def done(self, note: str = "") -> None:
        """End the task."""
        ...


class Silent:
    """Progress that says nothing."""

    def start(self, title: str, total: int | None) -> None:
        """Say nothing."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Say nothing."""

    def done(self, note: str = "") -> None:
        """Say nothing."""


_SILENT = Silent()

#: Where the work of this thread reports to; the command line sets it.
CURRENT: ContextVar[Progress] = ContextVar("chordsim_progress", default=_SILENT)
