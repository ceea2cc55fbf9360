"""No target reaches a method: change every target and all that follows, and no plan, payload or training moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chordsim import methods
from chordsim.data.interactions import Interactions
from chordsim.data.split import Split
from chordsim.engine.cell import CellCall
from chordsim.engine.records import call_from_record, call_to_record
from chordsim.methods import DOWN_PRESCRIPTION, UP_PROFILE, Batch
from chordsim.methods.chord.network import Planned
from chordsim.nets.windows import Windows
from chordsim.progress import Silent
from chordsim.ragged import Ragged
from chordsim.scenario.load import load
from chordsim.scenario.text import dump
from chordsim.world import World, build
from clients import cohort
from server.training import cache
from server.training.sampler import Sampler

NAMES = ("fp32", "chord", "chord-plus", "chord-shared", "cloud-only")
ROUNDS = 3


@pytest.fixture(scope="module")
def worlds(tiny_overrides: Callable[..., list[str]]) -> tuple[str, World, World]:
    """The scenario's text, its world, and a world in which the targets of all rounds are others."""
    long = ("settings.chord-shared.reads=[30,8]", "settings.chord-shared.user_input=true")
    text = load("offline", tiny_overrides(f"rounds.count={ROUNDS}", *long, methods=NAMES))
    world = build(text)
    return dump(text), world, shifted(world, first_round=1)


@pytest.fixture(scope="module")
def cached_worlds(tiny_overrides: Callable[..., list[str]]) -> tuple[str, World, World]:
    """The same where the catalogue stays in the cloud, for a method whose cloud half is told the protocol's lists."""
    cached = ("backbone.items=cached", "protocol.ranking=candidates", "protocol.candidates=20", "settings.cda4rec.short_history=12")
    text = load("offline", tiny_overrides(f"rounds.count={ROUNDS}", *cached, methods=("cda4rec",)))
    world = build(text)
    return dump(text), world, shifted(world, first_round=1)


def shifted(world: World, first_round: int) -> World:
    """Return the world with the targets from a round on moved to other items."""
    log = world.split.log
    place = np.arange(log.items.size) - np.repeat(log.offsets[1:], log.lengths)
    held = place >= -ROUNDS - 1 + first_round
    items = np.where(held, log.items % log.n_items + 1, log.items).astype(np.int32)
    other = Interactions(items, log.offsets, log.timestamps, log.user_tokens, log.item_tokens, log.source)
    return replace(world, split=Split(other, world.split.rounds, world.split.cloud_users))


def test_the_clouds_logs_hold_no_target_of_any_round(worlds: tuple[str, World, World]) -> None:
    _, world, other = worlds
    assert world.logs.digest() == other.logs.digest()
    users = np.arange(world.split.log.n_users)
    for round in range(1, ROUNDS + 1):
        assert (world.split.targets(users, round) != other.split.targets(users, round)).all()
    whole = int(world.split.log.items.size)
    assert world.logs.items.size + len(world.logs) == whole - ROUNDS * users.size
    assert not np.shares_memory(world.logs.items, world.split.log.items)
    # The validation item is no training item either: it ends every sequence that gradients see.
    moved = shifted(world, first_round=0)
    assert np.array_equal(moved.logs.items, world.logs.items)
    assert (moved.logs.validation_targets != world.logs.validation_targets).all()


def test_a_rounds_history_ends_before_its_target(worlds: tuple[str, World, World]) -> None:
    _, world, _ = worlds
    users = np.arange(world.split.log.n_users)
    for round in range(1, ROUNDS + 1):
        other = shifted(world, first_round=round)
        assert np.array_equal(other.split.history(users, round, 12).items, world.split.history(users, round, 12).items)
        assert all(np.array_equal(a, b) for a, b in zip(other.split.seen(users, round), world.split.seen(users, round), strict=True))
        assert (other.split.targets(users, round) != world.split.targets(users, round)).all()


@pytest.mark.parametrize("name", ["chord", "chord-plus"])
def test_training_plans_see_nothing_that_the_loss_asks_for(worlds: tuple[str, World, World], name: str) -> None:
    """Permute inputs and targets of training windows behind the plan's history: utilities and codes stay."""
    _, world, _ = worlds
    half = methods.load(world.specs[name].cloud)(world.context(name))
    model = Planned(world.shapes, half.settings, 1)
    with torch.no_grad():
        for parameter in model.planner.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
    windows = Sampler(world.logs, 12, half.settings.horizon, np.random.default_rng(3)).draw(64)
    plans: list[Any] = []
    original = model.codes

    def spy(utilities: torch.Tensor, bits: torch.Tensor) -> Any:
        plans.append((utilities.detach().clone(), original(utilities, bits)[0]))
        return original(utilities, bits)

    model.codes = spy  # type: ignore[method-assign]
    swapped = torch.where(windows.targets > 0, windows.targets % world.n_items + 1, 0)
    # Inputs from the first target on are targets of the step before: they change with them.
    asked = (windows.targets > 0) & (windows.targets.cumsum(1) > windows.targets)
    inputs = torch.where(asked, windows.inputs % world.n_items + 1, windows.inputs)
    assert not torch.equal(inputs, windows.inputs)
    outs = [
        model.states(w, 0.0, torch.Generator().manual_seed(1))
        for w in (windows, Windows(inputs, swapped, windows.history), Windows(windows.inputs, windows.targets, windows.history.flip(0)))
    ]
    (same, plan), (also, again), (other, _) = plans
    assert torch.equal(same, also) and torch.equal(plan, again) and not torch.equal(same, other)
    assert not torch.equal(outs[0], outs[1])


