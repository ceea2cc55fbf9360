"""The phone's own path equals the batched path: 200 phones, each alone, decode and quantize and rank as their chunk did."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from chordsim import evaluate, methods
from chordsim.methods import DOWN_PRESCRIPTION, UP_PROFILE, Batch, PhoneBatch
from chordsim.methods.chord.network import Planned
from chordsim.methods.chord.settings import plan_budget
from chordsim.nets import blobs, embeddings, extractor
from chordsim.nets.backbone import last_states
from chordsim.nets.frozen import draw
from chordsim.quant.quantizer import quantize
from chordsim.ragged import Ragged
from chordsim.scenario.load import load
from chordsim.seeds import generator
from chordsim.wire.codes import decode_codes, unpack_codes
from chordsim.wire.floats import pack_budgets, pack_floats
from chordsim.world import World, build

PHONES = 200
ALL = np.ones(PHONES, np.bool_)
NAMES = ("chord", "chord-shared")
#: In the slow tests: what the others hold already, each in two parts.
SLOW = (
    "chord on device",
    "chord-plus on signed",
    "chord-plus",
    "chord-plus on device",
    "chord on caser",
    "chord on groups",
    "chord-plus on groups",
    "chord-plus on caser in groups",
)


class Case:
    """One method with made-up trained numbers, and its chunk of 200 phones played as the simulator does."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        context = world.context(name)
        self.cloud = methods.load(world.specs[name].cloud)(context)
        self.device = methods.load(world.specs[name].device)(context)
        self.state = made_up(world, name)
        self.blobs = {blob.label: blob.data for blob in self.cloud.bootstrap(self.state)}
        ids = np.arange(PHONES)
        budgets = world.population.profiles(ids).budgets
        # Budgets of all sizes, so that plans differ by more than taste.
        least = 2.05 if self.cloud.settings.lowest else 0.2  # no phone is refused
        room = generator(1, "test.room").uniform(least, 9.0, PHONES)
        self.who = PhoneBatch(ids, ALL, 1, replace(budgets, memory_bytes=np.full(PHONES, 10**7), bits=room))
        self.users = world.population.users(ids)
        self.history = world.split.history(self.users, 1, context.backbone.max_len)
        self.model = self.device.load(self.blobs)
        with torch.inference_mode():
            self.profile = self.device.act(self.model, {}, UP_PROFILE, self.who, self.history, Ragged.empty(PHONES)).outbox
            self.answer = self.cloud.respond(self.state, DOWN_PRESCRIPTION, replace(self.who, budgets=None), self.profile)
            self.turn = self.device.act(self.model, {}, DOWN_PRESCRIPTION, self.who, self.history, self.answer.outbox)


def made_up(world: World, name: str) -> dict[str, torch.Tensor]:
    """An untrained model whose planner has opinions: large enough weights that users' plans differ."""
    context = world.context(name)
    cloud = methods.load(world.specs[name].cloud)(context)
    model = Planned(cloud.shapes, cloud.settings, context.seed)
    noise = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in (*model.planner.parameters(), *model.extractor.parameters()):
            parameter.add_(torch.randn(parameter.shape, generator=noise) * 0.3)
        for gain in model.gains:
            gain.mul_(torch.rand(gain.shape, generator=noise) + 0.5)
        for scores in model.mask_scores:
            scores.add_(torch.randn(scores.shape, generator=noise) * 0.1)
        model.item[1:] += torch.randn(model.item[1:].shape, generator=noise)
    return {key: value.detach().clone() for key, value in model.state_dict().items()}


@pytest.fixture(
    scope="module",
    params=[
        *NAMES,
        "chord-plus on steps",
        "chord-plus on learnt signs",
        "chord-plus on caser",
        *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW),
    ],
)
def case(request: pytest.FixtureRequest) -> Case:
    overrides = [
        'methods=["chord","chord-plus","chord-shared"]',
        "data.synthetic.users=210",
        "data.synthetic.items=80",
        "backbone.dim=16",
        "backbone.max_len=16",
        "settings.chord.bits=5.0",
        "settings.chord-plus.bits=4.0",
    ]
    name, _, where = request.param.partition(" on ")
    if "caser" in where:
        overrides += ["backbone.kind=caser", "backbone.window=4"]
    else:
        overrides.append("backbone.ffn_dim=24")
    if where == "signed":
        overrides += [f"settings.{name}.gains=true", f'settings.{name}.law="signed"']
    if where == "learnt signs":
        overrides += [f'settings.{name}.law="signed"', f'settings.{name}.signs="learnt"']
    if where == "steps":
        overrides += [f"settings.{name}.gains=true", f'settings.{name}.gains_of="code"', f"settings.{name}.widths=[0,2,2,2]"]
        overrides.append(f"settings.{name}.user_input=true")
    if "groups" in where:
        overrides += [f"settings.{name}.group=4", f"settings.{name}.gains=true"]
    if where == "device":
        overrides.append(f"settings.{name}.decode={where}")
    return Case(build(load("offline", overrides)), name)


