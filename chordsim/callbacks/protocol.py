"""What a callback may hear, and the progress through which it hears it."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from chordsim.errors import RunError, StopRun, typed_line
from chordsim.events import Begun, Ended, Event, Round, Step, Validated
from chordsim.progress import Progress

_METHODS: dict[type, str] = {Begun: "on_begin", Step: "on_step", Validated: "on_validation", Round: "on_round", Ended: "on_end"}


class Callback:
    """Hears a run. Override what you need; a class of your own with some of these methods does as well.

    Calls come one at a time, those of trainings that run side by side from several threads. An exception ends the run with a
    line that names the callback; what was finished stays, and ``--resume`` goes on. `chordsim.errors.StopRun` does so on purpose.
    """

    def on_begin(self, event: Begun) -> None:
        """Hear that the run has its folder."""

    def on_step(self, event: Step) -> None:
        """Hear of a training step."""

    def on_validation(self, event: Validated) -> None:
        """Hear of a validation."""

    def on_round(self, event: Round) -> None:
        """Hear of a round of all methods, after it is on the disk."""

    def on_end(self, event: Ended) -> None:
        """Hear that the run has ended and its files are whole; not told of a run that an error ended."""


class Heard:
    """A progress that also tells callbacks."""

    def __init__(self, inner: Progress, callbacks: Sequence[object]) -> None:
        """Show progress on another one, and tell callbacks in order."""
        self._inner, self._callbacks, self._turn = inner, tuple(callbacks), Lock()

    def start(self, title: str, total: int | None) -> None:
        """Begin a task."""
        self._inner.start(title, total)

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count steps done."""
        self._inner.advance(steps, note)

    def done(self, note: str = "") -> None:
        """End the task."""
        self._inner.done(note)

    def tell(self, event: Event) -> None:
        """Tell every callback.

        Raises:
            StopRun: One has seen enough.
            RunError: One failed; the text names it.
        """
        name = _METHODS[type(event)]
        with self._turn:
            for callback in self._callbacks:
                heard = getattr(callback, name, None)
                if heard is None:
                    continue
                try:
                    heard(event)
                except StopRun:
                    raise
                except Exception as error:  # a stranger's code: whatever it raises is its fault, and is told by its name
                    raise RunError(f"callback {type(callback).__name__}.{name}: {typed_line(error)}") from error
