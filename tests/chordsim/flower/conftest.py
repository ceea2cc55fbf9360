"""What tests of Flower apps share: the app, no telemetry, and scenarios of ideal and of weak phones."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from chordsim.config.model import Scenario
from chordsim.scenario.load import load

#: Nothing is lost, nobody is late, links take next to no time.
IDEAL = ("clock.loss=0", "clock.jitter=0")


def load_apps():
    """Return the module of the small app: tests are imported without packages."""
    if "flower_apps" not in sys.modules:
        spec = importlib.util.spec_from_file_location("flower_apps", Path(__file__).with_name("apps.py"))
        module = importlib.util.module_from_spec(spec)
        sys.modules["flower_apps"] = module
        spec.loader.exec_module(module)
    return sys.modules["flower_apps"]


@pytest.fixture
def apps(monkeypatch):
    monkeypatch.setenv("FLWR_TELEMETRY_ENABLED", "0")
    return load_apps()


@pytest.fixture
def ideal() -> Scenario:
    return load("weak-links", IDEAL)


@pytest.fixture
def weak() -> Scenario:
    return load("weak-links")
