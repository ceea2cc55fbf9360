"""The numpy steps of a phone give the bytes of the device half: draws, masks, levels, scales, weights.

One step apart: torch 2.13 takes float32 roots by MKL, which rounds one in five of them to the neighbour (see below), so the scale of a
4-bit row, where it clips by a standard deviation, may be off by its last bits.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chordsim.nets import frozen
from chordsim.nets.layers import Layer
from chordsim.quant.packing import pack_bits, pack_levels
from chordsim.quant.quantizer import levels_and_scales, quantize, table
from chordsim.runtime.reference import steps
from chordsim.runtime.reference.normals import normals
from chordsim.runtime.reference.sums import LONGEST, row_sums
from chordsim.seeds import generator
from chordsim.wire.codes import pack_codes

WIDTHS = ((0, 2, 4, 8), (0, 2, 2, 2), (2, 2, 4, 8), (0, 2, 4, 4))
#: Bits at which a root is part of the scale, the most that a root's neighbour is away, and what products and quotients make of it.
ROOTED, NEIGHBOUR, NEAR = 4, 2.0**-23, 2.0**-22
SHAPES = ((16, 16), (8, 24), (4, 5), (16, 64), (3, 33), (2, 336), (64, 4))

pytestmark = pytest.mark.skipif(
    not torch.backends.cpu.get_cpu_capability().startswith("AVX"), reason="torch draws normal numbers in another way without AVX2"
)


def case(number: int) -> tuple[list[Layer], int, str, float, tuple[int, ...], np.ndarray]:
    """Return layers, seed, law, share kept, widths and a plan; all of them differ by number."""
    draws = generator(7, "test.reference", device=number)
    some = draws.choice(len(SHAPES), 2, replace=False)
    layers = [Layer(f"layer{n}", *SHAPES[n], float(draws.choice([1.0, 2.0, 0.63])), 1) for n in some]
    codes = draws.integers(0, 4, sum(layer.channels for layer in layers)).astype(np.uint8)
    keep = float(draws.choice([1.0, 0.5, 0.3]))
    return layers, int(draws.integers(0, 2**40)), str(draws.choice(["gaussian", "signed"])), keep, WIDTHS[number % len(WIDTHS)], codes


def parts_of(layers: list[Layer]) -> list[steps.Part]:
    return [steps.Part(layer.name, layer.channels, layer.fan_in, layer.gain) for layer in layers]


def assert_scale(theirs: float, own: float, bits: int) -> None:
    assert theirs == own or (bits == ROOTED and abs(theirs - own) <= NEAR * own)


@pytest.mark.parametrize("block", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 3))])
def test_a_thousand_seeds_and_plans_give_the_same_bytes(block: int) -> None:
    for number in range(block * 250, (block + 1) * 250):
        layers, seed, law, keep, widths, codes = case(number)
        drawn = frozen.draw(tuple(layers), seed, law)
        parts = parts_of(layers)
        own = steps.draw(parts, seed, law)
        assert all(a.numpy().tobytes() == b.tobytes() for a, b in zip(drawn, own, strict=True))
        masks = [torch.from_numpy(generator(seed, "test.mask", device=n).random(w.shape) < keep) for n, w in enumerate(drawn)]
        source = drawn if keep == 1 else [frozen.masked(w, m.float(), keep) for w, m in zip(drawn, masks, strict=True)]
        bits_of_mask = None if keep == 1 else np.concatenate([pack_bits(m).numpy() for m in masks])
        mine = steps.masked(own, bits_of_mask, keep)
        if keep < 1 and number % 2:
            turns = [m & torch.from_numpy(generator(seed, "test.turned", device=n).random(m.shape) < 0.5) for n, m in enumerate(masks)]
            signed = [m.float() * torch.where(t, -1.0, 1.0) for m, t in zip(masks, turns, strict=True)]
            source = [frozen.masked(w, m, keep) for w, m in zip(drawn, signed, strict=True)]
            mine = steps.masked(own, bits_of_mask, keep, np.concatenate([pack_bits(t).numpy() for t in turns]))
        assert all(a.numpy().tobytes() == b.tobytes() for a, b in zip(source, mine, strict=True))
        packed = steps.pack(mine, steps.unpack_codes(pack_codes(codes[None]).tobytes(), codes.size), widths)
        levels, at = [], 0
        for weight in source:
            for row, code in enumerate(codes[at : at + len(weight)].tolist()):
                if widths[code]:
                    level, scale = levels_and_scales(weight[row : row + 1], widths[code])
                    levels.append(pack_levels(level, widths[code]).numpy().reshape(-1))
                    assert_scale(float(scale), float(packed.scales[at + row]), widths[code])
            at += len(weight)
        assert b"".join(level.tobytes() for level in levels) == packed.levels.tobytes()
        # What the device half multiplies by: its row of the table of every channel at every code.
        at = 0
        for weight, made in zip(source, steps.unpack(packed, parts), strict=True):
            chosen = torch.from_numpy(codes[at : at + len(weight)].astype(np.int64))
            rows = table(weight, widths)[chosen, torch.arange(len(weight))]
            exact = packed.bits[at : at + len(weight)] != ROOTED
            assert np.array_equal(rows.numpy()[exact], made[exact])
            assert np.allclose(rows.numpy(), made, rtol=2 * NEAR, atol=0)
            at += len(weight)


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7, 8])
def test_every_width_packs_to_its_own_size_and_comes_back(bits: int) -> None:
    part = steps.Part("layer", 12, 40, 1.0)
    source = steps.draw([part], 3)
    packed = steps.pack(source, np.ones(12, np.uint8), (0, bits, bits, bits))
    assert packed.levels.size == 12 * 5 * bits
    wanted = quantize(torch.from_numpy(source[0]), bits).numpy()
    assert np.allclose(steps.unpack(packed, [part])[0], wanted, rtol=2 * NEAR if bits == ROOTED else 0, atol=0)


def test_roots_are_rounded_right_here_and_not_always_by_torch() -> None:
    numbers = np.arange(1, 4097, dtype=np.float32)
    own = np.sqrt(numbers)
    assert np.array_equal(own, np.sqrt(numbers.astype(np.float64)).astype(np.float32))
    assert np.allclose(torch.from_numpy(numbers).sqrt().numpy(), own, rtol=NEIGHBOUR, atol=0)


def test_gains_multiply_rows_after_their_scales() -> None:
    part = steps.Part("layer", 8, 16, 1.0)
    packed = steps.pack(steps.draw([part], 3), np.full(8, 2, np.uint8), (0, 2, 4, 8))
    gains = np.linspace(0.5, 2, 8, dtype=np.float32)
    assert np.array_equal(steps.unpack(packed, [part], gains)[0], steps.unpack(packed, [part])[0] * gains[:, None])


@pytest.mark.parametrize("count", [16, 17, 31, 4096, 5000])
def test_normal_numbers_are_torch_s_own(count: int) -> None:
    for seed in (0, 1, 2**31, 2**32 + 5, 2**63 - 1):
        drawn = torch.randn(count, generator=torch.Generator().manual_seed(seed))
        assert drawn.numpy().tobytes() == normals(seed, count).tobytes()


def test_what_the_reference_cannot_do_is_refused() -> None:
    with pytest.raises(ValueError, match="fewer than 16"):
        normals(1, 15)
    with pytest.raises(ValueError, match="more than 512"):
        row_sums(np.zeros((1, LONGEST + 1), np.float32))
    with pytest.raises(ValueError, match="holds no 12 codes"):
        steps.unpack_codes(b"\x00\x00", 12)
    packed = steps.Packed(np.full(2, 4, np.uint8), np.zeros(3, np.uint8), np.ones(2, np.float32))
    with pytest.raises(ValueError, match="3 bytes of levels where 4 belong"):
        steps.unpack(packed, [steps.Part("layer", 2, 4, 1.0)])
