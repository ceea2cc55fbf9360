"""The fused loss and its gradients against what autograd makes of their definition."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from chordsim import threads
from server.training import loss as fused
from server.training.loss import linear_cross_entropy


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(params=["in one pass", "in tiles"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute as for a small catalogue, then as for a large one; blocks and tiles are small, so that there are several."""
    monkeypatch.setattr(fused, "ONE_PASS_ITEMS", 10**6 if request.param == "in one pass" else 0)
    for name, size in {"BLOCK_ROWS": 64, "TILE_ROWS": 64, "TILE_ITEMS": 8, "SPANS": 3}.items():
        monkeypatch.setattr(fused, name, size)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("rows", [1, 7, 300])
def test_fused_loss_and_gradients_are_those_of_cross_entropy(rows: int) -> None:
    states = torch.randn(rows, 6, generator=generator(), dtype=torch.float64, requires_grad=True)
    items = torch.randn(31, 6, generator=generator(2), dtype=torch.float64, requires_grad=True)
    targets = torch.randint(1, 31, (rows,), generator=generator(3))
    logits = (states @ items.T)[:, 1:]
    expected = F.cross_entropy(logits, targets - 1)
    wanted = torch.autograd.grad(3 * expected, (states, items))
    got = linear_cross_entropy(states, items, targets)
    found = torch.autograd.grad(3 * got, (states, items))
    assert torch.allclose(got, expected, atol=1e-12)
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(found, wanted, strict=True))
    assert bool((found[1][0] == 0).all())


@pytest.mark.usefixtures("way")
def test_products_in_bfloat16_move_loss_and_gradients_by_their_rounding_alone() -> None:
    states = torch.randn(300, 64, generator=generator(), requires_grad=True)
    items = (torch.randn(500, 64, generator=generator(2)) / 8).requires_grad_()
    targets = torch.randint(1, 500, (300,), generator=generator(3))
    exact, rounded = (linear_cross_entropy(states, items, targets, kind) for kind in (torch.float32, torch.bfloat16))
    assert abs(rounded.item() - exact.item()) < 1e-3 * exact.item()
    for a, b in zip(torch.autograd.grad(rounded, (states, items)), torch.autograd.grad(exact, (states, items)), strict=True):
        assert F.cosine_similarity(a.flatten(), b.flatten(), 0) > 0.999


@pytest.mark.usefixtures("way")
def test_fused_loss_passes_gradcheck() -> None:
    states = torch.randn(4, 3, generator=generator(), dtype=torch.float64, requires_grad=True)
    items = torch.randn(6, 3, generator=generator(2), dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([1, 5, 3, 3])
    assert torch.autograd.gradcheck(lambda s, t: linear_cross_entropy(s, t, targets), (states, items))


@pytest.mark.usefixtures("way")
def test_large_logits_do_not_overflow() -> None:
    states = torch.full((2, 4), 300.0, requires_grad=True)
    items = torch.ones(5, 4) * torch.arange(5)[:, None]
    loss = linear_cross_entropy(states, items, torch.tensor([4, 4]))
    loss.backward()
    assert loss.item() == 0 and bool(torch.isfinite(states.grad).all())


@pytest.mark.usefixtures("way")
def test_blocks_side_by_side_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    given = torch.randn(3 * 64 + 5, 8, generator=generator()), torch.randn(41, 8, generator=generator(2))
    targets = torch.randint(1, 41, (len(given[0]),), generator=generator(3))
    found = []
    for together in (False, True):
        monkeypatch.setattr(threads, "spare", lambda way=together: way)
        states, items = (part.clone().requires_grad_() for part in given)
        value = linear_cross_entropy(states, items, targets, torch.bfloat16)
        found.append((value, *torch.autograd.grad(value, (states, items))))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("items", [fused.ONE_PASS_ITEMS + 1, fused.SPANS * fused.TILE_ITEMS * 4 + 1])
def test_a_large_catalogue_is_computed_in_tiles_to_the_same_figures(items: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given = (
        torch.randn(40, 4, generator=generator(), dtype=torch.float64),
        torch.randn(items, 4, generator=generator(2), dtype=torch.float64),
    )
    targets = torch.cat([torch.tensor([1, items - 1]), torch.randint(1, items, (38,), generator=generator(3))])
    found = []
    for most in (fused.ONE_PASS_ITEMS, items):
        monkeypatch.setattr(fused, "ONE_PASS_ITEMS", most)
        states, table = (part.clone().requires_grad_() for part in given)
        value = linear_cross_entropy(states, table, targets)
        found.append((value, *torch.autograd.grad(value, (states, table))))
    assert all(torch.allclose(one, other, atol=1e-12) for one, other in zip(*found, strict=True))
