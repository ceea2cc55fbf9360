"""What a stored model weighs when rows, extractor and plan are all of few bits, against fp32 at 32; what its operations count for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import chordsim
from chordsim.errors import ScenarioError
from chordsim.methods import Budgets
from chordsim.nets import blobs, extractor
from chordsim.scenario.load import load
from chordsim.sized import SizedWorld, sized_world

ROWS = 4
#: ML-1M has so many items.
SIZES = ("data.synthetic.items=3416", "backbone.dim=64", "backbone.ffn_dim=64", "protocol.metrics=none")


def stored(world: SizedWorld, name: str) -> int:
    """Return the bytes of a method's model on a phone that grants plenty."""
    plenty = Budgets(np.full(ROWS, 2**40), np.full(ROWS, 10.0), np.full(ROWS, 32.0), np.full(ROWS, 1e9))
    needs = world.specs[name].needs(world.context(name), plenty)
    assert needs is not None
    return int(needs.cost.model_bytes[0])


def test_the_model_of_chord_plus_is_a_fifth_of_fp32_where_rows_and_extractor_are_of_few_bits_too() -> None:
    whole = sized_world(load("offline", ['methods=["fp32","chord-plus"]', *SIZES]))
    few = sized_world(
        load("offline", ['methods=["fp32","chord-plus"]', *SIZES, "backbone.embedding_bits=2", "settings.chord-plus.extractor_bits=8"])
    )
    assert stored(few, "chord-plus") <= stored(whole, "fp32") / 5
    assert stored(few, "chord-plus") < stored(few, "fp32") < stored(whole, "fp32")


@pytest.mark.parametrize(
    "name", ["fp32", "film-192", "duet", "cocorrrec", "dccl", "fedavg", "finetune", "forward-ofa", "cda4rec", "diet", "chai"]
)
def test_every_operation_of_a_full_precision_method_counts_32_by_32_bits(name: str) -> None:
    world = sized_world(load("offline", [f'methods=["{name}"]', *SIZES]))
    told = world.specs[name].needs(world.context(name), Budgets(*(np.full(ROWS, most) for most in (2**40, 10.0, 32.0, 1e9))))
    assert told is not None and told.cost.macs.min() > 0
    assert np.array_equal(told.cost.bitops, told.cost.macs * 32 * 32)


@pytest.mark.parametrize("kind", ["mean", "gru"])
@pytest.mark.parametrize("bits", [32, 16, 8])
def test_an_extractor_comes_back_within_its_bits_and_weighs_what_is_said(kind: str, bits: int) -> None:
    own = extractor.build(kind, 12, 8)
    parts = extractor.encode(dict(own.named_parameters()), bits)
    back = extractor.restored(blobs.save({n: p.detach() for n, p in parts.items()}), kind, 12, 8, bits)
    assert sum(p.numel() * p.element_size() for p in parts.values()) == extractor.stored_bytes(kind, 12, 8, bits)
    items, table = torch.randint(1, 40, (5, 20)), torch.randn(40, 12)
    with torch.no_grad():
        said, meant = back(items, table), own(items, table)
    assert torch.allclose(said, meant, atol={32: 0.0, 16: 0.01, 8: 0.2}[bits])
    assert torch.equal(said, meant) == (bits == 32)


def test_fewer_bits_of_the_extractor_are_another_bootstrap_of_the_same_training(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    runs = [
        chordsim.run(
            "offline",
            overrides=tiny(*(f"settings.chord-plus.extractor_bits={bits}", "clock.loss=0.0"), methods=("chord-plus",)),
            out=tmp_path / str(bits),
        )
        for bits in (32, 8)
    ]
    assert runs[1].manifest["cloud_models"] == {"chord-plus": True}
    first = [run.ledger[run.ledger.outcome == "served"].groupby("round").bootstrap_bytes.max()[1] for run in runs]
    saved = extractor.stored_bytes("mean", 16, 8, 32) - extractor.stored_bytes("mean", 16, 8, 8)
    model = [run.ledger.model_bytes.max() for run in runs]
    assert model[0] - model[1] == saved and 0 < first[0] - first[1] <= saved


@pytest.mark.parametrize("value", ["4", "0", "true", '"8"'])
def test_other_bits_of_the_extractor_are_one_line(value: str) -> None:
    with pytest.raises(ScenarioError, match="extractor_bits") as caught:
        load("offline", [f"settings.chord-plus.extractor_bits={value}", 'methods=["chord-plus"]'])
    assert "\n" not in str(caught.value)
