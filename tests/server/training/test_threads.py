"""Training with several threads ends in the same bits each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from chordsim import methods
from chordsim.progress import Silent
from chordsim.scenario.load import load
from chordsim.scenario.text import dump
from chordsim.world import of_text
from server.training import cache

#: Enough equal items in a step that threads which added to one row as they come would meet.
CROWDED = ("training.threads=2", "training.max_steps=3", "training.eval_every=3", "training.batch=256", "data.synthetic.items=40")
#: Every network that reads the item table in a way of its own.
NETWORKS = ("fp32", "qat-2", "chord", "chord-plus", "film-192", "cda4rec", "duet", "forward-ofa")
PLAIN = ("fp32", "chord", "chord-plus")
BACKBONES = {"sasrec": (), "caser": ("backbone.kind='caser'", "backbone.ffn_dim=64")}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(k, n, marks=() if k == "sasrec" and n in PLAIN else pytest.mark.slow)
        for k in BACKBONES
        for n in NETWORKS
        if (k, n) != ("caser", "forward-ofa")
    ],
)
def test_two_threads_train_the_same_state_each_time(
    kind: str, name: str, tiny: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = of_text(dump(load("offline", tiny(*CROWDED, *BACKBONES[kind], methods=(name,)))))
    states = []
    for attempt in range(4):
        monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path / str(attempt)))
        half = methods.load(world.specs[name].cloud)(world.context(name))
        states.append(cache.trained(half, world.logs, Silent())[0])
    first, *others = states
    assert all(torch.equal(first[key], other[key]) for other in others for key in first)
