"""What exporters read of a run: the modules rank as the ledger says, packed weights are the phones' own, and the rest is refused."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from chordsim import methods
from chordsim.errors import UserError
from chordsim.progress import Silent
from chordsim.runtime.exporting import channels
from chordsim.runtime.from_run import Source, source_of
from chordsim.runtime.graphs import Inputs, Shared, Whole
from chordsim.runtime.reference.steps import checksum, pack, unpack, unpack_codes
from chordsim.testing.talk import small_world
from tests.chordsim.runtime.small import MORE

Read = Callable[[str], Source]


def weights_of(source: Source, device: int | None) -> list[np.ndarray]:
    """What a phone multiplies by, from what the export holds."""
    portable = source.portable
    if portable.weights is not None:
        return portable.weights
    if portable.packed is not None:
        return unpack(portable.packed, portable.parts)
    assert portable.planned is not None and device is not None
    codes = unpack_codes(source.plans()[device], sum(part.rows for part in portable.parts))
    return unpack(portable.planned.packed(codes), portable.parts, portable.planned.gains_of(codes))


@pytest.mark.parametrize("method", ["fp32", "int8", "uniform-2", "chord", "chord-plus"])
def test_modules_rank_as_the_ledger_says(source: Read, method: str) -> None:
    ranks_as_the_ledger_says(source(method))


@pytest.mark.parametrize("method", MORE)
def test_and_so_do_those_of_phones_that_read_their_users_or_make_their_own_plans(more: Read, method: str) -> None:
    told = more(method)
    ranks_as_the_ledger_says(told)
    reads_users = method != "chord"
    assert (told.portable.joined is not None) == reads_users and told.inputs.names() == ["items", *(["user"] if reads_users else [])]
    assert told.history(told.served()).items.shape[1] == (20 if reads_users else 12)


def test_a_plan_is_what_the_phone_makes_of_what_it_was_sent(more: Read) -> None:
    """By its own table, or of its bootstrap alone: then it is the tier's."""
    read, bought = more("chord"), more("chord-shared")
    ids = read.served()[:12]
    assert read.sent().keys() == read.plans().keys() and not bought.sent() and bought.plans()
    assert any(read.sent()[device] != read.plans()[device] for device in ids.tolist())
    tiers = bought.world.population.profiles(np.array(sorted(bought.plans()))).tier
    assert len({(tier, plan) for tier, plan in zip(tiers.tolist(), bought.plans().values(), strict=True)}) == len(set(tiers.tolist()))


def ranks_as_the_ledger_says(told: Source) -> None:
    planned = told.portable.planned is not None
    ids = told.served()
    ids = ids[np.isin(ids, list(told.plans()))][:12] if planned else ids[:12]
    assert ids.size > 4
    simulated, history = told.simulated(ids), told.history(ids)
    scores = []
    for row, device in enumerate(ids.tolist()):
        given = [torch.from_numpy(w) for w in channels(told, weights_of(told, device))]
        read = history.items[row : row + 1]
        taken = [torch.from_numpy(read[:, -told.context.backbone.max_len :])]
        taken += [torch.from_numpy(told.portable.joined(read))] if told.portable.joined is not None else []
        with torch.inference_mode():
            scores.append(Shared(told.inputs, told.portable.item, told.portable.position)(*taken, *given).numpy()[0])
            whole = Whole(told.inputs, told.portable.item, told.portable.position, [w.numpy() for w in given])
            assert np.array_equal(whole(*taken).numpy()[0], scores[-1])
    assert np.abs(np.stack(scores) - simulated)[:, 1:].max() < 1e-5
    place = np.searchsorted(told.rows["device_id"], ids)
    assert told.ranks(ids, np.stack(scores)).tolist() == told.rows.floats("rank")[place].tolist()


@pytest.mark.parametrize("method", ["chord", "chord-plus"])
def test_rows_that_were_quantized_once_are_those_of_the_phone_s_own_step(source: Read, method: str) -> None:
    told = source(method)
    planned = told.portable.planned
    assert planned is not None
    for plan in list(told.plans().values())[:8]:
        codes = unpack_codes(plan, sum(part.rows for part in told.portable.parts))
        ours, own = planned.packed(codes), pack(planned.source, codes, planned.widths)
        assert checksum(ours.bits, ours.levels, ours.scales) == checksum(own.bits, own.levels, own.scales)


def test_ranks_among_lists_that_a_run_does_not_keep_are_not_compared(source: Read) -> None:
    told = source("fp32")
    told.check_lists()
    scenario = told.world.scenario
    by_model = scenario.protocol.model_copy(update={"ranking": "candidates", "retriever": "model"})
    listed = replace(told, world=replace(told.world, scenario=scenario.model_copy(update={"protocol": by_model})))
    with pytest.raises(UserError, match="export without it") as caught:
        listed.check_lists()
    assert str(caught.value).startswith(str(told.run)) and "\n" not in str(caught.value)


def test_where_items_are_cached_rows_of_the_history_are_the_input(source: Read) -> None:
    told = source("fp32")
    portable, config = told.portable, told.context.backbone
    cached = config.model_copy(update={"items": "cached", "cache_rows": 30})
    assert portable.weights is not None
    weights = channels(told, portable.weights)
    history = torch.from_numpy(told.history(told.served()[:1]).items)
    rows = torch.from_numpy(portable.item)[history]
    with torch.inference_mode():
        state = Whole(Inputs(cached), portable.item, portable.position, weights)(history, rows)
        scores = Whole(Inputs(config), portable.item, portable.position, weights)(history)
    assert Inputs(cached).names() == ["items", "rows"] and [x.shape for x in Inputs(cached).example()] == [history.shape, rows.shape]
    assert torch.allclose(state @ torch.from_numpy(portable.item).T, scores, atol=1e-6)


@pytest.mark.parametrize(
    ("method", "words"),
    [("chord-minus", "no method 'chord-minus' in this run: it has fp32, int8"), ("finetune", "finetune cannot be exported")],
)
def test_what_cannot_be_exported_is_one_line(run: Path, method: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        source_of(run, method, Silent())


@pytest.mark.parametrize("settings", [{"planner": "codebook"}, {"activation_bits": 8}, {"fuse": True}])
def test_plans_with_which_phones_do_more_than_run_a_model_are_not_exported(settings: dict[str, object]) -> None:
    world = small_world("chord-plus", settings)
    half = methods.load(world.specs["chord-plus"].device)(world.context("chord-plus"))
    assert half.portable({}) is None


def test_a_folder_that_is_no_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run directory"):
        source_of(tmp_path, "fp32", Silent())


def test_a_method_whose_settings_no_program_holds_is_told_of_them(run: Path, tmp_path: Path) -> None:
    changed = tmp_path / "run"
    shutil.copytree(run, changed)
    scenario = changed / "scenario.toml"
    before = scenario.read_text()
    scenario.write_text(re.sub(r"(?m)^activation_bits = 32$", "activation_bits = 8", before))
    assert scenario.read_text() != before
    with pytest.raises(UserError, match="chord-plus cannot be exported as the run has set it"):
        source_of(changed, "chord-plus", Silent())
