"""What files of the house are called, how long they are, and who lays them out."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("chordsim", "server", "clients", "benchmarks")
LONGEST_LINES = 350
#: A file in the room of a method: all rooms hold the same files.
ROOM = re.compile(r"chordsim/methods/\w+/")


def sources(*folders: str) -> dict[str, str]:
    """Return the text of every module by its path."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")) if "__pycache__" not in path.parts]
    assert paths
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths}


def test_files_are_short() -> None:
    lines = {path: len(text.splitlines()) for path, text in sources(*PACKAGES, "tests", "examples").items()}
    assert {path: count for path, count in lines.items() if count > LONGEST_LINES} == {}


def test_a_name_stands_at_most_twice() -> None:
    """A name that stands again and again says nothing; twice is for the two sides of one thing."""
    found: dict[str, list[str]] = {}
    for path in sources(*PACKAGES):
        base = path.rpartition("/")[2]
        if not ROOM.match(path) and base not in ("__init__.py", "__main__.py"):
            found.setdefault(base, []).append(path)
    assert {base: paths for base, paths in found.items() if len(paths) > 2} == {}


def test_the_formatter_alone_lays_code_out() -> None:
    marks = ("# fmt: " + "skip", "# fmt: " + "off")
    texts = sources(*PACKAGES, "tests", "examples")
    assert [path for path, text in texts.items() if any(mark in text for mark in marks)] == []
