"""The user's vector among a backbone's inputs: no byte a session, its matrix counted, nothing of a target in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from chordsim.errors import ScenarioError
from chordsim.methods import UP_REPORT, Budgets
from chordsim.methods.chord.network import Planned
from chordsim.methods.chord.settings import PlanSettings
from chordsim.nets import embeddings, extractor, user_input
from chordsim.nets.windows import Windows
from chordsim.scenario.load import load
from chordsim.testing import check_method
from chordsim.testing.talk import Talk, small_world

WIDTH, DIM = 8, 16
ASKED = {"user_input": True, "profile_dim": WIDTH}
PLENTY = Budgets(np.full(2, 2**40), np.full(2, 10.0), np.full(2, 32.0), np.full(2, 1e9))


def needs(name: str, settings: dict[str, object]) -> tuple[int, int, int, int]:
    """Return stored bytes, peak memory, operations of a request, and operations before it."""
    world = small_world(name, {"profile_dim": WIDTH, **settings})
    told = world.specs[name].needs(world.context(name), PLENTY)
    assert told is not None
    cost = told.cost
    return tuple(int(column[0]) for column in (cost.model_bytes, cost.peak_memory_bytes, cost.macs, cost.adapt_macs))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("chord-plus", {}),
        ("chord-shared", {"delivery": "bootstrap", "extractor_bits": 8}),
        pytest.param("fp32", {"reads": [30, 8]}, marks=pytest.mark.slow),
    ],
)
def test_a_method_that_tells_its_backbone_the_user_keeps_all_promises(name: str, more: dict[str, object]) -> None:
    assert len(check_method(name, {**ASKED, **more})) == 8


def test_the_matrix_weighs_its_rows_and_a_request_reads_the_user() -> None:
    read = extractor.size("mean", DIM, WIDTH)[1]
    for bits in (32, 8):
        more = {"extractor_bits": bits}
        without, told = needs("chord-plus", more), needs("chord-plus", {**more, **ASKED})
        rows = embeddings.table_bytes(DIM, WIDTH, bits)
        assert [b - a for a, b in zip(without, told, strict=True)] == [rows, rows, read + DIM * WIDTH, -read]


def test_a_plan_told_once_needs_the_extractor_on_the_phone_only_for_the_vector() -> None:
    without, told = (needs("chord-shared", {"delivery": "bootstrap", **more}) for more in ({}, ASKED))
    stored = extractor.stored_bytes("mean", DIM, WIDTH, 32) + 4 * DIM * WIDTH
    read = extractor.size("mean", DIM, WIDTH)[1] + DIM * WIDTH
    assert [b - a for a, b in zip(without, told, strict=True)] == [stored, stored, read, 0]
    assert told[3] == 0


def test_the_reference_has_a_reader_where_it_is_asked_for_alone() -> None:
    def asked(settings: dict[str, object]) -> tuple[int, ...]:
        world = small_world("fp32", settings)
        told = world.specs["fp32"].needs(world.context("fp32"), PLENTY)
        assert told is not None
        return tuple(int(column[0]) for column in (told.cost.model_bytes, told.cost.peak_memory_bytes, told.cost.macs))

    plain, off, told = (asked(settings) for settings in ({}, {**ASKED, "user_input": False}, ASKED))
    parameters, read = extractor.size("mean", DIM, WIDTH)
    kept = 4 * parameters + 4 * DIM * WIDTH
    assert plain == off and [b - a for a, b in zip(plain, told, strict=True)] == [kept, kept, read + DIM * WIDTH]
    assert load("offline", ['methods=["fp32"]']).settings["fp32"] == {"bits": 32}
    for key, words in (("reads=[0]", "settings.fp32.reads"), ('extractor="gru"', "settings.fp32.reads is of settings.fp32.extractor")):
        with pytest.raises(ScenarioError, match=words):
            load("offline", ['methods=["fp32"]', "settings.fp32.user_input=true", "settings.fp32.reads=[60,8]", f"settings.fp32.{key}"])


def test_the_reference_learns_from_what_older_items_say_of_the_user() -> None:
    t = Talk.of("fp32", {**ASKED, "reads": [60, 8]}, {"max_len": 8})
    on = t.who.active & (t.history.lengths > 8)
    newer = t.history.items.copy()
    newer[:, :-8] = np.where(newer[:, :-8] > 0, newer[:, :-8] % 50 + 1, 0)
    one, other = (said[UP_REPORT].device.scored()[on] for said in (t.exchange(), t.exchange(history=replace(t.history, items=newer))))
    assert on.any() and not np.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("bits", [32, 16, 8])
def test_the_matrix_comes_back_within_its_bits(bits: int) -> None:
    from chordsim.nets import blobs

    matrix = user_input.start(DIM, WIDTH, torch.Generator().manual_seed(1))
    parts = user_input.encode(matrix, bits)
    assert sum(p.numel() * p.element_size() for p in parts.values()) == user_input.stored_bytes(DIM, WIDTH, bits)
    back = user_input.restored(blobs.save(parts), DIM, WIDTH)
    assert torch.allclose(back, matrix, atol={32: 0.0, 16: 1e-4, 8: 2e-3}[bits])


@pytest.mark.parametrize("kind", ["sasrec", "caser"])
def test_training_reads_the_user_before_the_first_target_and_a_matrix_of_zeros_is_no_matrix(kind: str) -> None:
    world = small_world("chord-plus", ASKED, {"kind": kind})
    settings = PlanSettings.of("chord-plus", world.context("chord-plus").settings)
    model, plain = Planned(world.shapes, settings, 1), Planned(world.shapes, replace(settings, user_input=False), 1)
    draw = torch.Generator().manual_seed(2)
    items = torch.randint(1, 51, (6, 21), generator=draw)
    windows = Windows(items[:, :-1], items[:, 1:], torch.randint(1, 51, (6, 20), generator=draw))

    def states(net: Planned, given: Windows) -> torch.Tensor:
        return net.states(given, 0.0, torch.Generator().manual_seed(3))

    before, seen = states(model, windows), []
    original = model.joined

    def spy(user: torch.Tensor) -> torch.Tensor | None:
        seen.append(original(user))
        return seen[-1]

    model.joined = spy  # type: ignore[method-assign]
    moved = replace(windows, inputs=windows.inputs % 50 + 1, targets=windows.targets % 50 + 1)
    assert not torch.equal(states(model, moved), before)
    states(model, windows)
    other = states(model, replace(windows, history=windows.history.flip(0)))
    assert torch.equal(seen[0], seen[1]) and not torch.equal(seen[1], seen[2]) and not torch.equal(other, before)
    before.square().sum().backward()
    assert float(model.user_input[0].grad.abs().sum()) > 0
    with torch.no_grad():
        model.user_input[0].zero_()
    assert torch.equal(states(model, windows), states(plain, windows))
