"""Dropout by bytes: the right share, the mean kept, the same draws for the same generator."""

from __future__ import annotations

import torch

from chordsim.nets.dropout import dropped


def test_the_share_is_dropped_and_the_mean_kept_at_every_place_in_a_word() -> None:
    x = torch.ones(4001, 125)
    out = dropped(x, 0.2, torch.Generator().manual_seed(1))
    assert set(out.unique().tolist()) == {0.0, float(torch.tensor(256 / 205))}
    assert abs(out.mean().item() - 1) < 3e-3
    places = out.reshape(-1)[: 8 * (out.numel() // 8)].view(-1, 8).mean(0)
    assert bool(((places - 1).abs() < 0.01).all()), "each byte of a word is as random as the others"


def test_draws_depend_on_the_generator_alone_and_gradients_on_what_was_kept() -> None:
    x = torch.randn(7, 5, requires_grad=True)
    one, same, other = (dropped(x, 0.5, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    (gradient,) = torch.autograd.grad(one.sum(), x)
    assert torch.equal(gradient, torch.where(one == 0, 0.0, 2.0))


def test_no_dropout_draws_nothing() -> None:
    generator = torch.Generator().manual_seed(1)
    before, x = generator.get_state(), torch.randn(3)
    assert dropped(x, 0.0, generator) is x and torch.equal(before, generator.get_state())
