"""After a normal end, an error and Ctrl-C in mid-round, no process and no folder of the private Ray is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from chordsim.files import read_json
from tests.chordsim.engine.conftest import title

#: Listens to Ctrl-C as in a terminal, also where the tests themselves run in the background and were told to ignore it.
CODE = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from chordsim.cli import main; sys.exit(main(sys.argv[1:]))"
)


@pytest.fixture
def begun(tiny: Any, tmp_path: Path, marked: Callable[[], list[psutil.Process]], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a starter of `chordsim run` on Ray as a process group of its own, as a terminal would."""
    # Not under tmp_path, which is too long for Ray's sockets.
    folder = Path(tempfile.mkdtemp(prefix="left-"))
    monkeypatch.setenv("TMPDIR", str(folder))

    def start(*more: str) -> subprocess.Popen[str]:
        overrides = [part for text in tiny(*more) for part in ("--set", text)]
        command = [sys.executable, "-c", CODE, "run", "offline", "--engine", "ray", "--workers", "2", "--out", str(tmp_path / "run")]
        return subprocess.Popen([*command, *overrides], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)

    yield start
    left = [path.name for path in folder.iterdir() if path.name.startswith("chordsim")]
    shutil.rmtree(folder)
    assert not left


@pytest.mark.slow
def test_after_a_normal_end(begun: Any, nothing_left: Callable[[], bool]) -> None:
    process = begun()
    said = process.communicate(timeout=900)[0]
    assert process.returncode == 0, said
    assert nothing_left()


@pytest.mark.slow
def test_after_an_error(begun: Any, nothing_left: Callable[[], bool]) -> None:
    process = begun('data.source="file"', 'data.path="/no/such/file.csv"')
    said = process.communicate(timeout=900)[0]
    assert process.returncode == 2, said
    assert "chordsim: error: /no/such/file.csv: no such file" in said and "Traceback" not in said
    assert nothing_left()


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["group", "process"])
def test_after_an_interrupt_in_mid_round(
    whom: str, begun: Any, tmp_path: Path, marked: Callable[[], list[psutil.Process]], nothing_left: Callable[[], bool]
) -> None:
    process = begun("rounds.count=8", "data.synthetic.users=300", "population.devices=12000")
    deadline = time.monotonic() + 900
    while not any("ray::Worker.answer" in title(process) for process in marked()) or not (tmp_path / "run" / "rounds.csv").exists():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.005)
    (os.killpg if whom == "group" else os.kill)(process.pid, signal.SIGINT)
    said = process.communicate(timeout=300)[0]
    assert process.returncode == 130 and "interrupted; what was finished stays readable" in said, said
    assert read_json(tmp_path / "run" / "manifest.json")["status"] == "interrupted"
    assert nothing_left()
