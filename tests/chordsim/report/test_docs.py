"""The code in docs/ecosystem.md runs as printed, and the cited population is the one that is drawn."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from chordsim.cli import main

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "ecosystem.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.S)


@pytest.mark.parametrize("block", BLOCKS, ids=[block.splitlines()[0] for block in BLOCKS])
def test_printed_code_runs(block, played_run, tmp_path, monkeypatch, capfd):
    if "import duckdb" in block:
        pytest.importorskip("duckdb", reason="duckdb is not installed; pip install duckdb")
    shutil.copytree(played_run, tmp_path / "runs" / "offline-1-1")
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "ecosystem.md", "exec"), {})
    if "print(" in block or ").show()" in block:
        assert capfd.readouterr().out.strip()


def test_the_cited_population_has_the_cited_checksum(tmp_path):
    (cited,) = re.findall(r"<!-- population: offline, seed 1 -->\n```\n([0-9a-f]{64})  phones.csv", TEXT)
    target = tmp_path / "phones.csv"
    assert main(["population", "offline", "--seed", "1", "--csv", str(target)]) == 0
    assert hashlib.sha256(target.read_bytes()).hexdigest() == cited
