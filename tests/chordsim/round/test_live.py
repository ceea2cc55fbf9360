"""One round as the ledger tells it: who ends how, what each byte was for, and what the carrier must agree with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chordsim.errors import InvariantError
from chordsim.ledger.invariants import DOWN_PARTS, UP_PARTS, check
from chordsim.ledger.rows import Rows
from chordsim.methods import DOWN_CANDIDATES, DOWN_PRESCRIPTION, UP_PROFILE, UP_REPORT, UP_UPDATE
from chordsim.methods.chord.cloud import PlanCloud
from chordsim.methods.chord.device import PlanDevice
from chordsim.ragged import Ragged
from chordsim.round.scene import scene_of
from chordsim.round.visit import visits
from chordsim.wire.frame import OVERHEAD_BYTES
from chordsim.wire.reports import REPORT_BYTES
from chordsim.world import World

Make = Callable[..., Any]
NAMES = ("fp32", "uniform-2", "chord", "chord-plus", "cloud-only")


def counts(rows: Rows) -> dict[str, int]:
    texts = rows.texts("outcome")
    return {outcome: int((texts == outcome).sum()) for outcome in np.unique(texts)}


def roomy(*more: str) -> list[str]:
    """Phones that nothing binds."""
    tiers = "population.tiers={any={share=1.0,ram_gb=8.0,gmacs_per_s=5.0,down_mbps=20.0,up_mbps=5.0,round_trip_ms=50.0,"
    return [f"{tiers}nj_per_mac=0.5,radio_w=1.0,memory_mb=100.0}}}}", *more]


def test_an_exchange_is_cut_into_visits_down_then_up() -> None:
    assert visits((UP_PROFILE, DOWN_PRESCRIPTION, UP_REPORT)) == [[UP_PROFILE], [DOWN_PRESCRIPTION, UP_REPORT]]
    assert visits((UP_UPDATE, UP_REPORT)) == [[UP_UPDATE, UP_REPORT]]
    assert visits((DOWN_CANDIDATES, UP_PROFILE, DOWN_PRESCRIPTION, UP_REPORT)) == [
        [DOWN_CANDIDATES, UP_PROFILE],
        [DOWN_PRESCRIPTION, UP_REPORT],
    ]


@pytest.mark.parametrize("name", NAMES)
def test_bytes_of_a_served_phone_are_its_payloads_frames_and_bootstrap(table: Make, name: str) -> None:
    """Closed forms of the spec, against what was really encoded and carried."""
    at = table(*roomy(), methods=NAMES)
    played, method = at.play(name), at.method(name)
    rows = played.rows
    check(rows, played.moved)
    assert counts(rows) == {"served": 40} and not played.errors
    who = scene_of(at.world, 1).chunk(0, np.ones(48, np.bool_))
    sizes = method.spec.sizes(at.world.context(name), who)
    for leg in method.spec.exchange:
        expected = REPORT_BYTES if leg.kind == "report" else int(sizes[leg][0])
        assert (rows[f"{leg.kind}_bytes"] == expected).all(), leg
    ups, downs = (sum(leg.direction == way for leg in method.spec.exchange) for way in ("up", "down"))
    assert (rows["framing_up_bytes"] == ups * OVERHEAD_BYTES).all() and (rows["framing_down_bytes"] == downs * OVERHEAD_BYTES).all()
    boot = sum(len(blob.data) for blob in method.half.bootstrap(method.state))
    assert (rows["bootstrap_bytes"] == boot).all()
    assert (rows["down_bytes"] == sum(rows[part] for part in DOWN_PARTS)).all()
    assert (rows["up_bytes"] == sum(rows[part] for part in UP_PARTS)).all()
    assert (rows["round_trips"] == len(method.spec.exchange) + (boot > 0)).all()
    assert (rows["wasted_bytes"] == 0).all()


def test_a_plan_for_768_channels_is_192_bytes_on_the_wire(table: Make) -> None:
    at = table(*roomy(), "backbone.dim=64", "backbone.ffn_dim=64", methods=("chord", "chord-plus"))
    assert at.world.shapes.channels == 768
    for name in ("chord", "chord-plus"):
        assert (at.play(name).rows["prescription_bytes"] == 192).all()


def test_the_bootstrap_is_charged_once_per_version(table: Make) -> None:
    at = table(*roomy())
    first, second = at.play("fp32", 1), at.play("fp32", 2)
    assert (first.rows["bootstrap_bytes"] > 0).all() and (second.rows["bootstrap_bytes"] == 0).all()
    assert first.moved.charged_bootstrap_bytes == 40 * at.method("fp32").bootstrap_bytes and second.moved.charged_bootstrap_bytes == 0
    assert (second.rows["round_trips"] == first.rows["round_trips"] - 1).all()
    method = at.method("fp32")
    # A new version charges the parts that differ, and no others.
    method.update({name: value * 1 for name, value in method.state.items()}, method.version + 1)
    assert (at.play("fp32", 2).rows["bootstrap_bytes"] == 0).all()
    method.update({**method.state, "item": method.state["item"] * 2}, method.version + 1)
    part = len(method.blobs[method.labels["embeddings"]])
    third = at.play("fp32", 2)
    check(third.rows, third.moved)
    assert (third.rows["bootstrap_bytes"] == part).all() and 0 < part < method.bootstrap_bytes


def test_only_selected_phones_are_charged(table: Make) -> None:
    at = table(*roomy(), "population.selected=10")
    first = at.play("fp32", 1).rows["device_id"]
    rows = at.play("fp32", 2).rows
    new = ~np.isin(rows["device_id"], first)
    assert 0 < new.sum() < 10
    assert ((rows["bootstrap_bytes"] > 0) == new).all()


@pytest.mark.parametrize("name", NAMES)
def test_where_every_link_breaks_everybody_is_dropped_and_parts_reconcile(table: Make, name: str) -> None:
    at = table(*roomy("clock.loss=1.0", "clock.count_report=true"), methods=NAMES)
    for round in (1, 2):
        played = at.play(name, round)
        rows = played.rows
        check(rows, played.moved)
        assert counts(rows) == {"dropped": 40}
        assert ((rows["cut_down_bytes"] > 0) | (rows["cut_up_bytes"] > 0)).all()
        assert (rows["wasted_bytes"] == rows["down_bytes"] + rows["up_bytes"]).all()
        # In the second round a phone may show what the first one left it, but nothing fresh.
        fallback = rows.is_word("served_by", "fallback")
        assert np.array_equal(rows.nulls["rank"], fallback) and not rows.is_word("served_by", "fresh").any()
        assert round == 2 or fallback.all()
    # Whoever lost the bootstrap does not own it and is charged again.
    owns = at.method(name).held == 1
    assert name == "cloud-only" or 0 < owns.sum() < 40


def test_half_the_links_break_and_the_others_are_served_as_if_none_did(table: Make) -> None:
    for name in NAMES:
        counted = "clock.count_report=true"
        calm, rough = (table(*roomy(*more, counted), methods=NAMES).play(name) for more in ((), ("clock.loss=0.5",)))
        check(rough.rows, rough.moved)
        assert set(counts(rough.rows)) == {"dropped", "served"}
        served = rough.rows.is_word("outcome", "served")
        assert np.array_equal(rough.rows["rank"][served], calm.rows["rank"][served])
        assert np.array_equal(rough.rows["up_bytes"][served], calm.rows["up_bytes"][served])


def test_a_deadline_makes_the_slow_ones_late(table: Make) -> None:
    open_end = table(*roomy()).play("chord-plus").rows
    middle = float(np.median(open_end["total_s"]))
    rows = table(*roomy(f"clock.deadline_s={middle}")).play("chord-plus").rows
    late = rows.is_word("outcome", "late")
    assert np.array_equal(late, open_end["total_s"] > middle) and 0 < late.sum() < 40
    assert (rows["wasted_bytes"][late] == (rows["down_bytes"] + rows["up_bytes"])[late]).all()
    assert rows.nulls["rank"][late].all() and not rows.nulls["rank"][~late].any()
    assert np.array_equal(rows["compute_j"], open_end["compute_j"])


def test_who_the_cloud_refuses_costs_no_byte_and_no_second(table: Make) -> None:
    at = table(*roomy("population.tiers.any.memory_mb=0.001"))
    rows = at.play("chord-plus").rows
    assert counts(rows) == {"refused": 40}
    assert rows.is_word("refused_by", "cloud").all() and rows.is_word("binding", "memory").all()
    for column in ("down_bytes", "up_bytes", "bootstrap_bytes", "cut_down_bytes", "round_trips", "total_s", "radio_j", "compute_j", "macs"):
        assert (rows[column] == 0).all(), column
    assert (at.method("chord-plus").held == 0).all()
    assert not rows.nulls["ndcg_10_all"].any()


def test_refusal_after_the_download_is_waste(table: Make) -> None:
    """Where nobody asks before the bootstrap, the phone finds out itself."""
    rows = table(*roomy("population.tiers.any.memory_mb=0.001", 'protocol.admission="after"')).play("fp32").rows
    assert counts(rows) == {"refused": 40} and rows.is_word("refused_by", "device").all()
    assert (rows["wasted_bytes"] == rows["down_bytes"] + rows["up_bytes"]).all() and (rows["wasted_bytes"] > 0).all()
    assert (rows["macs"] == 0).all() and (rows["peak_memory_bytes"] > 1000).all()


def test_latency_binds_too(table: Make) -> None:
    at = table(*roomy("population.tiers.any.latency_ms=0.000001"), methods=("fp32", "chord-plus"))
    for name in ("fp32", "chord-plus"):
        rows = at.play(name).rows
        assert counts(rows) == {"refused": 40} and rows.is_word("binding", "latency").all()


def test_a_phone_between_two_peaks_refuses_the_full_model_and_runs_the_plan(table: Make) -> None:
    probe = table(*roomy(), "backbone.dim=64", "backbone.ffn_dim=64", methods=("fp32", "chord-plus"))
    peaks = {name: int(probe.play(name).rows["peak_memory_bytes"].max()) for name in ("fp32", "chord-plus")}
    assert peaks["chord-plus"] < peaks["fp32"]
    between = (peaks["chord-plus"] + peaks["fp32"]) / 2e6
    at = table(
        *roomy(f"population.tiers.any.memory_mb={between}"),
        "population.spread=0.0",
        "backbone.dim=64",
        "backbone.ffn_dim=64",
        methods=("fp32", "chord-plus"),
    )
    assert counts(at.play("fp32").rows) == {"refused": 40} and counts(at.play("chord-plus").rows) == {"served": 40}


@pytest.mark.parametrize("off_by", [-1, 1, 7])
def test_a_carrier_that_counts_otherwise_breaks_the_round(table: Make, off_by: int) -> None:
    at = table(*roomy())
    at.carrier.off_by = off_by
    played = at.play("chord-plus")
    with pytest.raises(InvariantError, match="but the engine moved"):
        check(played.rows, played.moved)


def test_a_client_that_raises_fails_its_own_cell(table: Make) -> None:
    at = table(*roomy(), "engine.cells=2")

    def damage(call: Any) -> Any:
        if call.cell == 1:
            raise RuntimeError("no more memory")
        return call

    at.carrier.damage = damage
    for name in ("fp32", "chord-plus", "cloud-only"):
        played = at.play(name)
        check(played.rows, played.moved)
        failed = played.rows.is_word("outcome", "failed")
        # 48 padded rows in two cells of whole chunks of 16.
        cell = at.carrier.calls[0].columns["device_id"].size
        assert np.array_equal(failed, np.arange(40) >= cell)
        assert all("no more memory" in error and "cell 1" in error for error in played.errors) and played.errors
        assert (played.rows["wasted_bytes"][failed] == (played.rows["down_bytes"] + played.rows["up_bytes"])[failed]).all()


def test_damaged_messages_fail_their_phone_alone(table: Make) -> None:
    whole = table(*roomy()).play("chord-plus").rows
    at = table(*roomy())

    def damage(call: Any) -> Any:
        if "prescription" not in call.wire or call.cell:
            return call
        rows = list(call.wire["prescription"])
        rows[3] = rows[3][:-1] + bytes([rows[3][-1] ^ 1])
        rows[5] = b""
        return replace(call, wire={"prescription": Ragged.of_rows(rows)})

    at.carrier.damage = damage
    played = at.play("chord-plus")
    check(played.rows, played.moved)
    failed = played.rows.is_word("outcome", "failed")
    assert np.flatnonzero(failed).tolist() == [3, 5]
    assert np.array_equal(played.rows["rank"][~failed], whole["rank"][~failed])


def test_cells_and_the_order_of_replies_do_not_matter(table: Make) -> None:
    for name in ("fp32", "chord-plus", "cloud-only"):
        one, many = table("clock.loss=0.3", "engine.cells=1"), table("clock.loss=0.3", "engine.cells=3")
        many.carrier.backwards = True
        first, second = one.play(name).rows, many.play(name).rows
        assert len(one.carrier.calls) < len(many.carrier.calls)
        assert all(np.array_equal(first[column], second[column]) for column in first.values), name


@pytest.mark.parametrize("size", [1, 7, 40, 64])
def test_the_size_of_chunks_moves_no_byte(table: Make, size: int) -> None:
    for name in ("fp32", "chord-plus", "cloud-only"):
        whole, cut = table(), table(f"engine.chunk_size={size}")
        first, second = whole.play(name).rows, cut.play(name).rows
        for column in first.values:
            if column.endswith("_bytes") or column in ("device_id", "outcome", "binding", "round_trips", "macs", "total_s"):
                assert np.array_equal(first[column], second[column]), (name, column)
        assert np.allclose(first["rank"], second["rank"], atol=1.0)


@pytest.mark.parametrize("ranking", ["all", "sampled-100"])
def test_phones_that_stand_apart_take_turns_together_and_nothing_changes(
    table: Make, monkeypatch: pytest.MonkeyPatch, ranking: str
) -> None:
    chosen = ("clock.loss=0.3", "engine.chunk_size=7", f"protocol.ranking={ranking}", "data.synthetic.items=140")
    methods = ("fp32", "chord-plus", "chord-swapped")
    at, other = table(*chosen, methods=methods), table(*chosen, methods=methods)
    together = [at.play(name).rows for name in methods]
    for half in (PlanCloud, PlanDevice):
        monkeypatch.setattr(half, "apart", False)
    alone = [other.play(name).rows for name in methods]
    for first, second in zip(together, alone, strict=True):
        assert all(np.array_equal(first[column], second[column]) for column in first.values), first.method


def test_a_worker_that_forgot_the_bootstrap_gets_it_again_and_nothing_changes(table: Make) -> None:
    at, other = table(*roomy()), table(*roomy())
    at.play("chord-plus", 1)
    other.play("chord-plus", 1)
    at.carrier.node.blobs.clear()
    first, second = at.play("chord-plus", 2), other.play("chord-plus", 2)
    check(first.rows, first.moved)
    assert all(np.array_equal(first.rows[c], second.rows[c]) for c in first.rows.values)
    assert first.moved == second.moved


def test_worlds_are_shared_not_mixed(table: Make) -> None:
    """Two scenarios on one worker: each keeps its own model."""
    a, b = table(*roomy()), table(*roomy("seed=5"))
    b.carrier.node = a.carrier.node
    alone = table(*roomy()).play("fp32").rows
    a.play("fp32")
    b.play("fp32")
    assert isinstance(a.world, World) and np.array_equal(a.play("fp32").rows["rank"], alone["rank"])
