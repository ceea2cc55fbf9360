"""Errors of somebody else's code are cut to a line in one place, which says their kind where they say nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import ray

from chordsim.data.in_memory import keep_frame
from chordsim.engine import ray_cluster
from chordsim.errors import DataError, UserError, one_line, typed_line

ROOT = Path(__file__).parents[2]


def test_a_line_is_never_empty() -> None:
    assert one_line(ValueError("two\n  lines")) == "two lines" and one_line(ValueError("long"), 2) == "lo"
    assert one_line(ValueError("\n")) == typed_line(ValueError()) == "ValueError"
    assert typed_line(KeyError("a\tb")) == r"KeyError: 'a\tb'"


def test_nobody_cuts_an_error_by_itself() -> None:
    files = [path for folder in ("chordsim", "clients", "server") for path in (ROOT / folder).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix(): path.read_text().count("str(error).split()") for path in files}
    assert {name: count for name, count in found.items() if count} == {"chordsim/errors.py": 2}


class Silent:
    """A table that offers itself as a stream and fails without a word."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        raise ValueError


def test_a_table_that_fails_without_a_word_is_told_by_the_kind_of_its_error() -> None:
    with pytest.raises(DataError, match=r"no table that can be read \(ValueError\)"):
        keep_frame(Silent())


def test_a_cluster_that_fails_without_a_word_is_told_by_the_kind_of_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**given: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(UserError, match="no Ray cluster can be joined there: ConnectionError$"):
        ray_cluster.Cluster(1, "auto")._connect()
