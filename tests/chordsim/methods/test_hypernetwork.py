"""Hypernetworks: what utilities mean, what each importance level does, what is bounded, and how plans follow from them."""

from __future__ import annotations

import pytest
import torch

from chordsim.config.model import BackboneConfig
from chordsim.methods.chord.hypernetwork import RESIDUAL_BOUND, BasePlusResidual, ThreeLevel
from chordsim.methods.chord.network import Planned
from chordsim.methods.chord.settings import PlanSettings
from chordsim.methods.chord.spec import chord, chord_plus, chord_shared
from chordsim.nets.frozen import draw
from chordsim.nets.shapes import shapes_of
from chordsim.quant.quantizer import relative_error

SHAPES = shapes_of(BackboneConfig(dim=16, ffn_dim=24, max_len=10), 40)
WIDTHS = (0, 2, 4, 8)


def users(rows: int = 9, width: int = 6) -> torch.Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(1))


def three_level(levels: tuple[str, ...] = ("layer", "filter", "element")) -> ThreeLevel:
    torch.manual_seed(2)
    frozen = draw(SHAPES.layers, 3)
    errors = torch.cat([relative_error(w, WIDTHS) for w in frozen])
    return ThreeLevel(SHAPES, 6, [w.abs() for w in frozen], errors, levels)


def test_three_levels_value_a_precision_by_the_error_that_it_saves() -> None:
    """Utilities rise from code 1 to code 3, code 1 is the zero, and one factor per channel scales the savings."""
    with torch.no_grad():
        got = three_level()(users())
    assert got.shape == (9, SHAPES.channels, 4) and bool(torch.isfinite(got).all())
    assert bool((got[..., 1] == 0).all()) and bool((got[..., 0] < 0).all())
    assert bool((got[..., 3] > got[..., 2]).all()) and bool((got[..., 2] > 0).all())
    errors = torch.cat([relative_error(w, WIDTHS) for w in draw(SHAPES.layers, 3)])
    factor = got / (errors[:, 1:2] - errors).where(torch.arange(4) != 1, torch.ones(()))
    assert torch.allclose(factor[..., 2], factor[..., 3], rtol=1e-4) and torch.allclose(factor[..., 0], factor[..., 3], rtol=1e-4)
    # Scores are standardised per user and bounded at three deviations.
    assert float(factor[..., 3].log().abs().max()) <= 3.001


