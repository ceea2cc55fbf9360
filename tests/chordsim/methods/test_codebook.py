"""A codebook of plans: one is chosen for each user, its number crosses, and the phone buys what the number stands for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chordsim.errors import ScenarioError
from chordsim.methods import DOWN_PRESCRIPTION, INVALID, UP_PROFILE, Batch, Budgets
from chordsim.methods.chord.codebook import Codebook
from chordsim.methods.chord.settings import plan_budget
from chordsim.quant.allocate import allocate
from chordsim.ragged import Ragged
from chordsim.scenario.load import load
from chordsim.testing import check_method
from chordsim.testing.talk import Talk, small_world

ASKED = {"planner": "codebook", "plans": 5, "profile_dim": 8, "user_input": True}


def test_a_method_that_sends_numbers_of_plans_keeps_all_promises() -> None:
    assert len(check_method("chord-plus", ASKED)) == 8


def test_the_number_is_that_of_the_largest_logit_and_the_phone_buys_that_plan() -> None:
    t = Talk.of("chord-plus", ASKED)
    legs, on = t.exchange(), np.flatnonzero(t.who.active)
    profiles, answers, turn = legs[UP_PROFILE].payload, legs[DOWN_PRESCRIPTION].payload, legs[DOWN_PRESCRIPTION].device
    users = torch.tensor([np.frombuffer(profiles[d], "<f4", 8).tolist() for d in on])
    numbers = (users @ t.state["planner.choice.weight"].T).argmax(1)
    assert [answers[d] for d in on] == [bytes([n]) for n in numbers.tolist()] and len(set(numbers.tolist())) > 1
    # What phones hold is what the cloud trained.
    cost, settings = plan_budget(t.cloud.shapes, t.cloud.settings), t.cloud.settings
    base = t.state["planner.base"] + torch.cat(
        [t.state["planner.layer"][n].expand(k.channels, 4) for n, k in enumerate(t.cloud.shapes.layers)]
    )
    worth = base + t.state["planner.own"][numbers]
    assert torch.allclose(t.model.worth[numbers], worth)
    limits = cost.limits(
        Budgets(*(getattr(t.who.budgets, f)[on] for f in ("memory_bytes", "latency_s", "bits", "macs_per_s"))), settings.bits
    )
    plans = allocate(t.model.worth[numbers], cost.costs(), limits, settings.lowest)
    assert np.allclose(turn.bits[on], cost.cost_of(plans.codes).weight_bits / t.cloud.shapes.weights)
    # Any other number below 5 is another plan, and none from 5 on.
    rows = [bytes([(n + 1) % 5]) for n in range(4)] + [b"\x05", b"\xff", b"", b"\x00"]
    other = t.act(DOWN_PRESCRIPTION, t.who, t.history, Ragged.of_rows(rows))
    assert other.refusal.tolist() == [0, 0, 0, 0, INVALID, INVALID, INVALID, 0]


def test_the_book_is_held_and_counted() -> None:
    plenty, seen = Budgets(np.full(1, 2**40), np.full(1, 10.0), np.full(1, 32.0), np.full(1, 1e9)), []
    two = Batch(np.arange(2), np.ones(2, np.bool_), 1)
    for plans, sent in ((16, 1), (256, 1), (257, 2)):
        world = small_world("chord-plus", {"planner": "codebook", "plans": plans})
        spec, context = world.specs["chord-plus"], world.context("chord-plus")
        told = spec.needs(context, plenty)
        assert told is not None and spec.plan_form(context) is None
        assert spec.sizes(context, two)[DOWN_PRESCRIPTION].tolist() == [sent, sent]
        seen.append((int(told.cost.model_bytes[0]), int(told.cost.peak_memory_bytes[0])))
    channels = world.shapes.channels
    assert seen[1][0] - seen[0][0] == seen[1][1] - seen[0][1] == 240 * 16 * channels


def test_training_chooses_hard_and_gradients_reach_what_chooses_and_what_is_chosen() -> None:
    world = small_world("chord-plus", ASKED)
    torch.manual_seed(1)
    book = Codebook(world.shapes, 8, 5)
    with torch.no_grad():
        book.own.normal_()
    user, pull = torch.randn(40, 8), torch.randn(40, world.shapes.channels, 4)
    chosen = book(user)
    with torch.no_grad():
        assert torch.equal(chosen, book(user)) and torch.equal(chosen, book.worth()[book.choice(user).argmax(1)])
    (chosen * pull).sum().backward()
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in book.parameters())
    # The gradient of a logit is that of its softmax: p_k (g_k - sum_j p_j g_j), g_k what plan k would have given.
    chances = torch.softmax(book.choice(user), 1)
    given = torch.einsum("bcn,kcn->bk", pull, book.worth())
    wanted = (chances * (given - (chances * given).sum(1, keepdim=True))).T @ user
    assert book.choice.weight.grad is not None and torch.allclose(book.choice.weight.grad, wanted, rtol=1e-3, atol=1e-3)


def test_plans_that_serve_alike_cost_nothing_and_one_that_serves_all_costs_most() -> None:
    book = Codebook(small_world("chord-plus", ASKED).shapes, 8, 5)
    user = torch.eye(5, 8).repeat(3, 1)
    with torch.no_grad():
        book.choice.weight.copy_(40 * torch.eye(5, 8))
    assert float(book.unevenness(user)) == pytest.approx(1.0)
    assert float(book.unevenness(user[:1])) == pytest.approx(5.0)
    # Where most users have one plan, its logit falls and those of unused ones rise.
    with torch.no_grad():
        book.choice.weight.copy_(torch.eye(5, 8) / 10)
    book.unevenness(user[[0, 0, 1]]).backward()
    assert book.choice.weight.grad is not None and book.choice.weight.grad[0, 0] > 0 > book.choice.weight.grad[2, 0]


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("chord-plus", ["settings.chord-plus.decode=device"], 'decode = "cloud"'),
        ("chord-shared", ["settings.chord-shared.delivery=bootstrap"], 'delivery = "session"'),
        ("chord-random", [], "leave it out"),
    ],
)
def test_what_a_codebook_leaves_no_room_for_is_refused_in_one_line(name: str, more: list[str], words: str) -> None:
    with pytest.raises(ScenarioError, match=words) as caught:
        load("offline", [f'methods=["{name}"]', f"settings.{name}.planner=codebook", *more])
    assert "\n" not in str(caught.value)