def played(text: str, world: World, name: str, state: Any, monkeypatch: pytest.MonkeyPatch, round: int) -> dict[str, Any]:
    """Play one chunk through the cohort step and note all that halves were given and gave."""
    spec, context = world.specs[name], world.context(name)
    cloud = methods.load(spec.cloud)(context)
    monkeypatch.setattr(cohort, "of_text", lambda *_: world)
    noted: list[Any] = []
    device = methods.load(spec.device)
    act = device.act

    def spy(self: Any, model: Any, columns: Any, leg: Any, who: Batch, history: Any, inbox: Ragged) -> Any:
        turn = act(self, model, columns, leg, who, history, inbox)
        given = (leg, who.device_ids.tolist(), who.round, history.items.tolist(), history.lengths.tolist(), list(inbox), sorted(columns))
        scores = None if turn.scores is None else turn.scored().copy()
        noted.append((given, list(turn.outbox), scores, turn.ranking))
        return turn

    monkeypatch.setattr(device, "act", spy)
    parts = {blob.label: blob.data for blob in cloud.bootstrap(state)}
    node, size = cohort.Node(), world.chunk_size
    digests = {label: cohort.blob_digest(data) for label, data in parts.items()}
    blobs = {digests[label]: data for label, data in parts.items()}
    columns = {"device_id": np.arange(size), "active": np.ones(size, np.bool_), "up_fraction": np.ones((size, 2))}
    inbox: Any = Ragged.empty(size)
    wire: dict[str, Ragged] = {}
    for legs in (
        [leg for leg in spec.exchange if leg.direction == "up" and leg.kind != "report"],
        [leg for leg in spec.exchange if leg.direction == "down" or leg.kind == "report"],
    ):
        for leg in (leg for leg in legs if leg.direction == "down"):
            listed = world.candidates(world.population.users(columns["device_id"])) if spec.reads_lists else None
            answer = cloud.respond(state, leg, Batch(columns["device_id"], columns["active"], round, listed=listed), inbox)
            wire[leg.kind] = cohort.encode_rows(leg.kind, name, round, answer.outbox, answer.refusal == 0)
            noted.append(list(answer.outbox))
        if not legs:
            continue
        header = {"scenario": text, "method": name, "round": round, "legs": [[n.direction, n.kind] for n in legs], "blobs": digests}
        call = call_from_record(call_to_record(CellCall(0, header, columns, wire, blobs)))
        reply = cohort.step(node, call)
        wire = {}
        if "profile" in reply.wire:
            inbox, _ = cohort.decode_rows("profile", name, round, reply.wire["profile"])
    monkeypatch.undo()
    return {"noted": noted, "rank": reply.columns["rank"]}


@pytest.mark.parametrize(("name", "of"), [*((name, "worlds") for name in NAMES), ("cda4rec", "cached_worlds")])
def test_serving_moves_nothing_but_the_rank(
    name: str, of: str, request: pytest.FixtureRequest, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, world, other = request.getfixturevalue(of)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_CACHE", str(shared_cache))
        state, _ = cache.trained(methods.load(world.specs[name].cloud)(world.context(name)), world.logs, Silent())
    first, second = (played(text, w, name, state, monkeypatch, round=1) for w in (world, other))
    assert len(first["noted"]) == len(second["noted"]) > 0
    for a, b in zip(first["noted"], second["noted"], strict=True):
        np.testing.assert_equal(a, b)
    assert not np.array_equal(first["rank"], second["rank"])


@pytest.mark.parametrize("name", ["chord", "chord-plus"])
def test_a_profile_is_a_function_of_the_history_alone(worlds: tuple[str, World, World], name: str) -> None:
    """The same history, other users and devices: the same user embedding and, under equal budgets, the same plan."""
    _, world, _ = worlds
    context = world.context(name)
    cloud, device = methods.load(world.specs[name].cloud)(context), methods.load(world.specs[name].device)(context)
    state = {key: value.detach().clone() for key, value in Planned(world.shapes, cloud.settings, 1).state_dict().items()}
    model = device.load({b.label: b.data for b in cloud.bootstrap(state)})
    ids = np.arange(8)
    one = world.population.profiles(np.zeros(8, np.int64)).budgets
    history = world.split.history(np.zeros(8, np.int64), 1, 12)
    with torch.inference_mode():
        who = Batch(ids, np.ones(8, np.bool_), 1, one)
        profile = device.act(model, {}, UP_PROFILE, who, history, Ragged.empty(8)).outbox
        answer = cloud.respond(state, DOWN_PRESCRIPTION, Batch(ids, who.active, 1), profile)
    assert len(set(profile)) == 1 and len(set(answer.outbox)) == 1
