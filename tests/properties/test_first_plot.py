"""docs/first-plot.md as it stands: from a CSV of one's own to a PDF figure and a LaTeX table in a paper of two columns."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

TEXT = (Path(__file__).parents[2] / "docs" / "first-plot.md").read_text()
BLOCKS = {kind: re.findall(rf"```{kind}\n(.*?)```", TEXT, re.S) for kind in ("sh", "csv", "python", "latex")}
USERS, ITEMS = 300, 200


def write_log(path: Path) -> None:
    """Write a log of users who go round in one of four groups of items, under the page's own header."""
    rng = np.random.default_rng(1)
    lines = [BLOCKS["csv"][0].partition("\n")[0]]
    for user in range(USERS):
        at = rng.integers(0, ITEMS // 4)
        for step in range(rng.integers(8, 40)):
            at = (at + rng.integers(1, 4)) % (ITEMS // 4)
            lines.append(f"u{user},film-{at * 4 + user % 4},{rng.integers(1, 6)},{1_700_000_000 + 60 * step}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the page's commands, but for the installation, in a folder that holds mine.csv alone; return the folder."""
    folder = tmp_path_factory.mktemp("first")
    write_log(folder / "mine.csv")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "CHORDSIM_CACHE": str(folder / "cache"),
    }
    commands = [block for block in BLOCKS["sh"] if "pip install" not in block]
    assert len(commands) == 5
    for block in commands:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block], cwd=folder, env=environment, capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, f"{block}\n{done.stderr[-2000:]}"
        (folder / "told.txt").open("a").write(done.stdout)
    return folder


def test_every_step_leaves_what_the_page_says(there: Path) -> None:
    told = (there / "told.txt").read_text()
    assert "300" in told and "timestamp" in told and "(Holm)" in told
    assert (there / "runs" / "first" / "report.html").is_file()
    assert (there / "sweeps" / "first" / "sweep.html").is_file() and (there / "sweeps" / "first" / "sweep.csv").is_file()
    assert (there / "figures" / "accuracy_against_bytes.pdf").read_bytes().startswith(b"%PDF-")
    with (there / "figures" / "accuracy_against_bytes.csv").open() as file:
        assert [row["method"] for row in csv.DictReader(file)] == ["uniform-2", "chord-plus", "cloud-only"]
    with (there / "sweeps" / "seeds" / "sweep_over_seeds.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["baseline"] for row in rows} == {"uniform-2"} and {row["seeds"] for row in rows} == {"1 2 3"}
    table = (there / "table.tex").read_text()
    assert all(row["method"] in table for row in rows) and r"\textbf{" in table


def test_the_page_in_python_draws_the_same_kind_of_figure(
    there: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(there)
    monkeypatch.setenv("CHORDSIM_CACHE", str(there / "cache"))
    (block,) = BLOCKS["python"]
    exec(compile(block, "first-plot.md", "exec"), {})
    assert (there / "plot.png").read_bytes().startswith(b"\x89PNG") and "| method |" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex: apt-get install texlive-latex-base")
def test_latex_sets_the_pages_paper_without_a_box_that_is_too_full(there: Path) -> None:
    (block,) = BLOCKS["latex"]
    (there / "paper.tex").write_text(block)
    for _ in range(2):  # the second time references are known
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"], cwd=there, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout[-2000:]
    log = (there / "paper.log").read_text(errors="replace")
    assert [line for line in log.splitlines() if "Overfull" in line or "undefined" in line] == []
    assert (there / "paper.pdf").stat().st_size > 10_000
