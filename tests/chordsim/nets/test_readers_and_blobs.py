"""Extractors read the recent past only; embeddings and blobs come back as a phone will see them, or are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chordsim import seeds
from chordsim.config.model import BackboneConfig
from chordsim.nets import blobs, embeddings, extractor, footprint
from chordsim.nets.shapes import shapes_of
from chordsim.wire.errors import BadPayload


def table(rows: int = 21, dim: int = 8) -> torch.Tensor:
    made = torch.randn(rows, dim, generator=torch.Generator().manual_seed(5))
    made[0] = 0
    return made


@pytest.mark.parametrize("kind", ["mean", "gru"])
def test_extractors_ignore_padding_and_depend_on_the_recent_past(kind: str) -> None:
    torch.manual_seed(0)
    reader, items = extractor.build(kind, 8, 6), torch.randint(1, 21, (5, 30))
    items[:, :5] = 0
    user = reader(items, table())
    assert user.shape == (5, 6) and bool(torch.isfinite(user).all())
    longer = torch.cat([torch.zeros(5, 7, dtype=torch.int64), items], 1)
    assert torch.allclose(reader(longer, table()), user, atol=1e-6)
    newer = items.clone()
    newer[:, -1] = items[:, -1] % 20 + 1
    assert not torch.allclose(reader(newer, table()), user)
    assert bool(torch.isfinite(reader(torch.zeros_like(items), table())).all())
    alone = torch.cat([reader(items[d : d + 1], table()) for d in range(5)])
    assert torch.allclose(alone, user, atol=1e-6)


@pytest.mark.parametrize("kind", ["mean", "gru"])
def test_the_size_of_an_extractor_is_that_of_its_parameters(kind: str) -> None:
    made = extractor.build(kind, 8, 6)
    parameters, macs = extractor.size(kind, 8, 6)
    assert parameters == sum(p.numel() for p in made.parameters())
    assert macs == made.macs() > 0


def test_the_mean_reader_is_the_mean_of_two_spans() -> None:
    torch.manual_seed(0)
    reader = extractor.build("mean", 8, 6)
    items = torch.zeros(1, 60, dtype=torch.int64)
    items[0, -20:] = torch.arange(1, 21)
    own = table()
    both = torch.cat([own[1:21].mean(0), own[13:21].mean(0)])
    hidden = torch.relu(reader.inner(torch.nn.functional.layer_norm(both, (16,))))  # type: ignore[union-attr]
    expected = torch.nn.functional.layer_norm(reader.outer(hidden), (6,))  # type: ignore[union-attr]
    assert torch.allclose(reader(items, own)[0], expected, atol=1e-6)


@pytest.mark.parametrize(("bits", "most"), [(32, 0.0), (16, 2e-3), (8, 1 / 127), (4, 0.1), (2, 0.6)])
def test_embeddings_come_back_within_their_width(bits: int, most: float) -> None:
    own = table()
    stored = embeddings.encode(own, bits, "item")
    back = embeddings.decode(stored, "item", 8)
    assert back.dtype == torch.float32 and bool((back[0] == 0).all())
    assert float((back - own).abs().max()) <= most * float(own.abs().max())
    assert torch.equal(back, embeddings.rounded(own, bits))
    assert sum(t.numel() * t.element_size() for t in stored.values()) == embeddings.table_bytes(21, 8, bits)


def test_rows_of_few_bits_lose_less_with_every_bit_and_keep_what_their_levels_hold() -> None:
    own = torch.randn(200, 12, generator=seeds.torch_generator(1, "test"))
    losses = [float((embeddings.rounded(own, bits) - own).square().mean()) for bits in (2, 4, 8, 16, 32)]
    assert losses == sorted(losses, reverse=True) and losses[0] < 0.2 and losses[1] < 0.02
    for bits in (2, 4):
        held = (torch.arange(2**bits).float() - (2**bits - 1) / 2).repeat(3, 4)[:, : 4 * 2 ** (bits - 1)] * 0.25
        assert torch.allclose(embeddings.rounded(held, bits), held, atol=1e-6)


def test_blobs_come_back_and_equal_tensors_give_equal_bytes() -> None:
    given = {"b": torch.arange(6).view(2, 3).float(), "a": torch.ones(2).half()}
    data = blobs.save(given)
    assert data == blobs.save(dict(reversed(given.items())))
    back = blobs.load(data, {"a": (2,), "b": (2, 3)})
    assert torch.equal(back["b"], given["b"]) and back["a"].dtype == torch.float16


@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: d[:-1], lambda d: d[:9], lambda d: b"\xff" * 64, lambda d: d + b"x"])
def test_damaged_blobs_are_refused_with_a_typed_error(damage: object) -> None:
    with pytest.raises(BadPayload):
        blobs.load(damage(blobs.save({"a": torch.ones(2)})), {"a": (2,)})  # type: ignore[operator]


@pytest.mark.parametrize("shapes", [{"a": (3,)}, {"z": (2,)}, {"a": (1, 2)}])
def test_blobs_of_other_shapes_are_refused(shapes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(BadPayload, match="belongs"):
        blobs.load(blobs.save({"a": torch.ones(2)}), shapes)


def test_footprints_grow_with_every_dimension_and_count_what_is_resident() -> None:
    base = {"dim": 16, "ffn_dim": 16, "max_len": 10}
    small = shapes_of(BackboneConfig(**base), 50)
    for larger in (shapes_of(BackboneConfig(**{**base, **more}), 50) for more in ({"ffn_dim": 64}, {"max_len": 20}, {"blocks": 3})):
        assert footprint.dense_peak_bytes(larger) > footprint.dense_peak_bytes(small)
        assert footprint.dense_macs(larger) > footprint.dense_macs(small)
    assert footprint.dense_peak_bytes(shapes_of(BackboneConfig(**base), 500)) > footprint.dense_peak_bytes(small) + 450 * 16 * 4
    assert footprint.packed_bytes(np.array([0, 1, 8, 9])).tolist() == [0, 1, 1, 2]
    rounded = shapes_of(BackboneConfig(**base, embedding_bits=8), 50)
    assert footprint.embedding_bytes(rounded) == 51 * 16 + 51 * 4 + 10 * 16 * 4
