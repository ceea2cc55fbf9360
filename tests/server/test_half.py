"""What the cloud's half base says to those who build upon it."""

from __future__ import annotations

import pytest

from chordsim.errors import MethodError
from chordsim.progress import Silent
from chordsim.testing.talk import small_world
from server.half import Trained


class Mine(Trained):
    """A half that says nothing of what it trains."""


def test_a_half_that_trains_nothing_is_told_what_to_write() -> None:
    world = small_world("fp32", {}, {})
    with pytest.raises(MethodError, match=r"method fp32, cloud half: Mine has no network\(\): return .*, or write train\(\)"):
        Mine(world.context("fp32")).train(world.logs, Silent())
