"""Trainings side by side: as many as processors, the same models as one after the other, and one that fails stops the rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from chordsim import world
from chordsim.errors import RunError
from chordsim.progress import Silent, Stoppable
from chordsim.scenario.load import load
from server import hosting
from server.training import cache, fit

SEVERAL = ("fp32", "chord-plus", "static-mixed", "qat-2")


def test_models_do_not_depend_on_what_is_trained_beside_them(
    tiny: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world.build(load("offline", tiny(methods=SEVERAL)))
    states = []
    for cores in (1, 4):
        monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path / str(cores)))
        monkeypatch.setattr(hosting, "cores", lambda cores=cores: cores)
        states.append([method.state for method in hosting.train(made, Silent()).methods])
    for alone, beside in zip(*states, strict=True):
        assert alone.keys() == beside.keys() and all(torch.equal(alone[name], beside[name]) for name in alone)


def test_what_several_methods_start_from_is_trained_once(
    tiny: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path))
    monkeypatch.setattr(hosting, "cores", lambda: 4)
    titles: list[str] = []
    inner = fit._fit
    monkeypatch.setattr(fit, "_fit", lambda *rest: titles.append(rest[5]) or inner(*rest))
    hosting.train(world.build(load("offline", tiny(methods=("fp32", "static-mixed", "qat-2")))), Silent())
    assert len(titles) == len(set(titles))


def test_a_training_that_fails_stops_the_others(tiny: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path))
    monkeypatch.setattr(hosting, "cores", lambda: 2)
    made = world.build(load("offline", tiny("training.max_steps=1000000", "training.patience=1000000", methods=("fp32", "chord-plus"))))
    inner = cache.trained

    def failing(half, logs, progress):
        if half.context.name == "chord-plus":
            time.sleep(0.3)
            raise RunError("no more")
        return inner(half, logs, progress)

    monkeypatch.setattr(cache, "trained", failing)
    before = set(threading.enumerate())
    with pytest.raises(RunError, match="no more"):
        hosting.train(made, Silent())
    assert not [t for t in threading.enumerate() if t.name.startswith("chunk") and t not in before]


def test_a_stopped_progress_ends_its_task_at_the_next_step() -> None:
    progress = Stoppable(Silent())
    progress.start("x", 2)
    progress.advance()
    progress.stop()
    with pytest.raises(RunError):
        progress.advance()
