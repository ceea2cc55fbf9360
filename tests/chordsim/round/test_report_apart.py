"""The report is instrumentation: it costs no time, no energy and no round, unless the scenario says that it counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chordsim.ledger.invariants import check
from chordsim.ledger.product import report_crossed
from chordsim.population.clock import RADIO_TAIL_S
from chordsim.round.held import columns_for
from chordsim.wire.frame import OVERHEAD_BYTES
from chordsim.wire.reports import REPORT_BYTES

Make = Callable[..., Any]
NAMES = ("fp32", "chord-plus", "cloud-only")
ROOMY = (
    "population.tiers={any={share=1.0,ram_gb=8.0,gmacs_per_s=5.0,down_mbps=20.0,up_mbps=5.0,round_trip_ms=50.0,"
    "nj_per_mac=0.5,radio_w=1.3,memory_mb=100.0}}"
)
COUNTED = "clock.count_report=true"


@pytest.mark.parametrize("name", NAMES)
def test_what_counts_with_the_report_is_what_counts_without_it_and_the_report(table: Make, name: str) -> None:
    for round in (1, 2):
        apart, counted = (table(ROOMY, "population.spread=0.0", *more) for more in ((), (COUNTED,)))
        for at in (apart, counted):
            [at.play(name, earlier) for earlier in range(1, round)]
        a, c = apart.play(name, round).rows, counted.play(name, round).rows
        assert (a["report_s"] > 0).all() and (a["report_j"] > 0).all()
        for column in ("upload_s", "total_s"):
            assert np.allclose(c[column], a[column] + a["report_s"], rtol=1e-12), column
        assert np.allclose(c["radio_j"], a["radio_j"] + a["report_j"], rtol=1e-12)
        same = set(a.values) - {"upload_s", "total_s", "radio_j"}
        assert all(np.array_equal(a[column], c[column]) for column in same)
        alone = (a["download_s"] + a["upload_s"]) == 0
        # Where nothing else crosses, the report is why the radio is on, its tail included.
        assert np.allclose(a["report_j"], 1.3 * (a["report_s"] + np.where(alone, RADIO_TAIL_S, 0.0)), rtol=1e-9)
        assert alone.all() == (name == "fp32" and round == 2) and (a["radio_j"][alone] == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_phone_whose_report_was_cut_is_served_all_the_same(table: Make, name: str) -> None:
    calm, rough = (table(ROOMY, *more).play(name) for more in ((), ("clock.loss=1.0",)))
    check(rough.rows, rough.moved)
    rows, served = rough.rows, rough.rows.is_word("outcome", "served")
    cut = (rows["cut_up_bytes"] > 0) & (rows["report_bytes"] > 0)
    assert np.array_equal(served, cut) and 0 < served.sum() < 40
    assert rows.is_word("outcome", "dropped")[~cut].all()
    for column in ("rank", "ndcg_10", "macs", "total_s", "compute_j", "radio_j", "down_bytes"):
        assert np.array_equal(rows[column][served], calm.rows[column][served]), column
    crossed = report_crossed(rows["report_bytes"], rows["cut_up_bytes"])
    assert np.array_equal((rows["up_bytes"] - crossed)[served], (calm.rows["up_bytes"] - REPORT_BYTES - OVERHEAD_BYTES)[served])
    assert (crossed[~served] == 0).all()


def test_a_late_report_makes_nobody_late(table: Make) -> None:
    def played(*more: str) -> Any:
        at = table(ROOMY, *more)
        at.play("fp32", 1)
        return at.play("fp32", 2).rows

    fastest_with = float(played(COUNTED)["total_s"].min())
    assert played()["total_s"].max() < fastest_with
    deadline = f"clock.deadline_s={fastest_with * 0.99}"
    assert played(deadline).is_word("outcome", "served").all()
    # The first round, with the download, is too long for that deadline either way.
    assert not played(deadline, COUNTED).is_word("outcome", "served").any()


def test_a_battery_does_not_pay_for_the_report(table: Make) -> None:
    at = table(ROOMY, "population.availability.battery_floor=0.01", 'population.availability.kind="diurnal"', "clock.start_h=12")
    method = at.method("fp32")
    method.remembered = columns_for(at.world.scenario, method.held.size)
    rows = at.play("fp32", 1).rows
    used = method.remembered["used_j"][rows["device_id"]]
    spent = rows["compute_j"] + rows["radio_j"]
    mine = spent > 0
    assert mine.any() and np.allclose(used[mine], spent[mine], rtol=1e-6)


@pytest.mark.parametrize("rank", [0.5, 7.3, 500.0, -3.0])
def test_a_cut_report_is_held_to_the_rules_of_a_whole_one(table: Make, rank: float) -> None:
    """The simulator's columns come from a node too; one that makes no sense fails its phone alone."""
    honest = table(ROOMY, "clock.loss=1.0").play("fp32").rows
    at = table(ROOMY, "clock.loss=1.0")
    carry, liar = at.carrier.exchange, int(honest["device_id"][np.flatnonzero(honest.is_word("outcome", "served"))[0]])

    def exchange(calls: Any) -> Any:
        by_cell = {call.cell: call for call in calls}
        for reply in carry(list(by_cell.values())):
            mine = by_cell[reply.cell].columns["device_id"] == liar
            yield replace(reply, columns={**reply.columns, "rank": np.where(mine, rank, reply.columns["rank"])}) if reply.columns else reply

    at.carrier.exchange = exchange
    played = at.play("fp32")
    check(played.rows, played.moved)
    failed = played.rows.is_word("outcome", "failed")
    assert played.rows["device_id"][failed].tolist() == [liar] and sum(played.quarantined.values()) == 1
    assert np.array_equal(played.rows["rank"][~failed], honest["rank"][~failed])


def test_a_phone_that_refuses_says_so_though_its_report_was_cut(table: Make) -> None:
    tight = ROOMY.replace("memory_mb=100.0", "memory_mb=0.001")
    rows = table(tight, "clock.loss=1.0", 'protocol.admission="after"').play("fp32").rows
    assert set(rows.texts("outcome")) == {"dropped", "refused"}
    assert np.array_equal(rows.is_word("outcome", "refused"), rows["report_bytes"] > 0)
