"""Measured latency: a table that scenarios read, made in the runtime; a run's seconds follow it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import chordsim
from chordsim.cli import main
from chordsim.ledger.parquet import read_ledger
from chordsim.runtime import extras
from chordsim.runtime.from_run import Source
from chordsim.runtime.measuring import Line, as_csv
from tests.chordsim.runtime.small import SMALL

Read = Callable[[str], Source]
LINE = Line("onnx 1", "fp32", "whole", "made", 32.0, 0.2, 0.3, 0.4, 5.0, 0.0, 0.1, 0.5, 20.0, "a machine")


def test_models_of_the_same_bits_are_not_both_in_the_table() -> None:
    other = Line(**{**LINE.__dict__, "method": "uniform-32"})
    text, dropped = as_csv([LINE, other, Line(**{**LINE.__dict__, "bits": 8.0, "method": "int8"})])
    assert [row["method"] for row in csv.DictReader(text.splitlines())] == ["fp32", "int8"]
    assert dropped == ["uniform-32: as many bits as fp32, so its line is not in the table"]


def test_a_run_s_seconds_follow_a_table(run: Path, source: Read, tmp_path: Path) -> None:
    told = source("fp32")
    model = told.world.population.model
    assert model is not None
    path = tmp_path / "latency.csv"
    path.write_text(
        f"shape,bits,ms,load_ms,tier\n{model.shape},2,7,3,low\n{model.shape},32,5,2,low\n{model.shape},2,1,1,\n{model.shape},32,1,1,\n"
    )
    again = chordsim.run("offline", overrides=[*SMALL, f'population.latency="{path}"'], out=tmp_path / "run", report=False)
    frame, before = read_ledger(again.path), read_ledger(run)
    low = frame[(frame.tier == "low") & (frame.served_by == "fresh") & (frame.outcome == "served")]
    shipped = low[low.method == "fp32"]
    assert len(shipped) and np.allclose(shipped.infer_s, 5e-3) and np.allclose(shipped.adapt_s, 2e-3)
    assert np.allclose(low[low.method == "uniform-2"].infer_s, 7e-3)
    assert any("seconds on the phone follow latency.csv: low measured" in line for line in again.manifest["remarks"])
    same = ["method", "round", "device_id", "down_bytes", "up_bytes", "macs"]
    both = frame.merge(before, on=["method", "round", "device_id"], suffixes=("", "_before"))
    ran = (both.outcome == "served") & (both.outcome_before == "served")
    assert all((both.loc[ran, name] == both.loc[ran, f"{name}_before"]).all() for name in same[3:])


def test_measure_writes_a_table_that_a_scenario_reads(run: Path, tmp_path: Path) -> None:
    if extras.missing("onnx"):
        pytest.skip(f"needs chordsim[onnx]: {', '.join(extras.missing('onnx'))} not installed")
    path = tmp_path / "latency.csv"
    asked = ["--method", "fp32", "--method", "chord-plus", "--requests", "20"]
    assert main(["measure", str(run), "--to", "onnx", "--out", str(path), *asked]) == 0
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["method"] for row in rows] == ["fp32", "chord-plus"]
    assert all(float(row[name]) > 0 for row in rows for name in ("ms", "cold_ms", "load_ms", "mb", "gmacs_per_s", "overhead_ms"))
    assert main(["recost", str(run), "--set", f'population.latency="{path}"']) == 0


def test_without_a_runtime_measure_says_what_to_install(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    assert main(["measure", str(run), "--to", "onnx", "--out", str(tmp_path / "latency.csv")]) == 2
    assert "pip install 'chordsim[onnx]'" in capfd.readouterr().err
