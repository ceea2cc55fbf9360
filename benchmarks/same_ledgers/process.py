"""The process that plays one checkout's scenarios, from its start to its certain end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.same_ledgers.checkout import Checkout
from benchmarks.same_ledgers.scenarios import Scenario

Answer = dict[str, Any]
PLAYER = Path(__file__).with_name("player.py")
LAST_LINES = 15


class Process:
    """Plays scenarios on one checkout; leaving its context ends whatever still runs."""

    def __init__(self, checkout: Checkout, scenarios: Sequence[Scenario], methods: Sequence[str], folder: Path) -> None:
        """Start it.

        Args:
            checkout: Whose packages are played; it is left as it is.
            scenarios: What to play.
            methods: What "all" methods are.
            folder: An empty folder for all that is written.
        """
        self._checkout, self._log = checkout, folder / "log.txt"
        self._job = {
            "checkout": str(checkout.path),
            "folder": str(folder / "runs"),
            "methods": list(methods),
            "scenarios": [scenario.job() for scenario in scenarios],
        }
        with self._log.open("w") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-P", PLAYER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                cwd=folder,
                env=checkout.environment(folder),
                start_new_session=True,
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *error: object) -> None:
        # The run that the player means to kill itself is in the same session.
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def answers(self) -> Iterator[Answer]:
        """Yield the answer to each scenario as soon as it is there.

        Raises:
            RuntimeError: The process ended early; the text ends with what it said last.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        with self._process.stdin as told:
            told.write(json.dumps(self._job))
        with self._process.stdout as answers:
            for line in answers:
                yield json.loads(line)
        code = self._process.wait()
        if code:
            last = self._log.read_text(errors="replace").splitlines()[-LAST_LINES:]
            raise RuntimeError("\n".join([f"{self._checkout.path}: the player ended with {code}:", *last]))
