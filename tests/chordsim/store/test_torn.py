"""Every file of a run directory torn at every byte of its last write, and emptied: what is not whole is recovered or played again."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chordsim.api import RunResult, run
from chordsim.errors import ChordsimError, RunError, UserError
from chordsim.files import read_json
from chordsim.ledger.parquet import read_rows
from chordsim.progress import Silent
from chordsim.store import checkpoint, torn
from chordsim.store.directory import RunDirectory
from chordsim.store.verify import verify
from tests.cut_off import Cut, CutAfter

METHODS = ("fp32", "popularity")
ROUNDS = 4


@pytest.fixture(scope="module")
def made(tiny_overrides: Callable[..., list[str]], shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return an unbroken run, and one that was killed in its third round: nothing said how it ended."""
    folder = tmp_path_factory.mktemp("torn")
    overrides = tiny_overrides(f"rounds.count={ROUNDS}", "clock.loss=0.2", "engine.workers=1", methods=METHODS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_CACHE", str(shared_cache))
        run("offline", overrides=overrides, out=folder / "whole", report=False)
        patch.setattr("server.rounds._told", lambda store, new: store)
        with pytest.raises(Cut):
            run("offline", overrides=overrides, out=folder / "cut", progress=CutAfter(5))
    assert read_json(folder / "cut" / "manifest.json")["status"] == "running"
    return folder / "whole", folder / "cut"


def files_of(folder: Path) -> list[str]:
    """Return the files that a run goes on from, or that its readers take figures from."""
    names = (p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if p.is_file())
    return [name for name in names if name not in (".lock", "report.html")]


def tears(folder: Path, name: str, every: int = 1) -> Iterator[int]:
    """Tear a file at every byte of its last write, or every so many and all near its ends, and empty it; put it right at the end."""
    path = folder / name
    data = path.read_bytes()
    last = data.rfind(b"\n2,popularity") + 1 if name == "rounds.csv" else 0  # its last write is appended
    first = max(last, 1)
    for length in (0, *(n for n in range(first, len(data)) if n < first + 3 or n + 64 > len(data) or n % every == 0)):
        path.write_bytes(data[:length])
        yield length
    path.write_bytes(data)


def resumed(folder: Path, whole: Path) -> None:
    """Assert that a run goes on to be the unbroken one."""
    done, want = run(resume=folder, report=False), RunResult(whole)
    assert done.manifest["status"] == "complete" and done.manifest["ledger_sha256"] == want.manifest["ledger_sha256"]
    assert (folder / "rounds.csv").read_bytes() == (whole / "rounds.csv").read_bytes()
    assert done.summary["methods"] == want.summary["methods"] and done.devices.equals(want.devices)
    assert files_of(folder) == files_of(whole)


def newest(folder: Path) -> int:
    return next((point.round for point in checkpoint.newest_first(folder)), 0)


@pytest.mark.parametrize("every", [16, pytest.param(1, marks=pytest.mark.slow)])
def test_what_was_torn_is_found_at_every_byte(made: tuple[Path, Path], tmp_path: Path, every: int) -> None:
    """Scenario and manifest are recovered or known to be torn; whatever else is torn is not taken for whole."""
    folder = Path(shutil.copytree(made[1], tmp_path / "cut"))
    scenario, manifest = ((folder / name).read_bytes() for name in ("scenario.toml", "manifest.json"))
    for _ in tears(folder, "scenario.toml", 400):
        assert torn.scenario_file(folder).read_bytes() == scenario
    for length in tears(folder, "manifest.json", every):
        assert torn.manifest_of(folder) == {} or length == len(manifest) - 1
    for length in tears(folder, "rounds.csv"):
        with RunDirectory.reopen(folder):
            assert (folder / "rounds.csv").exists() == (length > 0)
            assert torn.has_lines(folder, METHODS, 1) == (length > 0) and not torn.has_lines(folder, METHODS, 2)
    for name in ("checkpoint/round-00002.json", "checkpoint/round-00002.safetensors"):
        assert newest(folder) == 2
        for _ in tears(folder, name, every if name.endswith("json") else 4 * every):
            assert newest(folder) == 1
    path = folder / "ledger" / "popularity.round-00002.parquet"
    for _ in tears(folder, "ledger/popularity.round-00002.parquet", 64):
        with pytest.raises(RunError):
            read_rows(path)
    for other in set(files_of(folder)) - {"rounds.csv"}:
        assert (folder / other).read_bytes() == (made[1] / other).read_bytes()


def test_a_whole_run_of_which_a_byte_is_missing_is_no_whole_run(made: tuple[Path, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made[0], tmp_path / "whole"))
    assert not torn.lacking(folder)
    for name in (name for name in files_of(folder) if not name.startswith("checkpoint")):
        for length in tears(folder, name, 4096):
            if length < 2 or length + 2 > (made[0] / name).stat().st_size or length % 16 == 0:
                assert torn.lacking(folder), (name, length)


@pytest.mark.parametrize(
    "part", ["ledger", "ledger/fp32.round-00003.parquet", "rounds.csv", "summary.json", "devices.parquet", "scenario.toml"]
)
def test_without_checksums_what_is_gone_is_named_all_the_same(made: tuple[Path, Path], tmp_path: Path, part: str) -> None:
    folder = Path(shutil.copytree(made[0], tmp_path / "whole"))
    (folder / "SHA256SUMS").unlink()
    assert not torn.lacking(folder) and verify(folder).doubts
    taken = [folder / part] if (folder / part).is_file() else sorted((folder / part).iterdir())
    for path in taken:
        path.unlink()
    assert taken[0].name in torn.lacking(folder)
    with pytest.raises(RunError, match=taken[0].name):
        verify(folder)


def test_rows_that_nothing_but_the_manifest_tells_of_are_missed(made: tuple[Path, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made[0], tmp_path / "whole"))
    shutil.rmtree(folder / "ledger")
    for name in ("SHA256SUMS", "rounds.csv"):
        (folder / name).unlink()
    assert "ledger/ is empty, and its manifest names a ledger" in torn.lacking(folder)


class Said(Silent):
    """Progress that keeps how tasks ended."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def done(self, note: str = "") -> None:
        self.notes.append(note)


def test_a_complete_run_whose_rows_and_checksums_are_gone_is_played_again_and_says_why(
    made: tuple[Path, Path], tmp_path: Path, tiny: object
) -> None:
    folder = Path(shutil.copytree(made[0], tmp_path / "whole"))
    shutil.rmtree(folder / "ledger")
    (folder / "SHA256SUMS").unlink()
    said = Said()
    done = run(resume=folder, report=False, progress=said)
    assert any("was complete" in note and "fp32.round-00001.parquet: is gone" in note for note in said.notes)
    assert done.manifest["ledger_sha256"] == RunResult(made[0]).manifest["ledger_sha256"] and not torn.lacking(folder)


def tear(folder: Path, name: str, draw: random.Random) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: draw.choice((0, draw.randrange(1, len(data)), len(data) - 1))])


def test_a_torn_first_append_is_played_again(made: tuple[Path, Path], tmp_path: Path, tiny: object) -> None:
    """Of the very first write to rounds.csv only the beginning of its head came to the disk."""
    folder = Path(shutil.copytree(made[1], tmp_path / "cut"))
    (folder / "rounds.csv").write_bytes((folder / "rounds.csv").read_bytes()[:7])
    resumed(folder, made[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rounds.csv", "manifest.json", "scenario.toml"])
def test_what_was_torn_does_not_show_after_a_resume(made: tuple[Path, Path], tmp_path: Path, name: str, tiny: object) -> None:
    folder = Path(shutil.copytree(made[1], tmp_path / "cut"))
    (folder / name).write_bytes(b"")
    resumed(folder, made[0])


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1], ids=["whole", "cut"])
def test_every_file_torn_and_resumed(made: tuple[Path, Path], tmp_path: Path, which: int, tiny: object) -> None:
    draw = random.Random(which)
    for name in files_of(made[which]):
        for _ in range(4):
            folder = Path(shutil.copytree(made[which], tmp_path / "run"))
            tear(folder, name, draw)
            try:
                resumed(folder, made[0])
            except ChordsimError as error:  # a scenario is put right from its copy; only what a whole run needs for nothing may stay torn
                assert "complete: there is nothing to resume" in str(error) and not torn.lacking(folder), name
                assert name.startswith("checkpoint") or (folder / name).read_bytes() == (made[which] / name).read_bytes(), name
            shutil.rmtree(folder)


def test_a_folder_in_which_a_run_was_killed_before_it_wrote_is_as_good_as_new(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "run", name="x", seed=1).close()
    (tmp_path / "run" / ".scenario.toml.77.part").write_bytes(b"half")
    (tmp_path / "run" / "scenario.toml").write_bytes(b"half")
    torn.keep_scenario(tmp_path / "run", b"whole")
    RunDirectory.create(tmp_path / "run", name="x", seed=1).close()
    (tmp_path / "run" / "ledger" / "somebody.parquet").write_bytes(b"rows")
    with pytest.raises(UserError, match="holds an earlier run"):
        RunDirectory.create(tmp_path / "run", name="x", seed=1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "scenario.toml").write_bytes(b"mine")
    with pytest.raises(UserError, match="holds an earlier run"):
        RunDirectory.create(tmp_path / "mine", name="x", seed=1)
