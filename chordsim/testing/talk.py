"""One method in a small made world, talked through leg by leg without an engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from chordsim import methods
from chordsim.arrays import Columns, State
from chordsim.config.model import BackboneConfig, DataConfig, RoundsConfig, Scenario, SyntheticConfig, TrainingConfig
from chordsim.data.history import History
from chordsim.methods import Batch, Budgets, CloudTurn, Leg, MethodContext, MethodSpec, PhoneBatch, Turn
from chordsim.progress import Silent
from chordsim.ragged import Ragged
from chordsim.scenario.settings import resolve_settings
from chordsim.world import World, build

PHONES = 8


@dataclass(frozen=True)
class Said:
    """What passed on one leg.

    Attributes:
        payload: The bytes of each phone's message.
        device: The phones' turn.
        cloud: The cloud's turn, where the leg is a down leg.
    """

    payload: Ragged
    device: Turn
    cloud: CloudTurn | None = None


@dataclass(frozen=True)
class Talk:
    """One method with a trained state and a chunk of phones that grant plenty; the last row is padding."""

    world: World
    spec: MethodSpec
    context: MethodContext
    cloud: Any
    device: Any
    state: State
    who: PhoneBatch
    history: History

    @classmethod
    def of(cls, name: str, settings: Mapping[str, Any] | None = None, backbone: Mapping[str, Any] | None = None) -> Talk:
        """Build a world of 40 users and 50 items, and train a method there for three steps."""
        world = small_world(name, settings, backbone)
        spec, context = world.specs[name], world.context(name)
        cloud, device = methods.load(spec.cloud)(context), methods.load(spec.device)(context)
        ids = np.arange(PHONES)
        plenty = Budgets(np.full(PHONES, 2**40), np.full(PHONES, 10.0), np.full(PHONES, 32.0), np.full(PHONES, 1e9))
        who = PhoneBatch(ids, ids < PHONES - 1, 1, plenty)
        history = world.split.history(world.population.users(ids), 1, context.backbone.max_len + spec.extra_history)
        return cls(world, spec, context, cloud, device, cloud.train(world.logs, Silent()), who, history)

    def alone(self, row: int) -> Talk:
        """Return the same talk with one of its phones."""
        one = slice(row, row + 1)
        b, h = self.who.budgets, self.history
        budgets = replace(b, **{name: value[one] for name, value in vars(b).items() if isinstance(value, np.ndarray)})
        who = replace(self.who, device_ids=self.who.device_ids[one], active=self.who.active[one], budgets=budgets)
        cut = {name: value[one] for name, value in vars(h).items() if isinstance(value, np.ndarray) and value.shape[:1] == (len(self.who),)}
        return replace(self, who=who, history=replace(h, **cut))

    def exchange(self, garbled: Leg | None = None) -> dict[Leg, Said]:
        """Play all legs; what crosses on the leg ``garbled`` is bytes that nobody encoded."""
        model = self.device.load({blob.label: blob.data for blob in self.cloud.bootstrap(self.state)})
        columns: Columns = {}
        out: dict[Leg, Said] = {}
        inbox = Ragged.empty(len(self.who))
        for leg in self.spec.exchange:
            cloud = None
            if leg.direction == "down":
                cloud = self.cloud.respond(self.state, leg, Batch(self.who.device_ids, self.who.active, self.who.round), inbox)
                inbox = self._garbage() if leg == garbled else cloud.outbox
            turn = self._act(model, columns, leg, inbox if leg.direction == "down" else Ragged.empty(len(self.who)))
            payload = inbox if leg.direction == "down" else turn.outbox
            if leg.direction == "up" and leg.kind != "report":
                inbox = self._garbage() if leg == garbled else turn.outbox
            out[leg] = Said(payload, turn, cloud)
            columns = {**columns, **turn.state}
        return out

    def _act(self, model: Any, columns: Columns, leg: Leg, inbox: Ragged) -> Turn:
        with torch.enable_grad() if self.spec.needs_autograd else torch.inference_mode():
            turn: Turn = self.device.act(model, columns, leg, self.who, self.history, inbox)
        return turn

    def _garbage(self) -> Ragged:
        return Ragged.of_rows([bytes(range(255, 250 - row, -1)) for row in range(len(self.who))])


def small_world(name: str, settings: Mapping[str, Any] | None = None, backbone: Mapping[str, Any] | None = None) -> World:
    """Return a world of 40 users, 50 items and one method; ``backbone`` changes its small SASRec."""
    shape = {"dim": 16, "ffn_dim": 16, "max_len": 20} if (backbone or {}).get("kind", "sasrec") == "sasrec" else {"dim": 16, "max_len": 20}
    scenario = Scenario(
        methods=(name,),
        data=DataConfig(source="synthetic", synthetic=SyntheticConfig(users=40, items=50, groups=4, mean_length=16.0)),
        backbone=BackboneConfig.model_validate({**shape, **(backbone or {})}),
        training=TrainingConfig(max_steps=3, batch=16, eval_every=3, threads=1),
        rounds=RoundsConfig(count=2),
        settings={name: dict(settings)} if settings else {},
    )
    return build(resolve_settings(scenario))
