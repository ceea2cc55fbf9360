"""Tables for papers: their numbers are the run's, best and marks are right, and no table is wider than a column."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from chordsim.cli import main
from chordsim.compare.compare import compare
from chordsim.compare.runs_table import paper as of_comparison
from chordsim.report.export import table
from chordsim.report.gather import gather
from chordsim.report.latex import GAP_PT, WIDEST_PT, fit, latex, width
from chordsim.report.paper import Cell, Paper, best, kilo, short
from chordsim.report.run_table import paper
from chordsim.statistics.differences import paired

RNG = np.random.default_rng(7)
FP32 = RNG.random(80) * 0.5
METHODS = {"fp32": [FP32], "better": [FP32 + 0.1], "alike": [FP32 + RNG.normal(0, 0.05, 80)]}


def rows_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.endswith(r"\\")]


def test_a_runs_table_holds_the_runs_numbers(made_run, tmp_path):
    run = made_run(tmp_path / "run", METHODS)
    found = paired({name: (METHODS[name][0], FP32) for name in ("better", "alike")}, 1)
    numbers = {row["method"]: row for row in csv.DictReader(io.StringIO(table(run, "csv")))}
    for name, (values,) in METHODS.items():
        assert float(numbers[name]["ndcg_10_all"]) == pytest.approx(values.mean())
        if name != "fp32":
            assert float(numbers[name]["difference"]) == pytest.approx((values - FP32).mean())
            assert float(numbers[name]["p_holm"]) == found[name].p_holm
    assert numbers["fp32"]["difference"] == numbers["fp32"]["p_holm"] == ""
    made = {names[0]: cells for names, cells in paper(run).rows}
    assert [made[name][0] for name in METHODS] == [Cell(short(v.mean()), name == "better") for name, (v,) in METHODS.items()]
    assert made["better"][1].mark == "‡" and made["better"][1].text.startswith("+.1000") and made["alike"][1].mark == ""
    after = gather(run).methods["better"].after()
    assert float(numbers["better"]["bytes_after_10_sessions"]) == after and made["better"][3].text == kilo(after)


def test_marks_follow_the_corrected_p(made_run, tmp_path):
    noise = np.tile([1.0, -1.0], 40) * 0.2
    methods = {"fp32": [FP32], "sure": [FP32 + 0.1 + noise], "hardly": [FP32 + 0.06 + noise], "not": [FP32 + 0.01 + noise]}
    marks = {names[0]: cells[1].mark for names, cells in paper(made_run(tmp_path / "run", methods)).rows}
    ps = {name: d.p_holm for name, d in paired({n: (v[0], FP32) for n, v in methods.items() if n != "fp32"}, 1).items()}
    assert {name: "‡" if p < 0.01 else "†" if p < 0.05 else "" for name, p in ps.items()} | {"fp32": ""} == marks
    assert set(marks.values()) == {"", "†", "‡"}


def test_equal_means_are_best_together_and_numbers_stay_short():
    assert best([0.12341, 0.12339, None, 0.1]) == [True, True, False, False] and best([None]) == [False]
    assert [short(v) for v in (0.12345, -0.5, 1.0, None, float("nan"))] == [".1235", "−.5000", "1.0000", "–", "–"]
    assert [kilo(v) for v in (0, 7_050, 99_960, 641_296, 1_234_567)] == ["0", "7.05", "100", "641", "1,235"]


HEADS = ("NDCG\n@10", "Δ", "95 % CI", "s.d.", "kB")
LONG = ["chord-aged-100", "a_method_of_another_package_with_a_name", "Donaudampfschifffahrtsgesellschaftskapitaen", "chord, widths [0, 2]"]


def wide(*rows: str) -> Paper:
    cells = [Cell(".1234", bold=True), Cell("+.0123", mark="‡"), Cell(".1234–.1456"), Cell(".0123"), Cell("12,345")]
    return Paper(("method", "embedding_bits", "x"), HEADS, [((name, name, "1"), cells) for name in rows], "c", {}, "tab:x", [])


def test_names_however_long_leave_a_column_its_width():
    made = wide(*LONG)
    shown, room = fit(made)
    figures = [max(*map(width, head.split("\n")), width(c.text, c.bold)) for head, c in zip(HEADS, made.rows[0][1], strict=True)]
    assert 2 <= shown < len(HEADS) and sum(room) + sum(figures[:shown]) + GAP_PT * (len(room) + shown - 1) <= WIDEST_PT + 1e-6 < 229.5
    usual = Paper(("method",), HEADS, [(("chord-aged-100",), cells) for _, cells in made.rows], "c", {}, "tab:x", [])
    assert fit(usual) == (len(HEADS), [width("chord-aged-100")])
    letters = re.sub(r"begin{tabular}|end{tabular}|\[t\]{@{}l@{}}|[^A-Za-z0-9]", "", latex(made))
    assert all(re.sub("[^A-Za-z0-9]", "", name) in letters for name in LONG), "broken, never cut"


def test_what_is_special_to_latex_is_escaped_and_rows_have_one_length():
    text = latex(wide("a_b & 5 %", "#$^~{}\\"))
    assert r"a\_b \& 5 \%" in text and r"\#\$\textasciicircum{}\textasciitilde{}\{\}\textbackslash{}" in text
    rows = rows_of(text)
    assert len(rows) == 3 and len({row.count(" & ") for row in rows}) == 1
    assert text.count("{") == text.count("}") and r"\label{tab:x}" in text


def test_a_comparison_has_a_table_too(made_run, tmp_path, capsys):
    runs = [made_run(tmp_path / name, {"m": [values]}) for name, values in (("one", FP32), ("two", FP32 + 0.1))]
    made = of_comparison(compare(runs))
    assert [(names, cells[0].text, cells[0].bold) for names, cells in made.rows] == [
        (("m", "one"), short(FP32.mean()), False),
        (("m", "two"), short(FP32.mean() + 0.1), True),
    ]
    assert made.rows[1][1][1] == Cell("+.1000", mark="‡")
    assert main(["compare", *map(str, runs), "--table", "csv"]) == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [line["users"] for line in lines] == ["to serve", "both served"]
    assert all(float(line["difference"]) == pytest.approx(0.1) for line in lines)


def test_a_run_that_ranked_nothing_has_a_table_of_costs(made_run, tmp_path):
    run = made_run(tmp_path / "run", {"m": [np.full(9, np.nan)]})
    (run / "summary.json").write_text(
        json.dumps({"methods": {"m": {"served_share": 0.5, "per_session": {"down_bytes": 1234.5}, "first_contact": {"down_bytes": 10}}}})
    )
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "ledger": "not kept"}))
    assert "| m | 10 | 1,234 | 50 |" in table(run, "markdown")
    assert table(run, "csv").splitlines() == ["method,served %,first contact B,down B/session", "m,50.0,10.0,1234.5"]


def test_a_table_can_be_written_and_a_mistake_is_one_line(made_run, tmp_path, capsys):
    run = made_run(tmp_path / "run", METHODS)
    assert main(["report", str(run), "--table", "latex", "--out", str(tmp_path / "t.tex")]) == 0
    assert (tmp_path / "t.tex").read_text() == table(run, "latex")
    capsys.readouterr()
    for wrong in (["--table", "csv", "--figure", "pdf"], ["--chart", "x"], ["--figure", "pdf", "--chart", "x"]):
        assert main(["report", str(run), *wrong]) == 2
        err = capsys.readouterr().err
        assert err.startswith("chordsim: error: ") and err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex: apt-get install texlive-latex-base")
@pytest.mark.parametrize("rules", ["", r"\usepackage{booktabs}"])
def test_latex_sets_every_table_in_one_column(made_run, tmp_path: Path, rules):
    names = ["fp32", *LONG[:3], "chord-plus", "m" * 30]
    runs = [made_run(tmp_path / name, {n: [RNG.random(20)] for n in names}) for name in ("quickstart-1-1", "quickstart-1-2-other-phones")]
    texts = [
        table(runs[0], "latex"),
        latex(of_comparison(compare(runs))),
        table(made_run(tmp_path / "x", METHODS), "latex"),
        latex(wide(*LONG, "#$^~{}\\")),
    ]
    if rules and subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True, check=False).returncode:
        pytest.skip("needs booktabs: apt-get install texlive-latex-recommended")
    set_in_one_column(tmp_path, rules, texts)


def set_in_one_column(folder: Path, preamble: str, texts: list[str]) -> None:
    """Set texts in an article of two columns, and hold the log to have no box that is too full."""
    body = "\n".join(texts)
    (folder / "paper.tex").write_text(
        f"\\documentclass[twocolumn]{{article}}\n{preamble}\n\\begin{{document}}\nText.\n{body}\n\\end{{document}}\n"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    log = (folder / "paper.log").read_text(errors="replace")
    assert "Overfull" not in log and "undefined" not in log.lower(), [
        line for line in log.splitlines() if "verfull" in line or "ndefined" in line
    ]
