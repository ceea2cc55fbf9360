"""The walk of docs/architecture.md, from hypernetwork to ledger row: a round that is played enters its files in its order."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import chordsim
from tests.plenty import PLENTY

ROOT = Path(__file__).resolve().parents[2]
MOST_CHANGES = 14
#: One phone of a chunk of its own, visited after it has asked, played by the reference.
ONE = (
    "engine.kernel=torch",
    "data.synthetic.users=2",
    "data.synthetic.groups=2",
    "engine.chunk_size=1",
    "rounds.count=1",
    "population.selected=1",
)


def walk() -> list[tuple[str, list[str]]]:
    """Return folders and their files in the order of the docs."""
    table = (ROOT / "docs" / "architecture.md").read_text().split("<!-- walk: from hypernetwork to ledger row -->")[1].split("\n\n")[1]
    rows = [line.split("|")[1:] for line in table.splitlines() if "`" in line]
    assert [row[0].strip() for row in rows] == ["", *map(str, range(1, len(rows)))]
    return [(row[1].strip(" `"), re.findall(r"`([\w.]+)`", row[2])) for row in rows]


@pytest.fixture
def entered(tiny: Callable[..., list[str]], tmp_path: Path) -> list[str]:
    """Return the files that a round goes through, in order, from the last forward pass of the hypernetwork on."""
    overrides = tiny(*ONE, *PLENTY, methods=("chord-plus",))
    chordsim.run("offline", overrides=overrides, out=tmp_path / "trained", report=False)
    files: list[str] = []
    begun: list[int] = []

    def followed(frame: FrameType, event: str, argument: Any) -> None:
        """Note which file goes on: that of who is called, or of who gets the answer."""
        goes_on = frame if event == "call" else frame.f_back if event == "return" else None
        if goes_on is not None and goes_on.f_code.co_filename.startswith(str(ROOT)):
            files.append(Path(goes_on.f_code.co_filename).relative_to(ROOT).as_posix())
            if event == "call" and files[-1].endswith("hypernetwork.py") and frame.f_code.co_name == "forward":
                begun.append(len(files) - 1)

    before = sys.getprofile()
    threading.setprofile(followed)
    sys.setprofile(followed)
    try:
        chordsim.run("offline", overrides=overrides, out=tmp_path / "followed", report=False)
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
    return files[begun[-1] :]


def test_the_walk_changes_folder_seldom() -> None:
    folders = [folder for folder, _ in walk()]
    assert len(folders) - 1 <= MOST_CHANGES
    assert all(one != next for one, next in zip(folders[:-1], folders[1:], strict=True))


def test_a_round_goes_that_way(entered: list[str]) -> None:
    at = 0
    for folder, files in walk():
        for name in files:
            path = f"{folder}/{name}"
            assert path in entered[at:], f"{path} is not entered after the files before it"
            at = entered.index(path, at)
