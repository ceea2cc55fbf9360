"""A tiny world in which every method can be trained for a few steps and talked through leg by leg."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chordsim.progress import Silent
from chordsim.testing.talk import Talk


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Talk]:
    """Return a maker of talks; trained states are shared through a cache of the session's own."""
    from server.training import cache

    folder = tmp_path_factory.mktemp("trained")
    patch = pytest.MonkeyPatch()
    patch.setenv("CHORDSIM_CACHE", str(folder))

    def make(name: str, settings: dict[str, Any] | None = None, **backbone: Any) -> Talk:
        return Talk.of(name, settings, backbone, lambda half, logs: cache.trained(half, logs, Silent())[0])

    return make
