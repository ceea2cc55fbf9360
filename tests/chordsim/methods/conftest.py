"""A tiny world in which every method can be trained for a few steps and talked through leg by leg."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from chordsim import methods
from chordsim.config.model import BackboneConfig, DataConfig, RoundsConfig, Scenario, SyntheticConfig, TrainingConfig
from chordsim.methods import Batch, Budgets, CloudTurn, History, Leg, MethodContext, MethodSpec, PhoneBatch, Turn
from chordsim.progress import Silent
from chordsim.ragged import Ragged
from chordsim.scenario.settings import resolve_settings
from chordsim.world import World, build

ROWS = 8


@dataclass
class Talk:
    """One method with a trained state and one chunk of phones that grant plenty; the last row is padding."""

    world: World
    spec: MethodSpec
    context: MethodContext
    cloud: Any
    device: Any
    state: Any
    who: PhoneBatch
    history: History
    model: Any = None
    columns: Any = None

    def blobs(self) -> dict[str, bytes]:
        return {blob.label: blob.data for blob in self.cloud.bootstrap(self.state)}

    def exchange(self, who: PhoneBatch | None = None, history: History | None = None, active: Any = None) -> dict[Leg, Any]:
        """Play all legs and return (payload, device turn, cloud turn or None) by leg."""
        who, history = who or self.who, history or self.history
        self.model = self.device.load(self.blobs())
        self.columns = {}
        out: dict[Leg, Any] = {}
        inbox = Ragged.empty(len(who))
        for leg in self.spec.exchange:
            if leg.direction == "down":
                turn: CloudTurn = self.cloud.respond(self.state, leg, Batch(who.device_ids, who.active, who.round), inbox)
                down = turn.outbox
                done = self.act(leg, who, history, down)
                out[leg] = (down, done, turn)
            else:
                done = self.act(leg, who, history, Ragged.empty(len(who)))
                inbox = done.outbox if leg.kind != "report" else inbox
                out[leg] = (done.outbox, done, None)
            self.columns = {**self.columns, **done.state}
        return out

    def act(self, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        guard = torch.enable_grad() if self.spec.needs_autograd else torch.inference_mode()
        with guard:
            return self.device.act(self.model, self.columns, leg, who, history, inbox)


@pytest.fixture(scope="session")
def tiny_world() -> Callable[..., World]:
    def make(*names: str, settings: dict[str, dict[str, Any]] | None = None, **backbone: Any) -> World:
        scenario = Scenario(
            methods=names,
            data=DataConfig(source="synthetic", synthetic=SyntheticConfig(users=40, items=50, groups=4, mean_length=16.0)),
            backbone=BackboneConfig(**{"dim": 16, "ffn_dim": 16, "blocks": 2, "heads": 2, "max_len": 20, **backbone}),
            training=TrainingConfig(max_steps=3, batch=16, eval_every=3, threads=1),
            rounds=RoundsConfig(count=2),
            settings=settings or {},
        )
        return build(resolve_settings(scenario))

    return make


@pytest.fixture(scope="session")
def talk(tiny_world: Callable[..., World], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Talk]:
    """Return a maker of talks; trained states are shared through a cache of the session's own."""
    from server.training import cache

    folder = tmp_path_factory.mktemp("trained")
    patch = pytest.MonkeyPatch()
    patch.setenv("CHORDSIM_CACHE", str(folder))

    def make(name: str, settings: dict[str, Any] | None = None, **backbone: Any) -> Talk:
        world = tiny_world(name, settings={name: settings} if settings else None, **backbone)
        spec, context = world.specs[name], world.context(name)
        cloud, device = methods.load(spec.cloud)(context), methods.load(spec.device)(context)
        state, _ = cache.trained(cloud, world.logs, Silent())
        ids = np.arange(ROWS)
        budgets = Budgets(np.full(ROWS, 2**40), np.full(ROWS, 10.0), np.full(ROWS, 32.0), np.full(ROWS, 1e9))
        who = PhoneBatch(ids, np.arange(ROWS) < ROWS - 1, 1, budgets)
        history = world.split.history(world.population.users(ids), 1, context.backbone.max_len + spec.extra_history)
        return Talk(world, spec, context, cloud, device, state, who, history)

    return make
