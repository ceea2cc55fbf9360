"""The code in docs/ledger.md runs as printed, and gives what page and summary say, to a billionth."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from chordsim.ledger.columns import COLUMNS
from chordsim.ledger.invariants import DOWN_PARTS, UP_PARTS

TEXT = (Path(__file__).parents[3] / "docs" / "ledger.md").read_text()
(BLOCK,) = [block for block in re.findall(r"```python\n(.*?)```", TEXT, re.S) if "by_method" in block]
HEADS = {"seconds_p50": "p50 s", "seconds_p95": "p95 s", "seconds_p99": "p99 s", "joules": "J/session"}


class Cells(HTMLParser):
    """Tables of a page as lists of heads and of rows, with the whole number where a cell has one."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[tuple[list[str], list[list[Any]]]] = []
        self._cell: str | None = None
        self._value: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append(([], []))
        if tag == "tr" and self.tables:
            self.tables[-1][1].append([])
        if tag in ("td", "th"):
            self._cell, self._value = "", dict(attrs).get("data-value")

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "th" and self._cell is not None:
            self.tables[-1][0].append(self._cell)
        if tag == "td" and self._cell is not None:
            self.tables[-1][1][-1].append(float(self._value) if self._value else self._cell)
        if tag in ("td", "th"):
            self._cell = None


@pytest.fixture
def sessions(played_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> pd.DataFrame:
    """Return what the printed code makes of a run under the name that it has there."""
    shutil.copytree(played_run, tmp_path / "runs" / "quickstart-1-1")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(BLOCK, "ledger.md", "exec"), names)
    assert "chord-plus" in capsys.readouterr().out
    return names["sessions"]


def test_columns_and_parts_are_those_of_the_ledger() -> None:
    assert f"the number of columns ({len(COLUMNS)})" in TEXT
    for parts, way in ((DOWN_PARTS, "down"), (UP_PARTS, "up")):
        assert f"- `{' + '.join(parts)} = {way}_bytes + cut_{way}_bytes`\n" in TEXT


def test_it_is_short(sessions: pd.DataFrame) -> None:
    assert len(BLOCK.strip().splitlines()) <= 20 and list(sessions.index) == ["fp32", "uniform-2", "chord-plus"]
    assert (sessions.report_s > 0).all() and (sessions.report_j > 0).all()


def test_it_gives_the_summary(sessions: pd.DataFrame, played_run: Path) -> None:
    told = json.loads((played_run / "summary.json").read_text())["methods"]
    for method, row in sessions.iterrows():
        for name in HEADS:
            assert row[name] == pytest.approx(told[str(method)]["per_session"][name], abs=1e-9)


def test_it_gives_the_page(sessions: pd.DataFrame, played_run: Path) -> None:
    cells = Cells()
    cells.feed((played_run / "report.html").read_text())
    ((heads, rows),) = [table for table in cells.tables if {*HEADS.values()} <= {*table[0]}]
    page = {row[0]: dict(zip(heads, row, strict=True)) for row in rows if row}
    for method, row in sessions.iterrows():
        for name, head in HEADS.items():
            assert row[name] == pytest.approx(page[str(method)][head], abs=1e-9)


def test_its_order_by_energy_is_that_without_the_report(sessions: pd.DataFrame) -> None:
    """With the report a shipped model pays the radio's tail of every round, and the three are closer than they are."""
    assert sessions.joules["fp32"] < sessions.joules["chord-plus"] and sessions.joules["uniform-2"] < sessions.joules["chord-plus"]
    shipped, planned = sessions.report_j[["fp32", "uniform-2"]], sessions.report_j["chord-plus"]
    assert (shipped > 3 * planned).all()
