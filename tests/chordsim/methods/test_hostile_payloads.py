"""Whatever a row holds, it hurts its own phone alone: cloud halves and device halves on hostile bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chordsim import methods
from chordsim.methods import DOWN_CANDIDATES, DOWN_PRESCRIPTION, INVALID, UP_PROFILE, Batch, Leg, PhoneBatch
from chordsim.progress import Silent
from chordsim.ragged import Ragged
from chordsim.scenario.load import load
from chordsim.wire.codes import pack_codes
from chordsim.world import build
from server.training import cache

PHONES = 12
METHODS = ("chord", "chord-plus", "cloud-only")


class Line:
    """One method with a trained state and a chunk of phones, and the bytes that an honest exchange makes."""

    def __init__(self, name: str, world: Any) -> None:
        self.name, self.world, self.spec = name, world, world.specs[name]
        self.context = world.context(name)
        self.cloud, self.device = methods.load(self.spec.cloud)(self.context), methods.load(self.spec.device)(self.context)
        self.state, _ = cache.trained(self.cloud, world.logs, Silent())
        self.model = self.device.load({b.label: b.data for b in self.cloud.bootstrap(self.state)})
        ids = np.arange(PHONES)
        self.who = PhoneBatch(ids, np.ones(PHONES, np.bool_), 1, world.population.profiles(ids).budgets)
        self.history = world.split.history(world.population.users(ids), 1, self.context.backbone.max_len)
        self.down = DOWN_CANDIDATES if name == "cloud-only" else DOWN_PRESCRIPTION
        self.profile = self.act(UP_PROFILE, Ragged.empty(PHONES)).outbox
        self.answer = self.respond(self.profile)
        self.turn = self.act(self.down, self.answer.outbox)

    def act(self, leg: Leg, inbox: Ragged) -> Any:
        with torch.inference_mode():
            return self.device.act(self.model, {}, leg, self.who, self.history, inbox)

    def respond(self, inbox: Ragged) -> Any:
        return self.cloud.respond(self.state, self.down, Batch(self.who.device_ids, self.who.active, 1), inbox)


@pytest.fixture(scope="module")
def lines(shared_cache: Path, tiny_overrides: Callable[..., list[str]]) -> dict[str, Line]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_CACHE", str(shared_cache))
        world = build(load("offline", tiny_overrides(methods=METHODS)))
        return {name: Line(name, world) for name in METHODS}


@pytest.fixture(params=METHODS)
def line(request: pytest.FixtureRequest, lines: dict[str, Line]) -> Line:
    return lines[request.param]


def replaced(rows: Ragged, row: int, data: bytes) -> Ragged:
    return Ragged.of_rows([data if n == row else rows[n] for n in range(len(rows))])


def others(row: int) -> np.ndarray:
    return np.arange(PHONES) != row


def answers_the_others_alike(line: Line, inbox: Ragged, row: int) -> Any:
    got = line.respond(inbox)
    assert all(got.outbox[n] == line.answer.outbox[n] for n in np.flatnonzero(others(row)))
    assert np.array_equal(got.refusal[others(row)], line.answer.refusal[others(row)])
    assert np.array_equal(got.binding[others(row)], line.answer.binding[others(row)])
    return got


def test_an_honest_exchange_serves_someone(line: Line) -> None:
    assert (line.answer.refusal == 0).any() and (line.turn.refusal == 0).any()


@given(row=st.integers(0, PHONES - 1), data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_in_a_profile_hurt_their_own_row_alone(line: Line, row: int, data: st.DataObject) -> None:
    whole = line.profile[row]
    size = len(whole)
    noise = st.one_of(st.binary(max_size=2 * size), st.binary(min_size=size, max_size=size))
    answers_the_others_alike(line, replaced(line.profile, row, data.draw(noise)), row)


@pytest.mark.parametrize("name", ["chord", "chord-plus"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e30])
def test_absurd_numbers_in_a_profile_are_refused_as_senseless_or_answered_alone(lines: dict[str, Line], name: str, value: float) -> None:
    line = lines[name]
    width = line.device.settings.profile_dim
    profile = np.full(width, value, "<f4")
    profile[::2] *= -1
    got = answers_the_others_alike(line, replaced(line.profile, 4, profile.tobytes() + line.profile[4][4 * width :]), 4)
    assert got.refusal[4] == INVALID or len(got.outbox[4]) == line.world.shapes.plan_bytes
    if not np.isfinite(value):
        assert got.refusal[4] == INVALID and got.outbox[4] == b""


@pytest.mark.parametrize("name", ["chord", "chord-plus"])
@pytest.mark.parametrize(
    ("memory", "latency", "bits", "speed", "refusal"),
    [
        (0, 1.0, 8.0, 1e9, 1),
        (10**9, 0.0, 8.0, 1e9, 2),
        (10**9, 1.0, 0.0, 1e9, 3),
        (2**63 - 1, 3e38, 3e38, 3e38, 0),
        (2**62, 1.0, 8.0, 1e12, 0),
        (2**64 - 1, 1.0, 8.0, 1e9, INVALID),
        (10**9, -1.0, 8.0, 1e9, INVALID),
        (10**9, 1.0, np.nan, 1e9, INVALID),
        (10**9, 1.0, 8.0, 0.0, INVALID),
    ],
)
def test_budgets_are_refused_by_the_one_that_breaks(
    lines: dict[str, Line], name: str, memory: int, latency: float, bits: float, speed: float, refusal: int
) -> None:
    line = lines[name]
    floats = line.profile[3][: 4 * line.device.settings.profile_dim]
    got = answers_the_others_alike(line, replaced(line.profile, 3, floats + struct.pack("<Qfff", memory, latency, bits, speed)), 3)
    # Without code 0 there is a smallest plan, which no bits cannot hold; with it, everything may be pruned.
    expected = 0 if refusal == 3 and line.device.settings.lowest == 0 else refusal
    assert got.refusal[3] == expected
    assert (got.outbox[3] != b"") == (expected == 0)


@given(row=st.integers(0, PHONES - 1), data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_in_an_answer_hurt_their_own_phone_alone(line: Line, row: int, data: st.DataObject) -> None:
    size = len(line.answer.outbox[row]) or line.world.shapes.plan_bytes
    noise = data.draw(st.one_of(st.binary(max_size=2 * size), st.binary(min_size=size, max_size=size)))
    got = line.act(line.down, replaced(line.answer.outbox, row, noise))
    assert np.array_equal(got.refusal[others(row)], line.turn.refusal[others(row)])
    if got.scores is not None:
        assert np.array_equal(got.scored()[others(row)], line.turn.scored()[others(row)])
        assert np.isfinite(got.scored()).all()
    else:
        assert np.array_equal(got.ranking[others(row)], line.turn.ranking[others(row)])
        assert ((got.ranking >= 0) & (got.ranking <= line.context.n_items)).all()
    if len(noise) != size:
        assert got.refusal[row] == INVALID


@pytest.mark.parametrize("name", ["chord", "chord-plus"])
def test_a_plan_beyond_the_budget_is_refused_by_the_phone_itself(lines: dict[str, Line], name: str) -> None:
    """The phone does not trust the cloud: memory is checked against what the plan really takes."""
    line = lines[name]
    dearest = pack_codes(np.full((1, line.world.shapes.channels), 3, np.uint8)).tobytes()
    spent = line.device.budget.cost_of(torch.full((1, line.world.shapes.channels), 3, dtype=torch.uint8))
    got = line.act(line.down, Ragged.of_rows([dearest] * PHONES))
    too_small = line.who.budgets.memory_bytes < spent.peak_memory_bytes[0]
    assert np.array_equal(got.refusal == 1, too_small)
    assert (got.cost.peak_memory_bytes == spent.peak_memory_bytes[0]).all()


def test_a_reserved_code_makes_a_plan_senseless(lines: dict[str, Line]) -> None:
    line = lines["chord"]
    codes = np.full((1, line.world.shapes.channels), 2, np.uint8)
    codes[0, -1] = 0
    got = line.act(line.down, replaced(line.answer.outbox, 2, pack_codes(codes).tobytes()))
    assert got.refusal[2] == INVALID


def test_inactive_rows_get_nothing_and_are_not_refused(line: Line) -> None:
    active = np.arange(PHONES) % 3 > 0
    who = Batch(line.who.device_ids, active, 1)
    got = line.cloud.respond(line.state, line.down, who, Ragged.of_rows([line.profile[n] if active[n] else b"x" for n in range(PHONES)]))
    assert all(got.outbox[n] == (line.answer.outbox[n] if active[n] else b"") for n in range(PHONES))
    assert not got.refusal[~active].any()
