"""One method in a small made world, talked through leg by leg without an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from chordsim import methods
from chordsim.arrays import Columns, State
from chordsim.config.model import BackboneConfig, DataConfig, ProtocolConfig, RoundsConfig, Scenario, SyntheticConfig, TrainingConfig
from chordsim.data.history import History
from chordsim.data.split import TrainLogs
from chordsim.methods import Batch, Budgets, CloudTurn, Leg, MethodContext, MethodSpec, PhoneBatch, Turn
from chordsim.progress import Silent
from chordsim.ragged import Ragged
from chordsim.scenario.settings import resolve_settings
from chordsim.world import World, build

PHONES = 8


class Said(NamedTuple):
    """What passed on one leg.

    Attributes:
        payload: The bytes of each phone's message.
        device: The phones' turn.
        cloud: The cloud's turn, where the leg is a down leg.
    """

    payload: Ragged
    device: Turn
    cloud: CloudTurn | None = None


@dataclass
class Talk:
    """One method with a trained state and a chunk of phones that grant plenty; the last row is padding.

    Attributes:
        model: What the device half loaded in the last exchange, and
        columns: the state that phones ended it with.
    """

    world: World
    spec: MethodSpec
    context: MethodContext
    cloud: Any
    device: Any
    state: State
    who: PhoneBatch
    history: History
    model: Any = None
    columns: Columns = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        settings: Mapping[str, Any] | None = None,
        backbone: Mapping[str, Any] | None = None,
        train: Callable[[Any, TrainLogs], State] | None = None,
    ) -> Talk:
        """Build a world of 40 users and 50 items, and train a method there for three steps.

        Args:
            name: The method.
            settings: Its own settings.
            backbone: What ``[backbone]`` says beside a small default.
            train: How the cloud half comes to its state, such as from a cache; by default it is trained.
        """
        world = small_world(name, settings, backbone)
        spec, context = world.specs[name], world.context(name)
        cloud, device = methods.load(spec.cloud)(context), methods.load(spec.device)(context)
        ids = np.arange(PHONES)
        plenty = Budgets(np.full(PHONES, 2**40), np.full(PHONES, 10.0), np.full(PHONES, 32.0), np.full(PHONES, 1e9))
        users = world.population.users(ids)
        who = PhoneBatch(ids, ids < PHONES - 1, 1, plenty, world.candidates(users))
        history = world.split.history(users, 1, spec.history_length(context.backbone.max_len))
        state = train(cloud, world.logs) if train else cloud.train(world.logs, Silent())
        return cls(world, spec, context, cloud, device, state, who, history)

    def alone(self, row: int) -> Talk:
        """Return the same talk with one of its phones."""
        one = slice(row, row + 1)
        b, h = self.who.budgets, self.history
        budgets = replace(b, **{name: value[one] for name, value in vars(b).items() if isinstance(value, np.ndarray)})
        listed = None if self.who.listed is None else self.who.listed[one]
        who = replace(self.who, device_ids=self.who.device_ids[one], active=self.who.active[one], budgets=budgets, listed=listed)
        cut = {name: value[one] for name, value in vars(h).items() if isinstance(value, np.ndarray) and value.shape[:1] == (len(self.who),)}
        return replace(self, who=who, history=replace(h, **cut))

    def blobs(self) -> dict[str, bytes]:
        """Return the bootstrap by label."""
        return {blob.label: blob.data for blob in self.cloud.bootstrap(self.state)}

    def exchange(self, who: PhoneBatch | None = None, history: History | None = None, *, garbled: Leg | None = None) -> dict[Leg, Said]:
        """Play all legs, with other phones or histories if given; what crosses on the leg ``garbled`` is bytes that nobody encoded."""
        who, history = who or self.who, history or self.history
        self.model, self.columns = self.device.load(self.blobs()), {}
        out: dict[Leg, Said] = {}
        nothing = heard = Ragged.empty(len(who))
        for leg in self.spec.exchange:
            if leg.direction == "down":
                asking = Batch(who.device_ids, who.active, who.round, listed=who.listed if self.spec.reads_lists else None)
                cloud = self.cloud.respond(self.state, leg, asking, heard)
                payload = self._garbage() if leg == garbled else cloud.outbox
                turn = self.act(leg, who, history, payload)
                out[leg] = Said(payload, turn, cloud)
            else:
                turn = self.act(leg, who, history, nothing)
                out[leg] = Said(turn.outbox, turn)
                # What the cloud answers is the last message that a phone sent, whatever went down since.
                heard = heard if leg.kind == "report" else self._garbage() if leg == garbled else turn.outbox
            self.columns = {**self.columns, **turn.state}
        return out

    def act(self, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged | None) -> Turn:
        """Let phones take one leg's turn with the model and the state of the last exchange.

        Scores that are made when they are asked for are made here, where the protocol lists: those of the list, [D, N].
        """
        with torch.enable_grad() if self.spec.needs_autograd else torch.inference_mode():
            turn: Turn = self.device.act(self.model, self.columns, leg, who, history, inbox)
            if turn.scores is None or isinstance(turn.scores, np.ndarray) or who.listed is None:
                return turn
            return replace(turn, scores=turn.scores.of(who.listed))

    def _garbage(self) -> Ragged:
        return Ragged.of_rows([bytes(range(255, 250 - row, -1)) for row in range(len(self.who))])


def small_world(name: str, settings: Mapping[str, Any] | None = None, backbone: Mapping[str, Any] | None = None) -> World:
    """Return a world of 40 users, 50 items and one method; ``backbone`` changes its small SASRec.

    Where it says that items are cached, or where the method cannot do without lists, lists of ten are ranked.
    """
    shape = {"dim": 16, "ffn_dim": 16, "max_len": 20} if (backbone or {}).get("kind", "sasrec") == "sasrec" else {"dim": 16, "max_len": 20}
    lists = (backbone or {}).get("items") == "cached" or methods.find(name).as_set(settings or {}).needs_lists
    scenario = Scenario(
        methods=(name,),
        data=DataConfig(source="synthetic", synthetic=SyntheticConfig(users=40, items=50, groups=4, mean_length=16.0)),
        backbone=BackboneConfig.model_validate({**shape, **(backbone or {})}),
        training=TrainingConfig(max_steps=3, batch=16, eval_every=3, threads=1),
        rounds=RoundsConfig(count=2),
        protocol=ProtocolConfig(ranking="candidates", candidates=10) if lists else ProtocolConfig(),
        settings={name: dict(settings)} if settings else {},
    )
    return build(resolve_settings(scenario))
