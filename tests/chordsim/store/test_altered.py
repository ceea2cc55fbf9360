"""A run directory that was altered after its run: no reader shows another figure in silence, and `chordsim verify` names the file."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chordsim.api import RunResult
from chordsim.cli import main
from chordsim.compare.compare import compare
from chordsim.errors import ChordsimError, RunError
from chordsim.ledger import checksums
from chordsim.recost.again import recost
from chordsim.report import page
from chordsim.report.export import table
from chordsim.store.verify import verify

FLIPS = 120


@pytest.fixture
def run(played_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(played_run, tmp_path / "run"))


def flipped(path: Path, draw: random.Random) -> bytes:
    """Flip one bit of a file; return what it held."""
    data = bytearray(before := path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)
    return before


def shown(run: Path) -> list[object]:
    """Return what readers say of a run, as far as they say anything."""
    found: list[object] = []
    result = RunResult(run)
    readers = (
        lambda: table(run, "markdown"),
        lambda: table(run, "recbole"),
        lambda: result.ledger.to_csv(),
        lambda: (result.rounds.to_csv(), result.devices.to_csv()),
        lambda: (result.summary, result.manifest),
        lambda: verify(run),
    )
    for read in readers:
        try:
            found.append(read())
        except ChordsimError as error:
            assert "\n" not in str(error)
            found.append(None)
    return found


def test_of_120_flipped_bits_none_changes_a_figure_in_silence(run: Path) -> None:
    whole, draw = shown(run), random.Random(26)
    files = sorted(p for p in run.rglob("*") if p.is_file() and p.parent.name != "checkpoint" and p.name not in (".lock", page.FILE))
    assert None not in whole and len(files) > 15
    for number in range(FLIPS):
        path = files[number % len(files)]
        before = flipped(path, draw)
        found = shown(run)
        path.write_bytes(before)
        assert all(now in (None, then) for now, then in zip(found, whole, strict=True)), path
        assert found[0] is None and found[2] is None and found[-1] is None, path


def test_every_reader_refuses_an_altered_ledger_and_names_it(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = run / "ledger" / "fp32.round-00001.parquet"
    rows = pq.read_table(path)
    better = rows.set_column(rows.column_names.index("ndcg_10_all"), rows.schema.field("ndcg_10_all"), pa.array([1.0] * len(rows)))
    pq.write_table(better, path)
    readers = (
        lambda: page.write(run, tmp_path / "page.html"),
        lambda: page.figures(run),
        lambda: table(run, "latex"),
        lambda: compare([run, run]),
        lambda: recost(run, ['population.era="2025"']),
        lambda: RunResult(run).ledger,
        lambda: verify(run),
    )
    for read in readers:
        with pytest.raises(RunError, match=r"fp32\.round-00001\.parquet: does not match SHA256SUMS: it was damaged or edited"):
            read()
    assert main(["verify", str(run)]) == 1 and main(["report", str(run)]) == 1
    assert capfd.readouterr().err.count("does not match SHA256SUMS") == 2
    assert main(["report", str(run), "--unchecked"]) == 0
    assert checksums.UNCHECKED.doubt in (run / page.FILE).read_text()


def test_a_run_without_checksums_is_held_against_its_digests_and_its_page_says_so(run: Path) -> None:
    (run / checksums.FILE).unlink()
    assert "This run has no SHA256SUMS" in page.write(run).read_text()
    assert "no SHA256SUMS" in table(run, "markdown") and verify(run).doubts
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "ledger_sha256": "0" * 64}))
    with pytest.raises(RunError, match="its ledger is not the one that its manifest names"):
        table(run, "markdown")
    path = run / "ledger" / "fp32.round-00002.parquet"
    path.write_bytes(path.read_bytes()[:-9])  # a flipped bit may hit what no reader of Parquet reads
    with pytest.raises(RunError, match=r"fp32\.round-00002\.parquet"):
        page.write(run)


def test_files_that_came_or_went_are_named(run: Path) -> None:
    shutil.copy(run / "ledger" / "fp32.round-00001.parquet", run / "ledger" / "fp32.round-00009.parquet")
    with pytest.raises(RunError, match=r"fp32\.round-00009\.parquet: is not listed in SHA256SUMS"):
        RunResult(run).ledger  # noqa: B018
    (run / "ledger" / "fp32.round-00009.parquet").unlink()
    (run / "devices.parquet").unlink()
    assert "missing here with all that it told: devices.parquet." in table(run, "markdown")
    with pytest.raises(RunError, match=r"devices\.parquet: is gone"):
        verify(run)


def test_a_whole_run_verifies_and_anybody_can_check_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hash_of_ledger = RunResult(run).manifest["ledger_sha256"]
    assert main(["verify", str(run)]) == 0
    assert capsys.readouterr().out.strip().endswith(f"match; ledger {hash_of_ledger}")
    done = subprocess.run(["sha256sum", "--check", "--strict", "--quiet", checksums.FILE], cwd=run, check=False)
    assert done.returncode == 0
    assert "files of the run matched their checksums" in page.write(run).read_text()


def test_no_run_is_no_run(tmp_path: Path) -> None:
    assert main(["verify", str(tmp_path)]) == 2
