"""What `flwr run` packs of a checkout: all that the two apps read at run time must be of a kind that a bundle carries."""

from __future__ import annotations

from pathlib import Path

import pathspec
from flwr.common.constant import FAB_EXCLUDE_PATTERNS, FAB_INCLUDE_PATTERNS

PACKAGES = ("chordsim", "server", "clients", "scenarios")
ROOT = Path(__file__).resolve().parents[2]
#: For type checkers, which do not read bundles.
UNREAD = {"chordsim/py.typed"}


def test_a_bundle_carries_every_file_of_the_packages() -> None:
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    files = {path.relative_to(ROOT).as_posix() for path in found}
    include, exclude = (pathspec.GitIgnoreSpec.from_lines(lines) for lines in (FAB_INCLUDE_PATTERNS, FAB_EXCLUDE_PATTERNS))
    carried = {path for path in files if include.match_file(path) and not exclude.match_file(path)}
    assert len(carried) > 200 and files - carried == UNREAD
