"""Which budget binds how many phones, told before a run as the run's ledger tells it; and named sizes of the backbone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chordsim
from chordsim.config.model import BACKBONE_SIZES
from chordsim.errors import ScenarioError
from chordsim.forecast.binding import binding_shares, binding_table
from chordsim.methods import BINDINGS, Budgets
from chordsim.nets.embeddings import table_bytes
from chordsim.scenario.load import dump, load, parse
from chordsim.sized import sized_world

SIZES = 'protocol.metrics="none"'
NAMES = ("fp32", "uniform-2", "chord-plus", "forward-ofa")


def test_the_shares_are_those_of_a_run(tmp_path: Path) -> None:
    overrides = [SIZES, f"methods={list(NAMES)!r}".replace("'", '"'), "rounds.count=1", "clock.loss=0.0", "clock.deadline_s=0.0"]
    overrides += ["population.availability.kind=always"]
    shares = binding_shares(sized_world(load("budgets", overrides)))
    ledger = chordsim.run("budgets", overrides=overrides, out=tmp_path / "run").ledger
    for name in NAMES:
        rows = ledger[ledger.method == name]
        assert shares[name]["refused"] == pytest.approx((rows.outcome == "refused").mean())
        for word in BINDINGS:
            assert shares[name][word] == pytest.approx((rows.binding == word).mean()), (name, word)
    assert shares["fp32"]["memory"] > 0.3 and shares["fp32"]["latency"] > 0.3 and shares["chord-plus"]["latency"] > 0.05
    table = binding_table(shares)
    assert [row[0] for row in table.rows] == list(NAMES) and table.rows[0][1] == f"{100 * shares['fp32']['memory']:.1f}"


def test_named_sizes_are_their_four_numbers_and_come_back_from_their_text() -> None:
    for name, numbers in BACKBONE_SIZES.items():
        scenario = load("offline", [f"backbone.size={name}"]) if name == "small" else load("model-size", [f"backbone.size={name}"])
        assert {key: getattr(scenario.backbone, key) for key in numbers} == numbers
        assert parse(dump(scenario)) == scenario


@pytest.mark.parametrize(("size", "far"), [("small", False), ("medium", True), ("wide", True)])
def test_the_weights_of_the_larger_ones_outweigh_the_rows_that_a_phone_keeps_by_far(size: str, far: bool) -> None:
    world = sized_world(load("model-size", [f"backbone.size={size}"]))
    config = world.scenario.backbone
    times = 4 * world.shapes.weights / table_bytes(config.cache_rows, config.dim, 32)
    assert (times > 10) == far and times > 1
    # So memory can bind the model itself, and not its table.
    plenty = Budgets(np.full(1, 2**40), np.full(1, 10.0), np.full(1, 32.0), np.full(1, 1e9))
    full, few = (world.specs[name].needs(world.context(name), plenty) for name in ("fp32", "uniform-2"))
    assert full is not None and few is not None
    assert (full.cost.peak_memory_bytes[0] > 2 * few.cost.peak_memory_bytes[0]) == far


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["backbone.size=wide", "backbone.dim=64"], 'backbone.size = "wide" has 256'),
        (["backbone.size=huge"], "backbone.size"),
        (["backbone.size=wide", "backbone.kind=caser"], 'backbone.size is for backbone.kind = "sasrec"'),
        (["backbone.size=3"], "backbone.size"),
    ],
)
def test_what_contradicts_a_size_is_one_line(overrides: list[str], words: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load("model-size", overrides)
    assert words in str(caught.value) and "\n" not in str(caught.value)
