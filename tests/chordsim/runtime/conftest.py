"""One small run that all tests of phone runtimes export from, and its methods as exporters read them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest

import chordsim
from chordsim.progress import Silent
from chordsim.runtime.from_run import Source, source_of
from tests.chordsim.runtime.small import MORE_SETTINGS, SMALL


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of small models; accuracy does not matter here."""
    return chordsim.run("offline", overrides=SMALL, out=tmp_path_factory.mktemp("runtime") / "run", report=False).path


@pytest.fixture(scope="session")
def source(run: Path) -> Callable[[str], Source]:
    """Return what reads one of the run's methods, once each."""
    return lru_cache(maxsize=None)(lambda method: source_of(run, method, Silent()))


@pytest.fixture(scope="session")
def more(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Source]:
    """Return what reads one of the methods of another run, whose phones do more by themselves, once each."""
    path = chordsim.run("offline", overrides=MORE_SETTINGS, out=tmp_path_factory.mktemp("more") / "run", report=False).path
    return lru_cache(maxsize=None)(lambda method: source_of(path, method, Silent()))