def test_levels_joined_by_the_published_equations_are_the_utilities() -> None:
    frozen, net = draw(SHAPES.layers, 3), three_level()
    with torch.no_grad():
        told, want = net.importance(users()), net(users())
    assert torch.allclose(told.layer.mean(1), torch.ones(9), atol=1e-5)
    errors, scores, at = torch.cat([relative_error(w, WIDTHS) for w in frozen]), [], 0
    for n, weight in enumerate(frozen):
        share = weight.abs() / weight.abs().sum(1, keepdim=True)
        mine = told.filter[:, at : at + len(weight)] * (told.element[n] * share).sum(2)
        scores.append((told.layer[:, n : n + 1] * mine).log())
        at += len(weight)
    score = torch.cat(scores, 1)
    standard = ((score - score.mean(1, keepdim=True)) / score.std(1, keepdim=True)).clamp(-3, 3)
    assert torch.allclose(want, standard.exp()[..., None] * (errors[:, 1:2] - errors), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("levels", [("filter",), ("element",), ("layer",), ("layer", "filter"), ("layer", "filter", "element")])
def test_each_level_on_its_own_still_tells_channels_apart(levels: tuple[str, ...]) -> None:
    with torch.no_grad():
        got = three_level(levels)(users())
    assert bool(torch.isfinite(got).all())
    spread = got[..., 3].std(1)
    assert bool((spread > 0).all())
    if levels == ("layer",):
        at = 0
        for layer in SHAPES.layers:
            errors = relative_error(draw(SHAPES.layers, 3)[SHAPES.layers.index(layer)], WIDTHS)
            factor = got[:, at : at + layer.channels, 3] / (errors[:, 1] - errors[:, 3])
            assert torch.allclose(factor, factor[:, :1].expand_as(factor), rtol=1e-4)
            at += layer.channels


def test_no_level_at_all_values_all_channels_alike() -> None:
    with torch.no_grad():
        got = three_level(())(users())
    errors = torch.cat([relative_error(w, WIDTHS) for w in draw(SHAPES.layers, 3)])
    assert torch.allclose(got, (errors[:, 1:2] - errors).expand_as(got), atol=1e-6)


def test_a_users_residual_is_bounded_and_absent_from_a_shared_plan() -> None:
    personal, shared = BasePlusResidual(SHAPES, 6, personal=True), BasePlusResidual(SHAPES, 6, personal=False)
    with torch.no_grad():
        for parameter in personal.parameters():
            parameter.normal_(std=50, generator=torch.Generator().manual_seed(1))
        base = (personal.base + personal.layer[personal._of_layer]).expand(9, -1, -1)
        # The sum of both is rounded in float32.
        assert float((personal(users()) - base).abs().max()) <= RESIDUAL_BOUND + 1e-4
        same = shared(users())
    assert same.shape == (9, SHAPES.channels, 4) and torch.equal(same[0], same[8])
    assert shared.macs() == 0 < personal.macs()


@pytest.mark.parametrize("make", [chord, chord_plus, chord_shared])
@pytest.mark.parametrize("bits", [1.0, 2.0, 3.0])
def test_plans_hold_their_bits_for_every_method(make: object, bits: float) -> None:
    spec = make("m")  # type: ignore[operator]
    settings = PlanSettings.of("m", {**spec.defaults, "profile_dim": 6})
    model = Planned(SHAPES, settings, 1)
    with torch.no_grad():
        codes, price = model.codes(model.planner(users()), torch.full((9,), bits))
    stored = sum(
        torch.tensor(WIDTHS)[part].sum(1) * layer.fan_in
        for part, layer in zip(codes.split([n.channels for n in SHAPES.layers], 1), SHAPES.layers, strict=True)
    )
    refused = bits < 2 and settings.lowest == 1
    assert bool((stored <= bits * SHAPES.weights).all())
    assert bool((codes >= settings.lowest).all()) or refused
    assert bool((price >= 0).all()) and price.shape == (9,)


@pytest.mark.parametrize("make", [chord, chord_plus])
def test_gradients_reach_everything_that_is_trained_and_nothing_that_is_frozen(make: object) -> None:
    from chordsim.nets.windows import Windows

    spec = make("m")  # type: ignore[operator]
    model = Planned(SHAPES, PlanSettings.of("m", {**spec.defaults, "profile_dim": 6}), 1)
    items = torch.randint(1, 41, (32, 10), generator=torch.Generator().manual_seed(4))
    states = model.states(Windows(items, items, items.roll(3, 1)), 0.0, torch.Generator().manual_seed(5))
    (states * torch.randn(states.shape, generator=torch.Generator().manual_seed(6))).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and bool((parameter.grad != 0).any()), name
    assert all(not weight.requires_grad for weight in model.frozen)
    grouped = [id(p) for group in model.groups(1e-3, 1e-2) for p in group["params"]]  # type: ignore[attr-defined]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())


def test_an_untrained_model_ranks_in_training_as_on_the_phone() -> None:
    """The state that ranks the next item is the last of a training pass under the same plan, up to rounding."""
    model = Planned(SHAPES, PlanSettings.of("m", {**chord_plus("m").defaults, "profile_dim": 6, "train_bits": [2.0]}), 1)
    items = torch.randint(1, 41, (16, 10), generator=torch.Generator().manual_seed(4))
    from chordsim.nets.windows import Windows

    with torch.no_grad():
        trained = model.states(Windows(items, items, items), 0.0, torch.Generator().manual_seed(5))[:, -1]
        assert torch.allclose(trained, model.last_states(items), atol=1e-4)


def test_validation_chooses_at_the_largest_budget_of_training_whatever_is_served() -> None:
    items = torch.randint(1, 41, (16, 10), generator=torch.Generator().manual_seed(4))

    def last(bits: float, train_bits: list[float]) -> torch.Tensor:
        settings = PlanSettings.of("m", {**chord_plus("m").defaults, "profile_dim": 6, "bits": bits, "train_bits": train_bits})
        with torch.no_grad():
            return Planned(SHAPES, settings, 1).last_states(items)

    served = [last(bits, [2.0, 1.0]) for bits in (0.5, 1.0, 2.0, 8.0)]
    assert all(torch.equal(one, served[0]) for one in served)
    assert torch.equal(served[0], last(1.0, [2.0])) and not torch.equal(served[0], last(2.0, [1.0]))
