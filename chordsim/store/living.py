"""Whether anybody still writes into a run directory: a manifest that says `running` of a process that is gone tells nothing."""

from __future__ import annotations

import fcntl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chordsim.ledger.names import LOCK

_GONE = "the process that played it is gone without a word (killed, or the machine went down); chordsim run --resume goes on with it"


def abandoned(run: Path) -> bool:
    """Return whether a run's process is gone: the lock that it held as long as it lived is free."""
    try:
        with open(run / LOCK, "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False  # somebody holds it, or nothing can be told
    return True


def as_it_is(run: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest; one that says ``running`` of a process that is gone says ``interrupted``, and why."""
    if manifest.get("status") == "running" and abandoned(run):
        return {**manifest, "status": "interrupted", "errors": [*manifest.get("errors", []), _GONE]}
    return dict(manifest)
