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
    # torch 2.13 calls it DEFAULT, torch 2.8 NO AVX.
    assert {"torch DEFAULT", "torch NO AVX"} & set(other["instructions"].split(", "))


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


@pytest.mark.slow
def test_repro_ml_100k_on_two_numerics(real_data: Path, tmp_path: Path) -> None:
    """Real processes, one of which has a variable that MKL obeys, and a run that was killed."""
    few = ['methods=["fp32"]', "training.max_steps=20", "training.eval_every=20", "training.average_steps=0", "rounds.count=2"]
    sets = [word for text in few for word in ("--set", text)]

    def chordsim(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if key not in VARIABLES}
        kept = {"CHORDSIM_DATA": str(real_data), "CHORDSIM_CACHE": str(tmp_path / "cache")}
        command = [sys.executable, "-c", "import sys; from chordsim.cli import main; sys.exit(main())", "run", *words]
        return subprocess.run(command, env=clean | kept | variables, capture_output=True, text=True, timeout=500)

    folders = {name: tmp_path / name for name in ("plain", "strict")}
    for name, variables in (("plain", {}), ("strict", {"MKL_CBWR": "AVX512,STRICT"})):
        done = chordsim("repro-ml-100k", *sets, "--out", str(folders[name]), **variables)
        assert done.returncode == 0, done.stderr
    manifests = {name: json.loads((folder / "manifest.json").read_text()) for name, folder in folders.items()}
    assert manifests["plain"]["numerics"] != manifests["strict"]["numerics"]
    assert manifests["strict"]["numerics"]["environment"] == {"MKL_CBWR": "AVX512,STRICT"}
    assert not any(manifest["cloud_models"]["fp32"] for manifest in manifests.values()), "the second one trained anew"
    cut = folders["plain"] / "manifest.json"
    cut.write_text(json.dumps(manifests["plain"] | {"status": "interrupted"}))
    done = chordsim("--resume", str(folders["plain"]), MKL_CBWR="AVX512,STRICT")
    said = done.stderr.splitlines()[-1]
    assert done.returncode == 2 and "cannot resume: numerics: environment {} then" in said and "MKL_CBWR" in said
    assert chordsim("--resume", str(folders["plain"])).returncode == 0
