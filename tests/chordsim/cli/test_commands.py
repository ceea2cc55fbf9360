"""Commands print what they promise, pass on what they are given, and turn every error into one line and its exit code."""

from __future__ import annotations

import errno
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chordsim import api, errors
from chordsim.cli import main
from chordsim.cli.commands import app
from chordsim.scenario.load import load, parse, shipped

ESTIMATE = {"mean": 0.1234, "ci95": [0.1134, 0.1334], "ci_method": "bootstrap-by-user", "users": 9}
METHOD = {
    "ndcg_10": ESTIMATE,
    "ndcg_10_all": ESTIMATE,
    "hr_10": ESTIMATE,
    "served_share": 0.5,
    "bits_mean": 2.0,
    "up_bytes_per_device": 24.0,
    "down_bytes_per_device": 1234.0,
    "p50_total_s": 0.1,
    "p95_total_s": 0.2,
    "joules_per_device": 2.0,
    "first_contact": {"down_bytes": 1234.0},
}
SUMMARY = {
    "methods": {"fp32": METHOD},
    "engine": {"wall_s": 3.0, "train_s": 2.0},
    "protocol": {"ranking": "all items", "rounds": 2},
    "users": 9,
}
SOURCE = {"name": "synthetic", "path": "", "how": "synthetic", "sha256": "00", "rows_read": 5, "rows_kept": 4, "notes": [], "digest": "1"}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Put a run that does nothing in the place of the real one, and note how it was called."""
    noted: list[dict[str, Any]] = []

    def run(scenario: str = "quickstart", **options: Any) -> SimpleNamespace:
        noted.append({"scenario": scenario, **options})
        return SimpleNamespace(path=Path("runs/x"), summary=SUMMARY, manifest={"status": "complete", "data": SOURCE})

    monkeypatch.setattr(api, "run", run)
    return noted


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("chordsim: "), said
    return said


def test_run_without_arguments_runs_quickstart(calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run"]) == 0
    assert calls[0]["scenario"] == "quickstart" and calls[0]["overrides"] == () and calls[0]["seed"] is None
    out = " ".join(capsys.readouterr().out.split())
    for part in (load("quickstart").question, "synthetic", "0.1234 ±0.0100", "1,234", "run directory: runs/x"):
        assert part in out


def test_run_passes_on_every_option(calls: list[dict[str, Any]]) -> None:
    words = "run offline --set rounds.count=1 --set seed=4 --seed 5 --engine ray --workers 3 --ray-address auto --out a".split()
    assert main(words) == 0
    progress = calls[0].pop("progress")
    assert (
        calls[0].items()
        >= {
            "scenario": "offline",
            "overrides": ["rounds.count=1", "seed=4"],
            "seed": 5,
            "engine": "ray",
            "workers": 3,
            "ray_address": "auto",
            "out": Path("a"),
            "resume": None,
        }.items()
    )
    progress.start("a", 2)
    progress.advance(1, "b")
    progress.done()


def test_a_degraded_run_shows_its_table_and_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = {"status": "degraded", "data": SOURCE, "errors": ["cell 3 was lost"]}
    monkeypatch.setattr(api, "run", lambda *_, **__: SimpleNamespace(path=Path("r"), summary=SUMMARY, manifest=manifest))
    assert main(["run", "offline"]) == 1
    said = capsys.readouterr()
    assert "fp32" in said.out and "cell 3 was lost" in said.err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (errors.UserError("a.toml: key: wrong"), 2, "error: a.toml: key: wrong"),
        (errors.ScenarioError("b"), 2, "error: b"),
        (errors.RunError("the disk is full"), 1, "error: the disk is full"),
        (errors.WireError("c"), 1, "error: c"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (KeyError("x"), 1, "KeyError: 'x' (a bug; CHORDSIM_DEBUG=1 shows where)"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/tmp/x"),
            1,
            "error: /tmp/x: No space left on device: this machine is short of it",
        ),
        (OSError(errno.EFBIG, "File too large"), 1, "error: a file: File too large: this machine is short of it"),
        (OSError(errno.EBADF, "Bad file descriptor"), 1, "Bad file descriptor (a bug"),
        (MemoryError("Unable to allocate 9 GiB"), 1, "MemoryError: Unable to allocate 9 GiB: this machine's memory is too small"),
        (errors.UserError("two\nlines\x1b[31m and \x07 colours"), 2, "two lines [31m and   colours"),
        (errors.UserError("x" * 100_000), 2, "xxx ... xxx"),
    ],
)
def test_every_error_is_one_line_with_its_exit_code(
    error: BaseException, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(api, "run", run)
    monkeypatch.delenv("CHORDSIM_DEBUG", raising=False)
    assert main(["run", "offline"]) == code
    said = one_line(capsys)
    assert words in said and len(said) < 2000


def test_no_room_for_temporary_files_is_no_bug(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryDirectory", full)
    monkeypatch.setenv("TMPDIR", "/small")
    assert main(["run", "offline"]) == 1
    assert "error: /small: cannot be written: No space left on device: free some space" in one_line(capsys)


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*_: object, **__: object) -> None:
        raise errors.RunError("here")

    monkeypatch.setattr(api, "run", run)
    monkeypatch.setenv("CHORDSIM_DEBUG", "1")
    assert main(["run", "offline"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rnu"], "Did you mean 'run'?"),
        (["run", "--sed", "1"], "--seed"),
        (["run", "--seed", "x"], "--seed"),
        (["run", "--seed", "-1"], "--seed"),
        (["run", "--engine", "rey"], "'ray'"),
        (["run", "--workers", "-2"], "--workers"),
        (["run", "a", "b"], "b"),
        (["run", "quikstart"], "did you mean 'quickstart'"),
        (["run", "none.toml"], "none.toml: no such file"),
        (["run", "offline", "--set", "rounds.conut=1"], "--set rounds.conut=1: unknown key 'rounds.conut': did you mean 'count'"),
        (["population", "offline", "--set", "population.selected=1000"], "population.selected = 1000, but there are"),
        (["population", "offline", "--csv", "/dev/null/x.csv"], "/dev/null/x.csv: cannot be written"),
        (["scenarios", "show", "quikstart"], "did you mean 'quickstart'"),
        (["scenarios", "validate", "none.toml"], "none.toml: no such file"),
        (["scenarios", "validate"], "PATH"),
        (["data", "fetch", "ml-100kk"], "did you mean 'ml-100k'"),
        (["data", "fetch"], "NAME"),
        (["data", "inspect", "none.csv"], "none.csv: no such file"),
    ],
)
def test_a_users_mistake_is_one_line_and_code_2(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    said = one_line(capsys)
    assert expected in said
    assert said.count("id you mean") <= 1


def commands() -> list[list[str]]:
    import typer.main

    found = []
    top = typer.main.get_command(app)
    for name, command in getattr(top, "commands").items():  # noqa: B009
        found.append([name])
        found += [[name, inner] for inner in getattr(command, "commands", {})]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help_with_an_example(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--help"]) == 0
    out = capsys.readouterr().out
    assert re.search(rf"Example: .*chordsim {words[0]}", out)


def test_commands_are_the_contracts() -> None:
    promised = ("run", "population", "data", "data list", "data fetch", "data inspect", "scenarios", "scenarios show", "scenarios validate")
    assert set(promised) <= {" ".join(words) for words in commands()}


def test_scenarios_lists_what_ships(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for name in shipped():
        assert name in out and " ".join(load(name).question.split()[:5]) in out


def test_scenarios_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios", "show", "offline"]) == 0
    assert capsys.readouterr().out.strip() == shipped()["offline"].read_text().strip()
    assert main(["scenarios", "show", "offline", "--resolved"]) == 0
    assert parse(capsys.readouterr().out) == load("offline")


def test_scenarios_validate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("seed = 2\n")
    assert main(["scenarios", "validate", str(path)]) == 0
    assert "fine" in capsys.readouterr().out
    for text, says in (
        ("sed = 2\n", "'seed'"),
        ('[data]\nsource = "ml-100"\n', "data.source: no data set 'ml-100': did you mean 'ml-100k'?"),
        ('[data]\nsource = "file"\npath = "nowhere.csv"\n', f"data.path: {tmp_path}/nowhere.csv: no such file"),
        ('[population]\nlatency = "nowhere.csv"\n', "population.latency: "),
    ):
        path.write_text(text)
        assert main(["scenarios", "validate", str(path)]) == 2
        assert says in one_line(capsys)


def test_population_tables_and_csv_agree_with_the_scenario(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pandas as pd

    path = tmp_path / "phones.csv"
    assert main(["population", "offline", "--csv", str(path)]) == 0
    out = capsys.readouterr().out
    table = pd.read_csv(path)
    assert list(table["device_id"]) == list(range(300)) and sorted(table["user_id"]) == list(range(300))
    assert max(len(line) for line in out.splitlines() if str(path) not in line) <= 100
    for tier, count in table["tier"].value_counts().items():
        assert any(line.split()[:2] == [tier, str(count)] for line in out.splitlines())


def test_a_huge_population_is_shown_by_its_first_round(capsys: pytest.CaptureFixture[str]) -> None:
    sets = ["--set", "population.devices=10000000000", "--set", "population.selected=50"]
    assert main(["population", "offline", *sets]) == 0
    assert "50 phones of round 1, out of 10,000,000,000" in capsys.readouterr().out


def test_data_list_names_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list"]) == 0
    assert "ml-100k" in capsys.readouterr().out


def test_data_inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "u.data"
    path.write_text("1\t10\t3\t881250949\n1\t11\t4\t881250950\n2\t10\t5\t881250951\n")
    assert main(["data", "inspect", str(path)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "interactions 3" in out and "users 2" in out and "items 2" in out and "1997-12-04" in out
    assert (
        "user from column 0" in out and "in seconds" in out and "0.0% share their time stamp" in out and "of which 1 are seen once" in out
    )
    path.write_text("1\t10\t3\t881250949\n1\tx\n")
    assert main(["data", "inspect", str(path)]) == 2
    assert "line 2" in one_line(capsys)


def test_data_inspect_takes_the_keys_that_mend_a_reading(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log.csv"
    path.write_text("who,what,moment\n" + "".join(f"a,{item},{1_700_000_000 - item}\n" for item in range(8)))
    assert main(["data", "inspect", str(path)]) == 2
    assert "set data.columns.user to one of them" in one_line(capsys)
    keys = [part for key in ("user=who", "item=what", "timestamp=none") for part in ("--set", f"data.columns.{key}")]
    assert main(["data", "inspect", str(path), *keys]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "user from who, item from what" in out and "not read moment" in out and "the order of lines counts" in out
    assert main(["data", "inspect", str(path), "--set", "data.columns.user=3"]) == 2
    assert "data.columns.user = 3: there are 3 columns, 0 to 2" in one_line(capsys)


def test_a_closed_pipe_is_no_error() -> None:
    code = "import sys; from chordsim.cli import main; sys.exit(main(['scenarios', 'show', 'quickstart', '--resolved']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    process.wait(60)
    assert "Traceback" not in said


def test_the_package_runs_as_a_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["chordsim", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("chordsim", run_name="__main__")
    assert ended.value.code == 0 and capsys.readouterr().out.startswith("chordsim ")


def test_the_console_script_is_main() -> None:
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="chordsim")
    assert script.load() is main
    assert json.dumps(SUMMARY)
