"""Training that was cut off goes on: model, optimiser and generators at the last validation, beside the final state's file."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chordsim.nets.recommender import Remembering
from server.training import sealed
from server.training.adamw import AdamW
from server.training.average import Average
from server.training.curve import Curve

#: Days for which a checkpoint is left alone: of this code and machine, and of others, which only they could go on with.
KEPT_DAYS, FOREIGN_DAYS = 30, 1
_DAY_S = 86_400.0


@dataclass(frozen=True)
class Beside:
    """Where checkpoints lie.

    Attributes:
        final: File of the final state that is being trained.
        maker: Short hash of code, libraries and machine, part of a checkpoint's name.
    """

    final: Path
    maker: str


#: Set while a state that will be kept is trained.
_BESIDE: ContextVar[Beside | None] = ContextVar("beside", default=None)


@contextlib.contextmanager
def kept_beside(final: Path, maker: str) -> Iterator[None]:
    """Keep checkpoints of the training inside this block beside ``final``."""
    token = _BESIDE.set(Beside(final, maker))
    try:
        yield
    finally:
        _BESIDE.reset(token)


def tidy(folder: Path, maker: str) -> None:
    """Remove checkpoints that nobody will go on with, and what a kill left of files that were being written.

    Gone are those whose final state is there, those of another maker that were not written for `FOREIGN_DAYS`, since
    another installation may be training right now, and any that were not written for `KEPT_DAYS`.
    """
    now = time.time()
    for path in [*folder.glob("*.part.safetensors"), *folder.glob(".*.part")]:
        words = path.name.split(".")
        done = (folder / f"{words[0]}.safetensors").exists() if words[0] else False
        days = KEPT_DAYS if maker in words else FOREIGN_DAYS
        # A cache that cannot be written, or another process that was faster, is no reason to fail.
        with contextlib.suppress(OSError):
            if done or now - path.stat().st_mtime > days * _DAY_S:
                path.unlink()


@dataclass
class Place:
    """Where a training loop stands.

    Attributes:
        step: Steps done.
        best: The state at the best validation so far.
        best_score: Its score.
        since: Validations since then, or since the rates were cut.
        cuts: How often the rates were cut.
    """

    step: int
    best: dict[str, Tensor]
    best_score: float
    since: int
    cuts: int = 0


class Checkpoint:
    """Writes and reads one training loop's place together with all that its next steps depend on."""

    def __init__(
        self,
        title: str,
        model: nn.Module,
        optimiser: AdamW,
        average: Average,
        windows: np.random.Generator,
        noise: torch.Generator,
        curve: Curve,
    ) -> None:
        """Prepare to save and restore.

        Args:
            title: Tells apart the loops of one state.
            model: What is trained.
            optimiser: Its optimiser.
            average: Of what is trained.
            windows: Where batches come from.
            noise: Where dropout and other draws come from.
            curve: How the training went so far.
        """
        at = _BESIDE.get()
        name = hashlib.sha256(title.encode()).hexdigest()[:12]
        self._path = at.final.with_name(f"{at.final.stem}.{name}.{at.maker}.part.safetensors") if at else None
        self._model, self._optimiser, self._average, self._windows, self._noise = model, optimiser, average, windows, noise
        self._curve = curve

    def save(self, place: Place) -> None:
        """Write the place; without a folder to keep it in, do nothing."""
        if self._path is None:
            return
        tensors = {f"model/{name}": value for name, value in self._model.state_dict().items()}
        tensors |= {f"best/{name}": value for name, value in place.best.items()}
        tensors |= {f"average/{name}": value for name, value in self._average.state().items()}
        tensors |= {f"curve/{name}": value for name, value in self._curve.state().items()}
        for index, values in self._optimiser.moments().items():
            tensors |= {f"optimiser/{index}/{name}": value for name, value in values.items()}
        if isinstance(self._model, Remembering):
            tensors |= {f"between/{name}": value for name, value in self._model.between_steps().items()}
        tensors["noise"] = self._noise.get_state()
        state = _plain(self._windows.bit_generator.state)
        counts = {"step": place.step, "best_score": place.best_score, "since": place.since, "cuts": place.cuts}
        sealed.write(self._path, tensors, {**counts, "windows": state})

    def load(self) -> Place | None:
        """Put everything back and return the place; None where there is no sound checkpoint."""
        found = sealed.read(self._path) if self._path else None
        if found is None:
            return None
        tensors, notes = found
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in _under(tensors, "optimiser/").items():
            index, _, name = key.partition("/")
            moments.setdefault(int(index), {})[name] = value
        self._model.load_state_dict(_under(tensors, "model/"))
        self._average.load(_under(tensors, "average/"))
        self._curve.load(_under(tensors, "curve/"))
        self._optimiser.go_on(moments)
        if isinstance(self._model, Remembering):
            self._model.go_on(_under(tensors, "between/"))
        self._noise.set_state(tensors["noise"])
        self._windows.bit_generator.state = _arrays(notes["windows"])
        counts = (int(notes[name]) for name in ("since", "cuts"))
        return Place(int(notes["step"]), _under(tensors, "best/"), float(notes["best_score"]), *counts)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _plain(value: Any) -> Any:
    """Return a generator's state with its arrays as lists of whole numbers."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def _arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _arrays(inner) for name, inner in value.items()}
    return np.array(value, np.uint64) if isinstance(value, list) else value