def by_own_table(codes: np.ndarray, granted: methods.Budgets, case: Case) -> np.ndarray:
    """What one phone makes of importance codes: a step off all of them at a time, until its budgets hold."""
    settings = case.device.settings
    costs = plan_budget(case.device.shapes, settings)
    for step in range(4 - settings.lowest):
        read = np.maximum(codes.astype(np.int64) - step, settings.lowest)
        spent = costs.cost_of(torch.from_numpy(read[None]))
        holds = spent.peak_memory_bytes[0] <= granted.memory_bytes[0] and spent.macs[0] <= granted.latency_s[0] * granted.macs_per_s[0]
        if holds and spent.weight_bits[0] <= granted.bits[0] * case.world.shapes.weights:
            break
    return read


def own_path(case: Case, phone: int) -> tuple[bytes, np.ndarray, np.ndarray]:
    """What phone d does by itself, from bytes alone: its profile, its codes, its scores.

    Nothing of the simulator's shortcuts is used: no table of quantized channels, no chunk, no `Choice`. Groups of a channel
    are cut from it and put together again by hand.
    """
    context, parts = case.world.context(case.name), case.blobs
    config, layers = context.backbone, case.world.shapes.layers
    stored = blobs.load(parts["embeddings"], {})
    item = embeddings.decode(stored, "item", config.dim)
    settings = case.device.settings
    reader = extractor.build(settings.extractor, config.dim, settings.profile_dim)
    reader.load_state_dict(blobs.load(parts["extractor"], {}))
    history = torch.from_numpy(case.history.items[phone : phone + 1])
    user = reader(history, item).numpy()
    mine = methods.Budgets(*(getattr(case.who.budgets, f)[phone : phone + 1] for f in ("memory_bytes", "latency_s", "bits", "macs_per_s")))
    profile = pack_floats(user).tobytes() + pack_budgets(mine).tobytes()
    payload = case.answer.outbox[phone]
    codes = unpack_codes(np.frombuffer(payload, np.uint8)[None], case.device.shapes.channels)[0]
    read = codes if settings.decode == "cloud" else by_own_table(codes, mine, case)
    weights, at = [], 0
    masks = blobs.load(parts["mask"], {}) if "mask" in parts else {}
    gains = blobs.load(parts["gains"], {}) if "gains" in parts else {}
    for n, source in enumerate(draw(layers, int(json.loads(parts["backbone"])["seed"]), settings.law)):
        first = at
        if masks:
            bits = np.unpackbits(masks[str(n)].numpy(), bitorder="little")[: source.numel()].reshape(source.shape)
            source = source * torch.from_numpy(bits).float() / settings.mask_keep**0.5
        if "turned" in parts:
            bits = np.unpackbits(blobs.load(parts["turned"], {})[str(n)].numpy(), bitorder="little")[: source.numel()]
            assert 0 < bits.mean() < 1
            source = torch.where(torch.from_numpy(bits.reshape(source.shape)) == 1, -source, source)
        size = settings.group or source.shape[1]
        whole = torch.empty_like(source)
        for channel, row in enumerate(source):
            for start in range(0, len(row), size):
                learnt = gains[str(n)][at - first] if gains else torch.ones(1)
                gain = learnt[read[at]] if settings.gains_of == "code" else learnt[0]
                whole[channel, start : start + size] = quantize(row[None, start : start + size], settings.widths[read[at]])[0] * gain
                at += 1
        weights.append(whole)
    states = last_states(history, item, stored["position"], weights, config, told_of(user, parts))
    return profile, codes, (states @ item.T)[0].numpy()


def told_of(user: np.ndarray, parts: dict[str, bytes]) -> torch.Tensor | None:
    """What the phone adds to its inputs: its user embedding through the bootstrap's matrix, number by number."""
    if "user_input" not in parts:
        return None
    matrix = blobs.load(parts["user_input"], {})["user_input"].numpy().astype(np.float64)
    return torch.from_numpy(np.array([[float((row * user[0]).sum()) for row in matrix]], np.float32))


