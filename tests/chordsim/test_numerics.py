"""What decides last bits stands in the manifest; a resume, the cache, compare and the page go by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from chordsim import api
from chordsim.cli import main
from chordsim.config.model import EngineConfig, Scenario, TrainingConfig
from chordsim.errors import UserError
from chordsim.numerics import VARIABLES, here, machine, numerics, softmax_type, words
from chordsim.scenario.load import load
from chordsim.scenario.shipped import shipped
from server.training import cache

Tiny = Callable[..., list[str]]
KEYS = {"training", "softmax", "kernel", "device", "instructions", "threads", "environment"}


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def told(*variables: str, code: str) -> str:
    """Return what a fresh interpreter prints whose environment holds these variables."""
    clean = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    given = clean | dict(v.split("=", 1) for v in variables)
    done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.usefixtures("bare")
def test_numerics_name_types_kernel_instructions_threads_and_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    found = numerics(Scenario(training=TrainingConfig(softmax="bfloat16", threads=3), engine=EngineConfig(kernel="torch")))
    assert set(found) == KEYS and found["softmax"] == "bfloat16" and found["threads"] == 3 and found["environment"] == {}
    assert (found["training"], found["kernel"], found["device"]) == ("float32", "torch", "cpu")
    assert torch.backends.cpu.get_cpu_capability() in found["instructions"]
    for variable in ("MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA"):
        before = here()
        monkeypatch.setenv(variable, "X")
        assert machine()["environment"][variable] == "X" and here() != before
        assert f"{variable}=X" in str(words(numerics(Scenario())))
    assert words(None) is None


def test_the_softmax_is_what_training_multiplies_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for fast in (True, False):
        monkeypatch.setattr("chordsim.numerics.fast_half", lambda fast=fast: fast)
        assert softmax_type(TrainingConfig(softmax="auto")) is (torch.bfloat16 if fast else torch.float32)
        assert softmax_type(TrainingConfig(softmax="float32")) is torch.float32
        assert softmax_type(TrainingConfig(softmax="bfloat16")) is torch.bfloat16


@pytest.mark.parametrize("scenario", [name for name in shipped() if name.startswith("repro-")])
def test_scenarios_of_the_reproduction_do_not_leave_the_type_to_the_processor(scenario: str) -> None:
    assert tomllib.loads(shipped()[scenario].read_text())["training"]["softmax"] == "float32"
    assert load(scenario).training.softmax == "float32"


def test_a_variable_that_torch_obeys_changes_the_instructions() -> None:
    code = "from chordsim.numerics import machine; import json; print(json.dumps(machine()))"
    plain, other = (json.loads(told(*variables, code=code)) for variables in ((), ("ATEN_CPU_CAPABILITY=default",)))
    assert plain["environment"] == {} and other["environment"] == {"ATEN_CPU_CAPABILITY": "default"}
    assert "DEFAULT" in other["instructions"]


@pytest.mark.usefixtures("bare")
def test_models_trained_under_other_numerics_are_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache._surroundings()
    monkeypatch.setenv("MKL_CBWR", "AVX512,STRICT")
    after = cache._surroundings()
    assert before != after and after["environment"] == {"MKL_CBWR": "AVX512,STRICT"}
    monkeypatch.delenv("MKL_CBWR")
    monkeypatch.setattr("chordsim.numerics.instructions", lambda: "another processor")
    assert cache._surroundings() != before


@pytest.mark.usefixtures("bare")
def test_a_resume_under_other_numerics_is_refused_and_runs_differ_in_manifest_page_and_compare(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    one = api.run("offline", overrides=tiny(methods=("popularity",)), out=tmp_path / "one")
    monkeypatch.setenv("MKL_CBWR", "AVX512,STRICT")
    two = api.run("offline", overrides=tiny(methods=("popularity",)), out=tmp_path / "two")
    assert one.manifest["numerics"] != two.manifest["numerics"] and one.manifest["numerics"]["environment"] == {}
    assert "MKL_CBWR=AVX512,STRICT" in (two.path / "report.html").read_text()
    assert main(["compare", str(one.path), str(two.path), "--out", str(tmp_path / "page.html")]) == 0
    said = capfd.readouterr().out
    assert "numerics.environment.MKL_CBWR: – / AVX512,STRICT" in said and "the scenarios are the same" not in said
    manifest = one.path / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"status": "interrupted"}))
    with pytest.raises(UserError, match=r"numerics: environment \{\} then, .*MKL_CBWR.*--allow-drift"):
        api.run(resume=one.path)
    again = api.run(resume=one.path, allow_drift=True)
    assert again.manifest["drift"] == ["numerics"] and again.manifest["ledger_sha256"] is None


def test_nodes_on_other_numerics_cost_the_hash(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clients.app.here", lambda: "another processor")
    run = api.run("offline", overrides=tiny(methods=("popularity",)), out=tmp_path / "run", report=False)
    assert run.status == "complete" and run.manifest["ledger_sha256"] is None
    assert "another processor" in run.manifest["remarks"][-1] and run.summary["engine"]["other_numerics"] == ["another processor"]
