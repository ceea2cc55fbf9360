"""`chordsim.run()` works beside a server.py and a clients.py of the user's own; only one that was imported before is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chordsim.installed import HOME

RUN = """
import json, sys
path = list(sys.path)
import chordsim
overrides, engine, out = json.loads(sys.argv[1])
from chordsim.cli import main
assert main(["forecast", "offline", *(part for text in overrides for part in ("--set", text))]) == 0
run = chordsim.run("offline", overrides=overrides, engine=engine, workers=1, out=out)
import server, clients
same = [place for place in sys.path if place in path] == path
told = {"status": run.manifest["status"], "errors": run.manifest.get("errors"), "path": same}
print(json.dumps({**told, "files": [server.__file__, clients.__file__], "left": [str(finder) for finder in sys.meta_path]}))
"""
CLASH = "import {name}\nimport chordsim\nchordsim.run('offline')\n"


@pytest.fixture
def folder(tmp_path: Path, shared_cache: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a runner of scripts in a folder that holds the user's own two files."""
    for name in ("server", "clients"):
        (tmp_path / f"{name}.py").write_text("MINE = 1\n")

    def running(script: str, *arguments: Any) -> subprocess.CompletedProcess[str]:
        (tmp_path / "main.py").write_text(script)
        # The installation stands last on the path, behind the user's folder.
        paths = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(HOME)]))
        env = {**os.environ, "PYTHONPATH": paths, "CHORDSIM_CACHE": str(shared_cache)}
        command = [sys.executable, "main.py", json.dumps(arguments)]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=500)

    return running


@pytest.mark.parametrize("engine", ["inprocess", pytest.param("ray", marks=pytest.mark.slow)])
def test_a_folder_with_a_server_of_ones_own_runs(
    folder: Callable[..., Any], tiny: Callable[..., list[str]], tmp_path: Path, engine: str
) -> None:
    done = folder(RUN, tiny(methods=("fp32", "chord-plus")), engine, str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert (told["status"], told["path"]) == ("complete", True)
    assert told["files"] == [str(HOME / name / "__init__.py") for name in ("server", "clients")]
    assert not any("OwnSides" in finder for finder in told["left"])


@pytest.mark.parametrize("name", ["server", "clients"])
def test_one_that_was_imported_before_is_named(folder: Callable[..., Any], tmp_path: Path, name: str) -> None:
    done = folder(CLASH.format(name=name))
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and last.startswith(f"chordsim.errors.RunError: {tmp_path / name}.py: imported as {name!r}")
    assert str(HOME) in last


def test_a_half_says_who_stands_in_its_way(folder: Callable[..., Any], tmp_path: Path) -> None:
    done = folder("import clients\nfrom chordsim import methods\nmethods.load(methods.find('fp32').device)\n")
    assert done.returncode == 1 and f"{tmp_path / 'clients'}.py: imported as 'clients'" in done.stderr.strip().splitlines()[-1]
