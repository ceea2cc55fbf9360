"""Trained cloud states on disk, found by a hash of all that they depend on."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
import platformdirs
import torch

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.errors import UserError
from chordsim.nets.spec import find
from chordsim.numerics import machine
from chordsim.progress import Progress
from server.training import partial, sealed
from server.training.code import code_of

_TURNS: dict[Path, Lock] = {}
_TURNS_LOCK = Lock()


class Source(Protocol):
    """What can be trained: a cloud half, or a start that several halves share."""

    def recipe(self) -> dict[str, Any]:
        """Return all settings that the state depends on (JSON)."""
        ...

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Train."""
        ...


def trained(half: Source, logs: TrainLogs, progress: Progress) -> tuple[State, bool]:
    """Return the trained state of a method, from the cache where it holds one.

    Args:
        half: What to train; its `recipe` names all settings that matter.
        logs: What the cloud may see.
        progress: Where training reports to.

    Returns:
        The state, and whether it came from the cache.

    Raises:
        UserError: The cache cannot be written.
    """
    source = trainee(half)
    path = folder() / f"{key(source, logs)}.safetensors"
    with _turn(path):
        return _trained(path, source, logs, progress)


def trainee(half: Source) -> Source:
    """Return what is trained for a half: itself, or what its own `trainee` returns, a state that several halves share."""
    other = getattr(half, "trainee", None)
    return half if other is None else trainee(other())


def _trained(path: Path, source: Source, logs: TrainLogs, progress: Progress) -> tuple[State, bool]:
    found = sealed.read(path)
    if found is not None:
        partial.tidy(path.parent, _maker())
        return found[0], True
    try:
        # Before training, so that nobody trains for minutes and then cannot keep the result.
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"{path.parent}: no folder for trained models ({error.strerror})"
        raise UserError(f"{why}; set CHORDSIM_CACHE to one that can be written") from error
    with partial.kept_beside(path, _maker()):
        state = source.train(logs, progress)
    sealed.write(path, state)
    partial.tidy(path.parent, _maker())
    return state, False


def _turn(path: Path) -> Lock:
    """Return what lets one thread at a time train a state: the next one finds it."""
    with _TURNS_LOCK:
        return _TURNS.setdefault(path, Lock())


def folder() -> Path:
    """Return where trained states lie: under `CHORDSIM_CACHE`, or the user's cache."""
    root = os.environ.get("CHORDSIM_CACHE")
    return (Path(root) if root else platformdirs.user_cache_path("chordsim")) / "models"


def key(source: Source, logs: TrainLogs) -> str:
    """Return the hash over settings, data, code, versions and numerics."""
    recipe = source.recipe()
    nets = [find(table["kind"]).net for table in (recipe.get("backbone"),) if table]
    return _hash({"recipe": recipe, "logs": logs.digest(), "code": code_of(type(source), *nets), **_surroundings()})


def _surroundings() -> dict[str, Any]:
    """Return what sums of floats depend on beside the code; types and threads stand in the recipe."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"torch": torch.__version__, "numpy": np.__version__, "python": python, **machine()}


def _maker() -> str:
    """Return what tells this installation's checkpoints from another's."""
    return _hash({"code": code_of(object), **_surroundings()})[:12]


def _hash(parts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=list).encode()).hexdigest()
