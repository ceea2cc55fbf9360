"""Trained cloud states on disk, found by a hash of all that they depend on."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import platformdirs
import torch

import chordsim
import server
from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.errors import UserError
from chordsim.progress import Progress
from server.training import partial, sealed
from server.training.loss import fast_half

#: Folders whose code decides what training gives.
_CODE = (("server", "training"), ("server", "planning"), ("chordsim", "nets"), ("chordsim", "quant"))

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
    path = folder() / f"{key(half.recipe(), logs)}.safetensors"
    with _turn(path):
        return _trained(path, half, logs, progress)


def _trained(path: Path, half: Source, logs: TrainLogs, progress: Progress) -> tuple[State, bool]:
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
        state = half.train(logs, progress)
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


def key(recipe: Mapping[str, Any], logs: TrainLogs) -> str:
    """Return the hash over settings, data, code, torch and instruction set."""
    parts = {"recipe": recipe, "logs": logs.digest(), **_surroundings()}
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=list).encode()).hexdigest()


def source_of(kind: type) -> str:
    """Return the hash of the source files of a class and its bases: training code that lies outside this package."""
    files = {getattr(sys.modules.get(base.__module__), "__file__", None) for base in kind.__mro__}
    total = hashlib.sha256()
    for file in sorted(f for f in files if f):
        total.update(Path(file).read_bytes())
    return total.hexdigest()


def _surroundings() -> dict[str, str]:
    instructions = torch.backends.cpu.get_cpu_capability() + (" bf16" if fast_half() else "")
    return {"code": _code_digest(), "torch": torch.__version__, "instructions": instructions}


def _maker() -> str:
    return hashlib.sha256(json.dumps(_surroundings(), sort_keys=True).encode()).hexdigest()[:12]


@lru_cache(maxsize=1)
def _code_digest() -> str:
    roots = {"server": Path(server.__file__).parent, "chordsim": Path(chordsim.__file__).parent}
    total = hashlib.sha256()
    for package, sub in _CODE:
        for file in sorted((roots[package] / sub).glob("*.py")):
            total.update(file.name.encode() + file.read_bytes())
    return total.hexdigest()
