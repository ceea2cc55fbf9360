"""Streams that are closed, full or of another encoding: the right exit code, no bug, and a run that goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import chordsim
from chordsim.api import RunResult
from chordsim.errors import UserError
from chordsim.streams import forgiving

CLI = f"{sys.executable} -c 'import sys; from chordsim.cli import main; sys.exit(main(sys.argv[1:]))'"


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    told = {**os.environ, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", **environment}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], env=told, capture_output=True, timeout=120, stdin=subprocess.DEVNULL
    )


def at_fault(done: subprocess.CompletedProcess[bytes]) -> bool:
    said = done.stdout + done.stderr
    return any(word in said for word in (b"Traceback", b"a bug", b"Exception ignored", b"lost sys.std"))


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (f"{CLI} scenarios | head -c 1", 0),
        (f"{CLI} scenarios 1>&-", 0),
        (f"{CLI} scenarios show nowhere 2>&-", 2),
        (f"{CLI} scenarios >/dev/full", 1),
        (f"{CLI} scenarios show nowhere 2>/dev/full", 2),
    ],
)
def test_a_stream_that_takes_nothing(command: str, code: int) -> None:
    done = shell(command)
    assert done.returncode == code and not at_fault(done), done


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_stream_of_another_encoding(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('question = "Größer → besser ± 1?"\nmethods = ["fp32"]\n', encoding="utf-8")
    done = shell(f"{CLI} scenarios show {path}; {CLI} scenarios", LC_ALL="C", PYTHONIOENCODING=encoding)
    assert done.returncode == 0 and not at_fault(done), done
    # Where a stream says ASCII, click writes UTF-8 all the same; what rich prints is plain there.
    assert b"besser" in done.stdout and (encoding == "ascii" or "Größer -> besser ± 1?".encode("latin-1") in done.stdout)


def test_streams_of_others_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    with forgiving() as faults:
        assert (sys.stdout, sys.stderr) == before
        print("said")
    assert capsys.readouterr().out == "said\n" and not faults.said


def test_a_mistake_in_the_data_leaves_the_folder_free(tiny: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    wrong = ['data.source="file"', f'data.path="{tmp_path / "nothing.csv"}"', 'methods=["fp32"]']
    with pytest.raises(UserError, match=r"nothing\.csv"):
        chordsim.run("offline", overrides=wrong, out=out)
    assert not out.exists()
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty"):
        chordsim.run("offline", overrides=wrong, out=out)
    (out / "notes.txt").unlink()
    assert chordsim.run("offline", overrides=tiny(methods=("popularity",)), out=out, report=False).status == "complete"


@pytest.mark.slow
def test_a_run_whose_reader_leaves_goes_on(tiny: Any, tmp_path: Path, shared_cache: Path) -> None:
    sets = " ".join(f"--set '{text}'" for text in tiny(methods=("popularity",)))
    done = shell(f"{CLI} run offline {sets} --out {tmp_path / 'run'} 2>&1 | head -n 1", CHORDSIM_CACHE=str(shared_cache))
    assert done.returncode == 0 and not at_fault(done), done
    assert RunResult(tmp_path / "run").status == "complete"
