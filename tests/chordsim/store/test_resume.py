"""A run that was cut off and resumed has the ledger of an unbroken one, whatever was left half-done."""

import json
import shutil

import pandas as pd
import pytest

from chordsim.api import run
from chordsim.errors import UserError
from tests.cut_off import Cut, CutAfter

METHODS = ("fp32", "chord-plus", "cloud-only")
ROUNDS = 4


@pytest.fixture
def scenario(tiny):
    long = ("settings.chord-plus.reads=[30,8]", "settings.chord-plus.user_input=true")
    return tiny(f"rounds.count={ROUNDS}", "clock.loss=0.2", "engine.workers=1", *long, methods=METHODS)


_WHOLE = {}


@pytest.fixture
def whole(scenario, tmp_path_factory):
    """Return the unbroken run; made once."""
    if "run" not in _WHOLE:
        _WHOLE["run"] = run("offline", overrides=scenario, out=tmp_path_factory.mktemp("whole") / "run")
    return _WHOLE["run"]


@pytest.fixture
def cut(scenario, tmp_path):
    """Return a maker of runs that were cut off after so many plays."""

    def make(plays):
        with pytest.raises(Cut):
            run("offline", overrides=scenario, out=tmp_path / "cut", progress=CutAfter(plays))
        return tmp_path / "cut"

    return make


def assert_same(got, want):
    assert want.manifest["ledger_sha256"]
    assert (got.manifest["status"], got.manifest["ledger_sha256"]) == ("complete", want.manifest["ledger_sha256"])
    pd.testing.assert_frame_equal(got.rounds, want.rounds)
    pd.testing.assert_frame_equal(got.devices, want.devices)
    assert got.summary["methods"] == want.summary["methods"]
    names = [sorted(p.relative_to(r.path).as_posix() for p in r.path.rglob("*") if p.is_file()) for r in (got, want)]
    assert names[0] == names[1]


@pytest.mark.parametrize("plays", [0, 6, 11, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 5, 7))])
def test_a_resumed_ledger_equals_an_unbroken_one(plays, cut, whole):
    assert whole.ledger.outcome.eq("dropped").any(), "loss must be on, or nothing hard was tried"
    assert_same(run(resume=cut(plays)), whole)


def test_a_run_may_be_cut_many_times(cut, whole):
    folder = cut(2)
    for plays in (1, 3, 2, 4):
        with pytest.raises(Cut):
            run(resume=folder, progress=CutAfter(plays))
    assert_same(run(resume=folder), whole)


HARD = (
    "rounds.count=4",
    "clock.loss=0.3",
    "engine.workers=1",
    'population.availability.kind="diurnal"',
    "rounds.new_model_every=2",
    "population.availability.battery_floor=0.2",
)


def test_learnt_states_batteries_and_old_plans_are_resumed_too(tiny, tmp_path):
    overrides = tiny(*HARD, methods=("chord-plus", "fedavg", "dccl", "cloud-only"))
    whole = run("offline", overrides=overrides, out=tmp_path / "whole")
    assert {"served", "dropped", "offline"} <= set(whole.ledger.outcome.astype(str))
    assert "stale" in set(whole.ledger.served_by.astype(str))
    with pytest.raises(Cut):
        run("offline", overrides=overrides, out=tmp_path / "cut", progress=CutAfter(11))
    assert_same(run(resume=tmp_path / "cut"), whole)


def harm_half_parquet(folder):
    path = folder / "ledger" / "fp32.round-00002.parquet"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def harm_flipped_parquet(folder):
    path = folder / "ledger" / "chord-plus.round-00003.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 4
    path.write_bytes(data)


def harm_missing_parquet(folder):
    (folder / "ledger" / "cloud-only.round-00003.parquet").unlink()


def harm_newest_checkpoint(folder):
    newest = max((folder / "checkpoint").glob("*.safetensors"))
    data = bytearray(newest.read_bytes())
    data[-1] ^= 1
    newest.write_bytes(data)


def harm_checkpoint_notes(folder):
    max((folder / "checkpoint").glob("*.json")).write_bytes(b'{"round": 3')


def harm_every_checkpoint(folder):
    shutil.rmtree(folder / "checkpoint")


def harm_leftovers(folder):
    (folder / "ledger" / ".fp32.round-00004.parquet.1.part").write_bytes(b"PAR1 half")
    with open(folder / "rounds.csv", "a") as file:
        file.write("4,fp32,1")


@pytest.mark.parametrize("harm", [f for name, f in sorted(globals().items()) if name.startswith("harm_")])
def test_damage_is_found_and_redone(harm, cut, whole):
    folder = cut(10)
    harm(folder)
    assert_same(run(resume=folder), whole)


def edit_manifest(folder, change):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_other_versions_are_refused_unless_drift_is_allowed(cut):
    folder = cut(5)
    edit_manifest(folder, lambda m: m["versions"].update(torch="1.0.0"))
    with pytest.raises(UserError, match=r"versions: torch 1\.0\.0 then, 2.* now.*--allow-drift"):
        run(resume=folder)
    done = run(resume=folder, allow_drift=True)
    assert done.manifest["status"] == "complete"
    assert done.manifest["drift"] == ["versions"]
    assert done.manifest["ledger_sha256"] is None, "a run under two versions claims no hash"


def test_another_instruction_set_is_refused(cut):
    folder = cut(5)
    edit_manifest(folder, lambda m: m.update(instruction_set="NEON"))
    with pytest.raises(UserError, match="instruction_set: NEON then"):
        run(resume=folder)


def test_another_scenario_is_refused_even_with_drift(cut):
    folder = cut(5)
    path = folder / "scenario.toml"
    path.write_text(path.read_text().replace("loss = 0.2", "loss = 0.3"))
    for allow in (False, True):
        with pytest.raises(UserError, match="cannot resume: ledger_key"):
            run(resume=folder, allow_drift=allow)


def test_a_complete_run_is_refused(whole):
    before = (whole.path / "manifest.json").read_bytes()
    with pytest.raises(UserError, match="complete: there is nothing to resume"):
        run(resume=whole.path)
    assert (whole.path / "manifest.json").read_bytes() == before


def test_nothing_to_resume(tmp_path):
    with pytest.raises(UserError, match="not a run directory"):
        run(resume=tmp_path)
    with pytest.raises(UserError, match="leave out"):
        run(resume=tmp_path, seed=3)
