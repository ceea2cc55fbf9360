"""A training that takes over a trained model never ends below it, and moves what it took over slowly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from chordsim import methods
from chordsim.progress import Silent
from chordsim.scenario.load import load
from chordsim.world import World, build
from server import hosting
from server.model_retriever import RetrieverModel
from server.training import cache, dense
from server.training.validation import Validation

SMALL = [
    "data.source=synthetic",
    "data.synthetic.users=60",
    "data.synthetic.items=50",
    "backbone.dim=16",
    "backbone.ffn_dim=16",
    "backbone.max_len=8",
]
STEPS = ["training.max_steps=4", "training.eval_every=2", "training.batch=16"]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path))


def world_of(method: str, *more: str) -> World:
    return build(load("offline", [*SMALL, *STEPS, f'methods=["{method}"]', *more]))


def started(world: World, method: str) -> tuple[methods.CloudHalf, torch.nn.Module, frozenset[str]]:
    half = methods.load(world.specs[method].cloud)(world.context(method))
    network = half.network()
    return half, network, half.start(network, world.logs, Silent())


@pytest.mark.parametrize("method", ["qat-2", "otaro", "duet", "film-192", "dccl", "cocorrrec", "forward-ofa"])
def test_a_ruinous_rate_leaves_the_start(method: str) -> None:
    world = world_of(method, "training.lr=0.5", "training.plan_lr=0.5", "training.warm_share=1.0")
    half, network, names = started(world, method)
    assert {"item", "position"} <= names
    c = world.context(method)
    before = Validation.of(world.logs, c.backbone.max_len, c.training.eval_users, c.seed).ndcg_10(network)
    state = half.train(world.logs, Silent())
    assert float(state["trained.ndcg_10"]) >= before


def test_what_was_taken_over_moves_by_a_share_of_the_rate() -> None:
    """With one step of Adam a parameter moves by its rate, so the largest move tells the rate."""
    world = world_of("film-192", "training.max_steps=1", "training.eval_every=1", "training.lr=0.001", "training.warm_share=0.1")
    half, network, names = started(world, "film-192")
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(half, "network", lambda: network)
        half.train(world.logs, Silent())
    moved = {name: float((value.detach() - before[name]).abs().max()) for name, value in network.named_parameters()}
    assert 0 < len(names) < len(moved) and max(moved.values()) > 0
    assert all(move <= 1.01e-4 for name, move in moved.items() if name in names)
    assert max(move for name, move in moved.items() if name not in names) == pytest.approx(1e-3, rel=0.01)


def test_a_training_from_its_own_draws_validates_after_steps_alone() -> None:
    world = world_of("fp32", "training.max_steps=0")
    state = dense.Reference(world.context("fp32"), methods.load(world.specs["fp32"].cloud)(world.context("fp32")).recipe()).train(
        world.logs, Silent()
    )
    assert float(state["trained.ndcg_10"]) == -1.0
    assert hosting.train(world, Silent()).notes == {"fp32": {"steps": 0, "validation_ndcg_10": None}}


@pytest.mark.parametrize("trainer", [lambda context: dense.Reference(context, {}), RetrieverModel])
def test_weights_that_nobody_trained_start_as_wide_as_the_scenario_says(trainer: Callable[[methods.MethodContext], cache.Source]) -> None:
    found = []
    for more in ((), ("training.start_std=0.02",)):
        world = world_of("fp32", "training.max_steps=0", *more)
        state = trainer(world.context("fp32")).train(world.logs, Silent())
        found.append([state[f"weights.{n}"] for n in range(len(world.shapes.layers))])
    for layer, by_fan_in, small in zip(world.shapes.layers, *found, strict=True):
        assert torch.allclose(small, by_fan_in * 0.02 / (layer.gain / layer.fan_in) ** 0.5)
        assert 0.015 < small.std() < 0.025
