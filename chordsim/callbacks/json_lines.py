"""A callback that writes events as lines of JSON, for whatever reads logs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chordsim.callbacks.protocol import Callback
from chordsim.events import Begun, Ended, Event, Round, Step, Validated
from chordsim.files import disk_errors


class JsonLines(Callback):
    """Writes one line per event: its kind under ``event``, then its fields; flushed at once, so that it can be followed.

    What is no number (an infinite loss) is written as null.
    """

    def __init__(self, path: str | Path | None = None, every: int = 1) -> None:
        """Choose the file and how much of a training is told.

        Args:
            path: Where to; lines are added to a file that is there. None: ``events.jsonl`` in the run directory.
            every: Training steps from one line to the next.
        """
        self._path, self._every = None if path is None else Path(path), max(every, 1)

    def on_begin(self, event: Begun) -> None:
        """Write where the run is and what it plays."""
        self._path = self._path or event.path / "events.jsonl"
        self._write("begin", event)

    def on_step(self, event: Step) -> None:
        """Write every so many steps."""
        if event.step % self._every == 0:
            self._write("step", event)

    def on_validation(self, event: Validated) -> None:
        """Write a validation."""
        self._write("validation", event)

    def on_round(self, event: Round) -> None:
        """Write a round."""
        self._write("round", event)

    def on_end(self, event: Ended) -> None:
        """Write how the run ended, with its summary."""
        self._write("end", event)

    def _write(self, kind: str, event: Event) -> None:
        assert self._path is not None
        line = json.dumps({"event": kind, **_plain(asdict(event))}, allow_nan=False, ensure_ascii=False)
        with disk_errors(self._path), open(self._path, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value
