"""A checkpoint that is written while the next round is played holds the round that was closed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from chordsim.errors import ChordsimError
from chordsim.store import checkpoint


def _hosted() -> Any:
    columns = {"seen": np.array([0, 3, 0], np.int32), "held": np.array([[1, 0], [0, 0], [2, 2]], np.uint16)}
    made = SimpleNamespace(spec=SimpleNamespace(name="fp32", learns=True), under_way=None, version=1, introduced={"item": 1}, kept={})
    made.state, made.held = {"weight": torch.ones(2, 2)}, np.zeros(3, np.int64)
    made.columns = lambda: columns

    def update(state: dict[str, torch.Tensor], version: int, introduced: dict[str, int]) -> None:
        made.state, made.version, made.introduced = state, version, introduced

    made.update = update
    return made


def test_what_comes_later_does_not_change_it(tmp_path: Path) -> None:
    played, errors = _hosted(), ["one"]
    snapshot = checkpoint.taken(4, [played], errors)
    for column in played.columns().values():
        column += 1
    played.state["weight"] += 1
    played.introduced["item"] = 2
    errors.append("two")
    checkpoint.write(tmp_path, snapshot)

    (point,) = checkpoint.newest_first(tmp_path)
    assert (point.round, point.errors) == (4, ["one"])
    again = _hosted()
    for column in again.columns().values():
        column[:] = 0
    again.state, again.introduced = {}, {}
    checkpoint.restore(point, [again])
    expected = _hosted()
    for name, column in expected.columns().items():
        assert (again.columns()[name] == column).all()
    assert (again.state["weight"] == 1).all() and again.introduced == {"item": 1}


def test_a_disk_that_refuses_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **more: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(ChordsimError, match="disk|space"):
        checkpoint.write(tmp_path, checkpoint.taken(1, [_hosted()], []))
    assert not list(checkpoint.newest_first(tmp_path)) and not list((tmp_path / "checkpoint").iterdir())
