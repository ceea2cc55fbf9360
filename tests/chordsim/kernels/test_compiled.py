"""Where compiled loops are kept is no condition for their running, and nothing loads the compiler before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chordsim.errors import ScenarioError
from chordsim.kernels import choose

TWICE = """
from chordsim.kernels.native.compiled import compiled
@compiled
def twice(x):
    return 2 * x
{change}
assert twice(4) == 8
"""


def run(code: str, tmp_path: Path, folder: Path) -> None:
    script = tmp_path / "twice.py"  # numba keeps what it compiles of files alone
    script.write_text(code)
    env = os.environ | {"NUMBA_CACHE_DIR": str(folder), "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    subprocess.run([sys.executable, str(script)], check=True, timeout=120, env=env)


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run(TWICE.format(change=""), tmp_path, tmp_path / "file" / "cache")


def test_a_folder_that_goes_away_is_done_without(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    run(TWICE.format(change=f"import shutil; shutil.rmtree({str(folder)!r}); open({str(folder)!r}, 'w').close()"), tmp_path, folder)


def test_what_was_compiled_is_kept(tmp_path: Path) -> None:
    run(TWICE.format(change=""), tmp_path, tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").rglob("*.nbi")] == [".nbi"]


def test_nothing_loads_the_compiler_before_it_is_asked_for() -> None:
    modules = "chordsim.kernels.allocate, chordsim.kernels.forward, chordsim.kernels.ranking, chordsim.kernels.choose"
    code = f"import sys, {modules}; assert not {{'numba', 'llvmlite'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose.resolve("torch") == "torch"
    monkeypatch.setattr(choose, "obstacle", lambda: "")
    assert choose.resolve("auto") == choose.resolve("native") == "native"
    monkeypatch.setattr(choose, "obstacle", lambda: "no such processor")
    assert choose.resolve("auto") == "torch"
    with pytest.raises(ScenarioError, match='engine.kernel = "native" cannot be had here: no such processor; use "auto" or "torch"'):
        choose.resolve("native")
