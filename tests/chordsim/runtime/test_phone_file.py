"""A phone's file: what was packed comes back, it says what it is, and damaged ones are typed errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from chordsim.errors import DataError
from chordsim.runtime import phone_file
from chordsim.runtime.reference.steps import Part, draw, pack, unpack
from chordsim.seeds import generator

PARTS = (Part("one", 6, 16, 1.0), Part("two", 4, 24, 2.0))


def written(path: Path, gains: bool = False) -> np.ndarray:
    codes = generator(3, "test.file").integers(0, 4, 10).astype(np.uint8)
    packed = pack(draw(PARTS, 5), codes, (0, 2, 4, 8))
    scale = np.linspace(0.5, 1.5, 20, dtype=np.float32)[::2] if gains else None  # a view of every second number
    phone_file.write(path, packed, scale, {"scenario": "made", "seed": 5, "plan": "00"})
    return np.concatenate([weight.reshape(-1) for weight in unpack(packed, PARTS, scale)])


@pytest.mark.parametrize("gains", [False, True])
def test_weights_come_back_and_the_file_says_what_it_is(tmp_path: Path, gains: bool) -> None:
    path = tmp_path / "phone.safetensors"
    wanted = written(path, gains)
    weights, _ = phone_file.read(path, PARTS)
    assert np.array_equal(np.concatenate([weight.reshape(-1) for weight in weights]), wanted)
    assert phone_file.about(path) == {"format": phone_file.FORMAT, "scenario": "made", "seed": 5, "plan": "00"}


def test_a_file_of_another_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "phone.safetensors"
    written(path)
    for parts in (PARTS[:1], (*PARTS, Part("three", 4, 16, 1.0)), (PARTS[0], Part("two", 4, 32, 2.0))):
        with pytest.raises(DataError, match="of this export"):
            phone_file.read(path, parts)
    with pytest.raises(DataError, match="no such file"):
        phone_file.read(tmp_path / "none", PARTS)


def test_any_damage_is_a_typed_error_or_numbers_in_the_same_shapes(tmp_path: Path) -> None:
    path = tmp_path / "phone.safetensors"
    written(path)
    data, draws, sound = path.read_bytes(), generator(3, "test.damage"), 0
    for turn in range(200):
        # Every other one is whole, since a cut is told before any byte is looked at.
        bad = bytearray(data[: int(draws.integers(0, len(data) + 1))] if turn % 2 else data)
        if bad:
            bad[int(draws.integers(0, len(bad)))] ^= int(draws.integers(1, 256))
        path.write_bytes(bytes(bad))
        try:
            weights, _ = phone_file.read(path, PARTS)
        except DataError:
            continue
        assert [weight.shape for weight in weights] == [(6, 16), (4, 24)] and all(np.isfinite(weight).all() for weight in weights)
        sound += 1
    assert 0 < sound < 200


def test_widths_beyond_eight_bits_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "phone.safetensors"
    bits = np.full(10, 9, np.uint8)
    path.write_bytes(safetensors.numpy.save({"bits": bits, "levels": np.zeros(220, np.uint8), "scales": np.ones(10, np.float32)}))
    with pytest.raises(DataError, match="another model"):
        phone_file.read(path, PARTS)
