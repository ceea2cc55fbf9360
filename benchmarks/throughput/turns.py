"""The talk between the suite and one measured process: it gets ready, then does one repetition for each turn it is given."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

GO, END = "go", "end"


class Turns:
    """The measured side: two pipes of one JSON value per line.

    What a library prints goes to the log, since these pipes are not its standard output.
    """

    def __init__(self, read_fd: int, write_fd: int) -> None:
        # Not inherited by what this process starts, such as a Ray that outlives it.
        os.set_inheritable(read_fd, False)
        os.set_inheritable(write_fd, False)
        self._in, self._out = os.fdopen(read_fd), os.fdopen(write_fd, "w")

    def ready(self, **about: Any) -> None:
        """Say that the warm-up is over, and what there is to know about this process's work."""
        self._say({"ready": about})

    def __iter__(self) -> Iterator[None]:
        """Yield once for every repetition asked for."""
        for line in self._in:
            if line.strip() != GO:
                return
            yield

    def result(self, **figures: float) -> None:
        """Report one repetition; units are in the names."""
        self._say({"result": {name: float(value) for name, value in figures.items()}})

    def refuse(self, reason: str) -> None:
        """Say that this cannot be measured here, and why."""
        self._say({"skipped": reason})

    def _say(self, what: dict[str, Any]) -> None:
        self._out.write(json.dumps(what) + "\n")
        self._out.flush()