def step_of(case: Case, phone: int) -> int:
    """How far down its ladder a phone stands, by the bits that it says it stored."""
    codes = unpack_codes(np.frombuffer(case.answer.outbox[phone], np.uint8)[None], case.device.shapes.channels)[0].astype(np.int64)
    costs = plan_budget(case.device.shapes, case.device.settings)
    for step in range(4 - case.device.settings.lowest):
        read = torch.from_numpy(np.maximum(codes - step, case.device.settings.lowest)[None])
        if costs.cost_of(read).weight_bits[0] == round(case.turn.bits[phone] * case.world.shapes.weights):
            return step
    raise AssertionError("a phone stored what no table gives")


def test_own_path_gives_the_chunks_bytes_codes_scores_and_ranks(case: Case) -> None:
    codes, sound = decode_codes(case.answer.outbox, case.device.shapes.channels)
    assert sound.all() and not case.turn.refusal.any()
    distinct = {row.tobytes() for row in codes}
    assert len(distinct) > (20 if case.name == "chord-shared" else PHONES * 3 // 4)
    if case.device.settings.decode == "device":
        # Budgets decide on the phone: those of few bits took another table than those of many.
        assert len({step_of(case, phone) for phone in range(PHONES)}) > 2
    targets, seen = case.world.split.targets(case.users, 1), case.world.split.seen(case.users, 1)
    protocol, draws = case.world.scenario.protocol, (1, case.users, 1)
    scores = case.turn.scored()
    together = evaluate.rank_scores(scores.copy(), targets, seen, protocol, draws)
    mine = np.zeros_like(scores)
    largest = 0.0
    with torch.inference_mode():
        for phone in range(PHONES):
            profile, own_codes, mine[phone] = own_path(case, phone)
            assert np.array_equal(own_codes, codes[phone])
            theirs = case.profile[phone]
            floats = 4 * case.device.settings.profile_dim
            assert profile[floats:] == theirs[floats:] and len(profile) == len(theirs)
            sent, own = (np.frombuffer(p[:floats], "<f4") for p in (theirs, profile))
            assert np.abs(sent - own).max() < 1e-5
            largest = max(largest, float(np.abs(mine[phone] - scores[phone]).max()))
    assert largest < 1e-5 * max(1.0, float(np.abs(scores).max()))
    alone = evaluate.rank_scores(mine.copy(), targets, seen, protocol, draws)
    # A rank may differ only where another score lies within rounding of the target's.
    gaps = np.abs(scores - scores[np.arange(PHONES), targets][:, None])
    gaps[np.arange(PHONES), targets] = np.inf
    gaps[:, 0] = np.inf
    apart = gaps.min(1) > 2 * largest
    assert apart.mean() > 0.9
    assert np.array_equal(alone[apart], together[apart])


def test_the_cloud_answers_each_phone_alone_with_the_same_bytes(case: Case) -> None:
    """The profile's bytes decide: who else stands in the chunk does not."""
    who = replace(case.who, budgets=None)
    for phone in range(0, PHONES, 7):
        rows = np.array([phone])
        alone = case.cloud.respond(case.state, DOWN_PRESCRIPTION, Batch(rows, ALL[:1], 1), Ragged.of_rows([case.profile[phone]]))
        assert alone.outbox[0] == case.answer.outbox[phone]
        assert alone.binding[0] == case.answer.binding[phone]
    order = np.random.default_rng(2).permutation(PHONES)
    shuffled = case.cloud.respond(case.state, DOWN_PRESCRIPTION, who, Ragged.of_rows([case.profile[int(d)] for d in order]))
    assert [shuffled.outbox[n] for n in range(PHONES)] == [case.answer.outbox[int(d)] for d in order]


def test_padding_and_phones_that_are_out_change_nothing_for_the_others(case: Case) -> None:
    """Half of the phones are out: the others get the same bytes and the very same scores."""
    out = np.arange(PHONES) % 2 == 0
    who = replace(case.who, active=~out)
    with torch.inference_mode():
        profile = case.device.act(case.model, {}, UP_PROFILE, who, case.history, Ragged.empty(PHONES)).outbox
        answer = case.cloud.respond(case.state, DOWN_PRESCRIPTION, replace(who, budgets=None), profile)
        turn = case.device.act(case.model, {}, DOWN_PRESCRIPTION, who, case.history, answer.outbox)
    for phone in range(PHONES):
        expected: Any = b"" if out[phone] else case.answer.outbox[phone]
        assert answer.outbox[phone] == expected
    assert np.array_equal(turn.scored()[~out], case.turn.scored()[~out])
