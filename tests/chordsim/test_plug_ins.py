"""Entry points are looked for once, and again when a package came or went."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

import pytest

from chordsim.plug_ins import entry_points, registered
from tests.laid_out import laid_out


def test_what_is_installed_while_a_program_runs_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    assert registered("chordsim.made_up") == {}
    laid_out(tmp_path, "first", "chordsim.made_up", "one = first:one")
    assert registered("chordsim.made_up") == {"one": "first:one"}
    laid_out(tmp_path, "second", "chordsim.made_up", "two = second:two")
    assert set(registered("chordsim.made_up")) == {"one", "two"}
    shutil.rmtree(tmp_path / "first-0.1.0.dist-info")
    assert set(registered("chordsim.made_up")) == {"two"}


def test_nothing_is_looked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    found = entry_points(group="chordsim.methods")
    assert "fp32" in found.names
    monkeypatch.setattr(metadata, "entry_points", lambda **_: pytest.fail("looked for again"))
    assert list(entry_points(group="chordsim.methods")) == list(found)
