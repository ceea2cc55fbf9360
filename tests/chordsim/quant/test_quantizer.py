"""Quantizers against a loop over rows: the scale depends on channel and width alone, absent weights stay absent, bytes come back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chordsim.nets.choice import FEW, build
from chordsim.nets.layers import Layer
from chordsim.quant.packing import pack_bits, pack_levels, unpack_bits, unpack_levels
from chordsim.quant.plan import gather, room_for
from chordsim.quant.quantizer import levels_and_scales, quantize, relative_error, table

SEED = 3


def weights(channels: int = 12, fan_in: int = 40, masked: bool = True) -> torch.Tensor:
    made = torch.Generator().manual_seed(SEED)
    w = torch.randn(channels, fan_in, generator=made)
    if masked:
        w *= torch.rand(channels, fan_in, generator=made) < 0.5
    return w


def naive_row(row: list[float], bits: int) -> list[float]:
    """One channel as the definition says it, in Python's floats."""
    if bits == 0:
        return [0.0] * len(row)
    present = [x for x in row if x != 0]
    if not present:
        return [0.0] * len(row)
    if bits == 2:
        threshold = 0.7 * sum(map(abs, present)) / len(present)
        large = [abs(x) for x in row if abs(x) > threshold]
        scale = sum(large) / max(len(large), 1)
        return [math.copysign(scale, x) if abs(x) > threshold else 0.0 for x in row]
    largest = max(map(abs, present))
    choices = [naive_uniform(row, bits, largest), naive_row(row, 2)]
    if bits == 4:
        mean = sum(present) / len(present)
        clip = 2.6 * math.sqrt(sum((x - mean) ** 2 for x in present) / len(present))
        choices += [naive_uniform(row, 3, largest), *([naive_uniform(row, 4, min(largest, clip))] if clip else [])]
    return min(choices, key=lambda held: sum((x - y) ** 2 for x, y in zip(row, held, strict=True)))


def naive_uniform(row: list[float], bits: int, limit: float) -> list[float]:
    steps = 2 ** (bits - 1) - 1
    scale = limit / steps
    return [max(-steps, min(steps, round(x / scale))) * scale for x in row]


