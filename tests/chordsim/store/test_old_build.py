"""A run directory that the build before wrote is refused by everything that reads runs, in one line that says why.

It is kept in `old_build`, its ledger as text; the tests put it back into Parquet as it was written.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chordsim import api
from chordsim.cli import main
from chordsim.files import read_json
from chordsim.kernels.choose import as_played
from chordsim.ledger.names import DEVICES, ROUNDS, SCENARIO, SUMMARY
from chordsim.scenario.text import digest
from chordsim.sweep.points import points
from chordsim.sweep.sweep import finished

KEPT = Path(__file__).parent / "old_build"
WHY = "count the simulator's own report"


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    run = Path(shutil.copytree(KEPT, tmp_path / "old"))
    (run / "ledger").mkdir()
    table = pa.Table.from_pandas(pd.read_csv(run / "fp32.round-00001.csv"), preserve_index=False)
    told = {
        "schema_version": "1",
        "method": "fp32",
        "round": "1",
        "rows_digest": "ee31553f091a47c97c34b62865b3184ceb2a6ec709f2c2e669fffd3a675184e6",
    }
    meta = {f"chordsim.{name}": value for name, value in told.items()}
    pq.write_table(table.replace_schema_metadata(meta), run / "ledger" / "fp32.round-00001.parquet")
    (run / "fp32.round-00001.csv").unlink()
    return run


@pytest.mark.parametrize(
    "words",
    [
        "report old",
        "report old --out page.html",
        "report old --table markdown",
        "report old --table latex",
        "report old --table recbole",
        "compare old old",
        "recost old --set clock.deadline_s=1.0",
        "run --resume old",
        "run --resume old --allow-drift",
    ],
)
def test_it_is_refused_in_one_line_and_nothing_is_written(words: str, old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = read_json(old / "manifest.json")
    assert manifest["schema_version"] == 1 and manifest["status"] == "complete"
    if "--resume" in words:
        (old / "manifest.json").write_text(json.dumps(manifest | {"status": "interrupted"}))
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert main(words.split()) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(("carrier", "kernel"))]
    assert len(said) == 1 and "schema 1: this program reads 2" in said[0] and WHY in said[0] and "--allow-drift" not in said[0]
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file() and path.name != ".lock"} == before


def test_its_ledger_alone_is_refused_too(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A manifest that was written over hides nothing."""
    manifest = read_json(old / "manifest.json")
    (old / "manifest.json").write_text(json.dumps(manifest | {"schema_version": 2}))
    for words in ("report old", "compare old old", "recost old --set clock.deadline_s=1.0"):
        assert main(words.split()) == 1
        assert f"ledger schema 1: this program reads 2: its seconds and joules {WHY}" in capsys.readouterr().err


def test_its_scenario_runs_anew_with_what_counted_then(old: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the line says: who was served, bytes, seconds and joules are those that were written then."""
    monkeypatch.setenv("CHORDSIM_CACHE", str(shared_cache))
    then = pd.read_csv(KEPT / "fp32.round-00001.csv").set_index("device_id")
    as_then = ["clock.count_report=true", 'protocol.admission="after"']
    now = api.run(old / "scenario.toml", overrides=as_then, out=old.parent / "new", report=False).ledger.set_index("device_id")
    assert len(then) == len(now) == 16 and {"served", "refused"} <= set(then.outcome)
    for word in ("outcome", "refused_by", "served_by"):
        assert now[word].astype(str).to_dict() == then[word].astype(str).to_dict()
    for name in ("bootstrap_bytes", "down_bytes", "up_bytes", "wasted_bytes", "total_s", "upload_s", "compute_j", "radio_j"):
        assert now[name].to_dict() == pytest.approx(then[name].to_dict(), rel=1e-9)


def test_a_sweep_runs_such_a_point_anew(tmp_path: Path) -> None:
    (point,) = points("offline", [], [], None, 1)
    run = tmp_path / "points" / point.name
    run.mkdir(parents=True)
    for name in (SCENARIO, DEVICES, ROUNDS, SUMMARY):
        (run / name).touch()
    for schema in (1, 2):
        told = {"status": "complete", "schema_version": schema, "scenario_sha256": digest(as_played(point.scenario))}
        (run / "manifest.json").write_text(json.dumps(told))
        assert finished(tmp_path, point) == (schema == 2)
