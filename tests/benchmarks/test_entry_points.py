"""Every command of the benchmarks: its help works, and what it is not able to do it says in one line, with no traceback."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import fit_mlperf, fit_phones, interval_coverage, kept_lines, methods_table, parser, re_ranking, sweep_from_ledgers  # noqa: E402
from benchmarks.cut_off import UNDONE, ended  # noqa: E402
from benchmarks.throughput import __main__ as throughput  # noqa: E402
from chordsim.errors import DataError, RunError  # noqa: E402

#: Processes that a benchmark starts and talks to; of the player, kept answers of same_ledgers hold the very text.
CHILDREN = {"benchmarks.same_ledgers.player", "benchmarks.throughput.child", "benchmarks.throughput.pfl_rank"}


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def block(path: Path) -> ast.If | None:
    """Return what a file does when it is started."""
    body = ast.parse(path.read_text()).body
    return next((node for node in body if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"), None)


STARTED = {module(path): found for path in sorted((ROOT / "benchmarks").rglob("*.py")) if (found := block(path)) is not None}
COMMANDS = sorted(STARTED.keys() - CHILDREN)


def test_all_are_found() -> None:
    assert len(COMMANDS) > 30 and STARTED.keys() >= CHILDREN


@pytest.mark.parametrize("name", COMMANDS)
def test_each_ends_in_a_line_and_takes_its_help_from_its_docstring(name: str) -> None:
    path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    text = path.read_text()
    assert "parser_of(__doc__, __file__)" in text
    assert "command_line.guarded(" in text or "ended(" in ast.unparse(STARTED[name])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning:runpy")
@pytest.mark.parametrize("name", COMMANDS)
def test_help_and_an_unknown_option(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for words, code in (("--help", 0), ("--no-such-option", 2)):
        monkeypatch.setattr(sys, "argv", [name, words])
        with pytest.raises(SystemExit) as end:
            runpy.run_module(name, run_name="__main__")
        assert end.value.code == code
        said = capsys.readouterr()
        if code:
            assert not said.out and len(said.err.splitlines()) == 1 and said.err.startswith("error: ")
        else:
            assert f"python -m {name.removesuffix('.__main__')}" in said.out and not said.err


def line(command, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line that a command ends with."""
    assert ended(command) == UNDONE
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1, said.err
    return said.err


def broken(error: Exception):
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RunError("two\nlines"), "error: two lines\n"),
        (FileNotFoundError(2, "No such file or directory", "data.csv"), "error: data.csv: No such file or directory\n"),
        (ModuleNotFoundError("No module named 'PIL'", name="PIL"), "error: PIL is not installed\n"),
        (subprocess.TimeoutExpired("chromium", 3), "error: Command 'chromium' timed out after 3 seconds\n"),
    ],
)
def test_what_is_not_there_is_a_line(error: Exception, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert line(broken(error), capsys) == words


def test_a_bug_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        ended(broken(ZeroDivisionError()))


@pytest.mark.parametrize("given", ["0", "-3", "many", "1.5"])
def test_a_number_that_counts_nothing_is_refused(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = parser.parser_of("What it does.", str(ROOT / "benchmarks" / "gpu.py"))
    made.add_argument("--seeds", type=parser.positive)
    with pytest.raises(SystemExit):
        made.parse_args([f"--seeds={given}"])
    assert capsys.readouterr().err.startswith("error: argument --seeds: ")


def test_methods_table_of_what_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such folder" in line(lambda: methods_table.main([str(tmp_path / "gone")]), capsys)
    assert "not a run directory" in line(lambda: methods_table.main([str(tmp_path), str(tmp_path / "page.md")]), capsys)
    assert not (tmp_path / "page.md").exists()


def test_the_fits_say_what_data_they_miss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["fit_phones"])
    monkeypatch.setenv("CHORDSIM_DATA", str(tmp_path))
    assert "CHORDSIM_DATA" in line(fit_phones.main, capsys)
    (tmp_path / "devices").mkdir()
    assert "compute_latency_quantiles.csv" in line(fit_phones.main, capsys)

    monkeypatch.setattr(sys, "argv", ["fit_mlperf", str(tmp_path / "mobile_results_v4.0")])
    assert "mobile_results_v4.0" in line(fit_mlperf.main, capsys)
    found = tmp_path / "mobile_results_v4.0" / "closed" / "maker" / "results" / "phone" / "result.json"
    found.parent.mkdir(parents=True)
    other = '{"benchmark_id": "image", "loadgen_scenario": "SingleStream"}'
    for text, words in (("{", str(found)), ('{"benchmark_id": "image"}', str(found)), (other, "no phone in these clones")):
        found.write_text(text)
        assert words in line(fit_mlperf.main, capsys)


def test_a_sweep_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "sweep_over_seeds.csv" in line(lambda: sweep_from_ledgers.main([str(tmp_path)]), capsys)
    for table in ("sweep_over_seeds.csv", "sweep.csv"):
        (tmp_path / table).write_text("other\n1\n")
    assert "not the tables and ledgers of one sweep" in line(lambda: sweep_from_ledgers.main([str(tmp_path)]), capsys)


def test_a_piece_that_needs_another_checkout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        throughput.main(["--out", str(tmp_path), "--only", "against-whole"])
    assert "needs --against" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="not a checkout"):
        throughput.main(["--out", str(tmp_path), "--against", str(tmp_path)])
    for what in ("--pages", "--table"):
        assert "nothing was measured there" in line(lambda what=what: throughput.main(["--out", str(tmp_path), what]), capsys)


def test_what_asks_for_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        interval_coverage.main(["--seeds", "2"])
    assert "needs 3 seeds" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["re_ranking", "--out", "none", "--sizes", "small", "--trained", "smal"])
    with pytest.raises(SystemExit):
        re_ranking.main()
    assert "--trained smal: is not among --sizes small" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["no json\n", "[1]\n", '{"other": 1}\n'])
def test_a_file_of_what_was_done_that_is_another(text: str, tmp_path: Path) -> None:
    path = tmp_path / "finished.jsonl"
    path.write_text('{"seed": 1}\n' + text)
    with pytest.raises(DataError, match=r"finished\.jsonl:2"):
        kept_lines.kept_lines(path, "seed")


def test_a_line_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "finished.jsonl"
    path.write_text('{"seed": 1}\n{"seed')
    assert kept_lines.kept_lines(path, "seed") == [{"seed": 1}] and path.read_text() == '{"seed": 1}\n'
    assert kept_lines.kept_lines(None) == kept_lines.kept_lines(tmp_path / "none") == []