@pytest.mark.parametrize("bits", [0, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("masked", [False, True])
def test_quantizer_is_the_naive_loop_over_rows(bits: int, masked: bool) -> None:
    w = weights(masked=masked).double()
    expected = torch.tensor([naive_row(row, bits) for row in w.tolist()], dtype=torch.float64)
    assert torch.allclose(quantize(w, bits), expected, atol=1e-12)


@pytest.mark.parametrize("bits", [0, 2, 4, 8])
def test_a_channel_depends_on_itself_and_its_width_alone(bits: int) -> None:
    w = weights()
    together = quantize(w, bits)
    for c in range(w.shape[0]):
        assert torch.equal(quantize(w[c : c + 1], bits)[0], together[c])
        assert torch.equal(quantize(w.flip(0)[:, :], bits)[w.shape[0] - 1 - c], together[c])
    assert torch.equal(quantize(w.expand(3, -1, -1), bits)[2], together)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_absent_weights_stay_absent_and_do_not_enter_the_scale(bits: int) -> None:
    w = weights()
    assert bool((quantize(w, bits)[w == 0] == 0).all())
    padded = torch.cat([w.double(), torch.zeros(w.shape[0], 13, dtype=torch.float64)], 1)
    assert torch.allclose(quantize(padded, bits)[:, : w.shape[1]], quantize(w.double(), bits), atol=1e-14)
    empty = torch.zeros(2, 9)
    assert torch.equal(quantize(empty, bits), empty)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_levels_are_few_symmetric_and_scale_with_the_weights(bits: int) -> None:
    w = weights()
    levels, scale = levels_and_scales(w, bits)
    most = 2 ** (bits - 1) - 1
    assert int(levels.abs().max()) <= most
    assert torch.equal(levels * scale, quantize(w, bits))
    assert torch.equal(quantize(-w, bits), -quantize(w, bits))
    assert torch.equal(quantize(w * 4, bits), quantize(w, bits) * 4)


def test_more_bits_lose_less() -> None:
    error = relative_error(weights(64, 64, masked=False), (0, 2, 4, 8))
    assert bool((error.diff(dim=-1) < 0).all()) and torch.allclose(error[:, 0], torch.ones(64))


MEANS = st.one_of(st.just(0.0), st.floats(1e-3, 3), st.floats(-3, -1e-3))
ROWS = st.tuples(
    MEANS, st.sampled_from([0.0, 1e-3, 0.05, 1.0]), st.sampled_from([0.05, 0.5, 1.0]), st.integers(1, 80), st.integers(0, 2**31)
)


def made_rows(mean: float, deviation: float, kept: float, fan_in: int, seed: int) -> torch.Tensor:
    """64 rows of weights about any mean, constant ones too, under a mask that may leave one weight or none."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(mean, deviation, (64, fan_in)) * (rng.random((64, fan_in)) < kept)
    return torch.from_numpy(rows)


def lost(w: torch.Tensor, bits: int) -> torch.Tensor:
    return (w - quantize(w, bits)).square().sum(-1)


@given(ROWS)
@settings(max_examples=150)
def test_the_error_falls_with_the_bits_whatever_the_row(made: tuple[float, float, float, int, int]) -> None:
    """Half a step to each weight at most, whose step halves with every bit; 4 bits hold what fewer bits hold."""
    w = made_rows(*made)
    tiny = 1e-12 * w.square().sum(-1)
    for bits in range(3, 9):
        half = w.abs().amax(-1) / (2 ** (bits - 1) - 1) / 2
        assert bool((lost(w, bits) <= (w != 0).sum(-1) * half**2 + tiny).all())
        assert bool((lost(w, bits) <= lost(w, 2) + tiny).all())
    assert bool((lost(w, 4) <= lost(w, 3) + tiny).all())
    if made[3] * made[2] > 10:  # of a few weights, fewer bits may by luck hold some rows better
        together = torch.stack([lost(w, bits).sum() for bits in range(2, 9)])
        assert bool((together.diff() <= tiny.sum()).all())


@given(st.integers(2, 8), st.integers(1, 40), st.floats(1e-3, 1e3), st.integers(0, 2**31))
@settings(max_examples=150)
def test_a_row_that_its_levels_hold_exactly_stays(bits: int, fan_in: int, scale: float, seed: int) -> None:
    """Any levels with the outermost one among them; 4 bits keep what 3 and 2 bits keep."""
    most, rng = 2 ** (bits - 1) - 1, np.random.default_rng(seed)
    levels = rng.integers(-most, most + 1, (8, fan_in))
    levels[:, rng.integers(fan_in)] = most
    w = torch.from_numpy(levels * scale)
    for width in {bits, 4 if bits < 4 else bits}:
        assert torch.allclose(quantize(w, width), w, rtol=1e-12, atol=0)
        assert torch.allclose(quantize(w.float(), width), w.float(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7, 8])
def test_constant_rows_single_weights_and_a_fan_in_of_one_are_kept(bits: int) -> None:
    single = torch.zeros(5, 30)
    single[torch.arange(5), torch.arange(5) * 3] = torch.tensor([0.3, -2.0, 1e-4, 7.0, -0.1])
    for w in (torch.full((3, 40), 0.7), -torch.full((1, 9), 1e-3), single, torch.tensor([[0.5], [-3.0]])):
        assert torch.allclose(quantize(w, bits), w, rtol=1e-6, atol=0)
    narrow = 1 + 0.05 * torch.randn(64, 64, generator=torch.Generator().manual_seed(SEED))
    assert float(relative_error(narrow, (bits,)).max()) < 0.005


def test_32_bits_leave_weights_alone_and_other_widths_are_refused() -> None:
    w = weights()
    assert quantize(w, 32) is w
    for bits in (1, 9, 16, -2):
        with pytest.raises(ValueError, match="no quantizer"):
            quantize(w, bits)


@given(st.integers(1, 9), st.integers(1, 37), st.sampled_from([2, 4, 8]), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_packed_levels_come_back_and_take_the_bytes_they_should(channels: int, fan_in: int, bits: int, random: object) -> None:
    most = 2 ** (bits - 1)
    levels = torch.tensor(
        [[random.randint(-most, most - 1) for _ in range(fan_in)] for _ in range(channels)],  # type: ignore[attr-defined]
        dtype=torch.int8,
    )
    packed = pack_levels(levels, bits)
    assert packed.dtype == torch.uint8 and packed.shape == (channels, -(-fan_in * bits // 8))
    assert torch.equal(unpack_levels(packed, bits, fan_in), levels)
    naive = [sum((int(x) + most) << (bits * k) for k, x in enumerate(row)) for row in levels]
    assert [int.from_bytes(row.numpy().tobytes(), "little") for row in packed] == naive


@given(st.integers(0, 5), st.integers(0, 21), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_packed_masks_come_back(rows: int, width: int, seed: int) -> None:
    mask = torch.from_numpy(np.random.default_rng(seed).random((rows, width)) < 0.5)
    packed = pack_bits(mask)
    assert packed.numel() == -(-rows * width // 8)
    assert torch.equal(unpack_bits(packed, (rows, width)), mask)


LAYERS = (Layer("a", 6, 5, 1.0, 4), Layer("b", 3, 8, 1.0, 1))


def test_gathered_weights_are_each_phones_own_rows() -> None:
    """At few positions and at many, and in memory that layers share, the product is that of the built weights."""
    made = torch.Generator().manual_seed(SEED)
    sources = [torch.randn(n.channels, n.fan_in, generator=made) for n in LAYERS]
    tables = [table(w) for w in sources]
    codes = torch.randint(4, (7, 9), generator=made)
    own = [
        torch.stack([torch.stack([quantize(w[c : c + 1], (0, 2, 4, 8)[code])[0] for c, code in enumerate(row)]) for row in part.tolist()])
        for w, part in zip(sources, codes.split([6, 3], 1), strict=True)
    ]
    for room in (None, room_for(7, LAYERS)):
        for choice, weights in zip(gather(tables, codes, LAYERS, room), own, strict=True):
            assert torch.equal(build(choice.rows, choice.codes, choice.room), weights)
            for positions in (1, FEW, FEW + 1, 20):
                x = torch.randn(7, positions, weights.shape[2], generator=made)
                assert torch.allclose(choice.product(x), x @ weights.transpose(1, 2), atol=1e-5)
