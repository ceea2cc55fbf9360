"""Tables of measured latency: seconds follow them, tiers with rows of their own as they are, others scaled; wrong tables are one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chordsim.config.model import BackboneConfig, PopulationConfig
from chordsim.errors import DataError
from chordsim.population.generate import Population
from chordsim.population.latency import Latency, ModelSize, read_latency, shape_text

MODEL = ModelSize("sasrec-d64", 2_000_000, 400_000)
TIERS = ("low", "mid", "high")
HEAD = "runtime,shape,bits,ms,load_ms,adapt_ms,overhead_ms,gmacs_per_s,tier"
SCALED = [HEAD, "any,sasrec-d64,2,0.5,1,3,0.1,10,", "any,sasrec-d64,32,0.3,2,0,0.1,10,", "any,caser-d8,2,9,9,9,0,10,"]


def table(tmp_path: Path, lines: list[str]) -> Latency:
    path = tmp_path / "latency.csv"
    path.write_text("\n".join(lines) + "\n")
    return read_latency(str(path), MODEL, TIERS)


def test_a_scaled_row_keeps_its_overhead_and_grows_by_the_speeds(tmp_path: Path) -> None:
    timed = table(tmp_path, SCALED).timed(np.array([0, 0, 2]), TIERS, np.array([1e9, 10e9, 5e9]))
    dense = np.full(3, MODEL.dense_macs)
    assert timed.infer_s(dense, np.full(3, 32.0)) == pytest.approx(np.array([0.1 + 0.2 * 10, 0.3, 0.1 + 0.2 * 2]) / 1e3)
    assert timed.infer_s(dense, np.full(3, 2.0)) == pytest.approx(np.array([0.1 + 0.4 * 10, 0.5, 0.1 + 0.4 * 2]) / 1e3)
    # Between two widths, on the line between them; without weights, by the operations alone.
    assert timed.infer_s(dense, np.full(3, 17.0))[1] == pytest.approx(0.4e-3)
    assert timed.infer_s(dense // 2, np.full(3, np.nan))[1] == pytest.approx(0.2e-3)
    assert timed.infer_s(np.zeros(3, np.int64), np.full(3, np.nan)).tolist() == [0, 0, 0]
    assert timed.speed == pytest.approx(MODEL.dense_macs / timed.infer_s(dense, np.full(3, 32.0)))


def test_no_operation_that_a_plan_prunes_is_time_saved(tmp_path: Path) -> None:
    timed = table(tmp_path, SCALED).timed(np.array([1]), TIERS, np.array([10e9]))
    pruned, dense = np.array([500_000]), np.array([MODEL.dense_macs])
    assert timed.infer_s(pruned, np.array([2.0])) == timed.infer_s(dense, np.array([2.0]))


def test_loading_and_making_weights_come_before_the_first_request(tmp_path: Path) -> None:
    timed = table(tmp_path, SCALED).timed(np.array([1, 1]), TIERS, np.array([10e9, 5e9]))
    macs, shipped, planned = np.full(2, MODEL.dense_macs), np.zeros(2, np.int64), np.full(2, MODEL.adapt_macs)
    none, two = np.zeros(2, np.int64), np.full(2, 2.0)
    assert timed.adapt_s(macs, shipped, none, two) == pytest.approx([1e-3, 2e-3])
    assert timed.adapt_s(macs, planned, none, two) == pytest.approx([4e-3, 8e-3])
    read = timed.adapt_s(macs, planned + 1000, none, two) - timed.adapt_s(macs, planned, none, two)
    assert read == pytest.approx(1000 / timed.speed)
    assert timed.adapt_s(none, none, none, np.full(2, np.nan)).tolist() == [0, 0]


def test_lines_of_shipped_models_do_not_say_that_plans_take_no_time(tmp_path: Path) -> None:
    lines = ["shape,bits,ms,adapt_ms", "sasrec-d64,2,0.5,6", "sasrec-d64,4,0.5,0", "sasrec-d64,6,0.5,8", "sasrec-d64,32,0.5,0"]
    timed = table(tmp_path, lines).timed(np.array([1]), TIERS, np.array([4e9]))
    macs, none = np.array([MODEL.dense_macs]), np.zeros(1, np.int64)
    assert timed.adapt_s(macs, np.array([MODEL.adapt_macs]), none, np.array([4.0])) == pytest.approx(7e-3)
    assert timed.adapt_s(macs, none, none, np.array([4.0])).tolist() == [0]


def test_a_tier_s_own_rows_are_taken_as_they_are(tmp_path: Path) -> None:
    own = table(tmp_path, [*SCALED, "any,sasrec-d64,32,7,1,0,0,,low".replace(",,low", ",1,low")])
    timed = own.timed(np.array([0, 0, 1]), TIERS, np.array([1e9, 99e9, 10e9]))
    assert timed.infer_s(np.full(3, MODEL.dense_macs), np.full(3, 2.0)) == pytest.approx([7e-3, 7e-3, 0.5e-3])
    assert (own.mark("low"), own.mark("mid")) == ("measured", "scaled")


def test_where_two_machines_were_measured_the_error_of_scaling_is_told(tmp_path: Path) -> None:
    # The other machine, 10 GMAC/s: 0.1 ms a call and 0.2 ms of computing. On a phone of 2 GMAC/s that makes 1.1 ms; 2.2 were measured.
    found = table(tmp_path, [*SCALED, "any,sasrec-d64,32,2.2,1,0,0,2,low", "any,sasrec-d64,32,0.55,1,0,0,,mid"])
    assert found.scaled_off("low", 99e9) == pytest.approx(0.5)
    assert found.scaled_off("mid", 4e9) == pytest.approx((0.1 + 0.2 * 2.5) / 0.55)
    assert found.scaled_off("high", 4e9) is None and found.scaled_off("mid", 0.0) is None
    alone = table(tmp_path, [HEAD, *(f"any,sasrec-d64,32,2.2,1,0,0,,{tier}" for tier in TIERS)])
    assert alone.scaled_off("low", 1e9) is None


def test_a_tier_s_seconds_by_table_and_constants_are_told_and_whom_latency_refuses_by_one_alone(tmp_path: Path) -> None:
    low = {"share": 0.5, "memory_mb": 1, "latency_ms": 3, "gmacs_per_s": 0.6}
    hardware = {"ram_gb": 2, "down_mbps": 1, "up_mbps": 1, "round_trip_ms": 1, "nj_per_mac": 1, "radio_w": 1}
    tiers = {"low": {**low, **hardware}, "mid": {**low, **hardware, "latency_ms": 0.85, "gmacs_per_s": 2.5}}
    config = PopulationConfig.model_validate({"latency": str(tmp_path / "latency.csv"), "spread": 0.0, "tiers": tiers})
    table(tmp_path, [*SCALED, "any,sasrec-d64,32,2.2,1,0,0,2,low"])
    (note,) = Population(config, 1, 100, 1_000_000, model=MODEL).notes
    assert note == (
        "seconds on the phone follow latency.csv: low measured, 2.2 ms a request of the full model where operations over speed say 3.33, "
        "so that latency_ms = 3 refuses it by constants and not by the table (scaled from the other machine, 0.50 times what was "
        "measured); mid scaled, 0.9 ms a request of the full model where operations over speed say 0.8, so that latency_ms = 0.85 "
        "refuses it by the table and not by constants"
    )


def test_without_a_stated_speed_the_machine_s_is_what_it_made_of_this_model(tmp_path: Path) -> None:
    found = table(tmp_path, ["shape,bits,ms", "sasrec-d64,8,0.4", "sasrec-d64,32,0.5"])
    timed = found.timed(np.array([0]), TIERS, np.array([2e9]))
    assert timed.infer_s(np.array([MODEL.dense_macs]), np.array([32.0])) == pytest.approx(MODEL.dense_macs / 2e9)
    assert timed.infer_s(np.array([MODEL.dense_macs]), np.array([8.0])) == pytest.approx(0.8 * MODEL.dense_macs / 2e9)


def test_phones_take_and_grant_what_the_table_says(tmp_path: Path) -> None:
    path = tmp_path / "latency.csv"
    path.write_text("\n".join(SCALED) + "\n")
    config = PopulationConfig.model_validate({"latency": str(path), "devices": 200})
    timed, plain = (Population(config, 1, 200, 10**6, model=model).profiles(np.arange(200)) for model in (MODEL, None))
    assert np.array_equal(timed.macs_per_s, plain.macs_per_s) and timed.timed is not None and plain.timed is None
    dense = np.full(200, MODEL.dense_macs)
    assert dense / timed.budgets.macs_per_s == pytest.approx(timed.infer_s(dense, np.full(200, 32.0)))
    assert plain.infer_s(dense, np.full(200, 2.0)) == pytest.approx(dense / plain.macs_per_s)
    assert plain.adapt_s(dense, dense, dense, np.full(200, 2.0)) == pytest.approx(2 * dense / plain.macs_per_s)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["shape,bits", "sasrec-d64,2"], "no column 'ms'"),
        (["shape,bits,ms", "other,2,1"], "no row of shape 'sasrec-d64'"),
        (["shape,bits,ms", "sasrec-d64,2,fast"], "line 2: ms is 'fast', not a number"),
        (["shape,bits,ms", "sasrec-d64,2,1", "sasrec-d64,2,2"], "line 3: a second row of 2 bits"),
        (["shape,bits,ms,overhead_ms", "sasrec-d64,2,1,1"], "line 2: overhead_ms is not below ms"),
        (["shape,bits,ms,tier", "sasrec-d64,2,1,huge"], "line 2: tier is 'huge': the scenario has low, mid, high"),
        (["shape,bits,ms,tier", "sasrec-d64,2,1,low"], "for tier 'mid', and none without a tier"),
    ],
)
def test_a_wrong_table_is_one_line(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(DataError) as told:
        table(tmp_path, lines)
    assert words in str(told.value) and "\n" not in str(told.value)


def test_shapes_tell_models_apart() -> None:
    shapes = {
        shape_text(BackboneConfig.model_validate(config), items)
        for config in ({}, {"dim": 32}, {"ffn_dim": 128}, {"kind": "caser"}, {"kind": "caser", "window": 3}, {"kind": "gru4rec"})
        for items in (100, 200)
    }
    assert len(shapes) == 12
