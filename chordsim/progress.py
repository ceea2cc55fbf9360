"""How long work says how far it is: a protocol, so that the numeric core knows no terminal."""

from __future__ import annotations

from contextvars import ContextVar
from threading import Event as Flag
from typing import Protocol

from chordsim.errors import RunError
from chordsim.events import Event, tell


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


class Stoppable:
    """Another progress for work on many threads, through which the first to fail, or Ctrl-C, stops the others."""

    def __init__(self, inner: Progress) -> None:
        self._inner, self._stopped = inner, Flag()

    def stop(self) -> None:
        """Let every task end at its next step."""
        self._stopped.set()

    def start(self, title: str, total: int | None) -> None:
        """Begin a task."""
        self._inner.start(title, total)

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count steps done.

        Raises:
            RunError: `stop` was called.
        """
        if self._stopped.is_set():
            raise RunError("stopped")
        self._inner.advance(steps, note)

    def done(self, note: str = "") -> None:
        """End the task."""
        self._inner.done(note)

    def tell(self, event: Event) -> None:
        """Pass an event on."""
        tell(self._inner, event)


_SILENT = Silent()

#: Where the work of this thread reports to; the command line sets it.
CURRENT: ContextVar[Progress] = ContextVar("chordsim_progress", default=_SILENT)
