"""No command cuts a figure, however narrow the terminal: what has no room stands below."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from chordsim import api
from chordsim.cli import main
from chordsim.cli.commands import app
from chordsim.fitted import GAP, LEAST_AT_ALL, Fitted
from chordsim.runtime.in_words import measured_table
from chordsim.runtime.measuring import Line

WIDTHS = (100, 80, 60, 40)
#: What ends in a table or a line of figures, by name; RUN and DATA stand for a run directory and a data file.
TOLD = {
    "forecast": ["forecast", "offline", "--set", "data.synthetic.users=40"],
    "recost": ["recost", "RUN", "--set", "clock.deadline_s=1.0", "--set", "clock.loss=0.3"],
    "compare": ["compare", "RUN", "RUN", "--out", "OUT/compare.html"],
    "forecast by": ["forecast", "offline", "--set", "data.synthetic.users=40", "--by", "tier", "--csv", "OUT/sheet.csv"],
    "population": ["population", "offline"],
    "population by": ["population", "offline", "--by", "tier"],
    "scenarios": ["scenarios"],
    "data list": ["data", "list"],
    "data inspect": ["data", "inspect", "DATA"],
}
#: Tests of their own, below.
BELOW = {"run", "sweep", "deploy", "measure"}
#: Commands without a table of their own: they print lines or whole files.
LINES = {"flwr-env", "flwr-stop", "report", "verify", "export", "data fetch", "scenarios show", "scenarios validate"}
FIGURE = re.compile(r"[-+±]?\d[\d,.]*(?:e[+-]?\d+)?[kMGT%]?")


def figures(text: str) -> set[str]:
    """Return every figure of a text, without the words that hold digits, such as names of methods."""
    return {word for word in re.split(r"[\s()]+", text) if FIGURE.fullmatch(word)}


def whole(text: str) -> bool:
    """Return whether no figure was cut: no ellipsis stands in or beside a word with a digit that is no name."""
    return not re.search(r"\d…|…\d", text)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "log.csv"
    path.write_text(
        "user,item,rating,timestamp\n" + "".join(f"{u},{(u + i) % 9},5,{1_600_000_000 + i}\n" for u in range(9) for i in range(8))
    )
    return path


@pytest.mark.parametrize("command", TOLD)
def test_every_figure_stands_whole_at_any_width(
    command: str, played_run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [w.replace("RUN", str(played_run)).replace("DATA", str(data)).replace("OUT", str(tmp_path)) for w in TOLD[command]]
    said = whole_at_all_widths(words, monkeypatch, capfd)
    assert len(figures(said)) > (0 if command in ("scenarios", "data list") else 5)


def whole_at_all_widths(words: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> str:
    """Run a command in terminals of all widths; what the widest says stands in the others too, and is returned."""
    capfd.readouterr()
    said = {}
    for width in (400, *WIDTHS):
        monkeypatch.setenv("COLUMNS", str(width))
        assert main(words) == 0
        said[width] = capfd.readouterr().out
    for width in WIDTHS:
        assert whole(said[width]), said[width]
        lost = figures(said[400]) - figures(said[width])
        # A checksum of 64 characters goes on in the next line.
        assert not {word for word in lost if len(word) < 20}, said[width]
    return said[400]


def test_runs_in_sizes_and_of_apps_side_by_side(
    tiny: Callable[..., list[str]],
    made_run: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for loss in ("0.0", "0.3"):
        api.run("offline", overrides=tiny('protocol.metrics="none"', f"clock.loss={loss}"), out=tmp_path / loss, report=False)
    said = whole_at_all_widths(["compare", "0.0", "0.3"], monkeypatch, capfd)
    assert "chord-plus" in said and "on assumed constants" in said and len(figures(said)) > 40
    for name in ("one", "two"):
        made_run(tmp_path / name, {"flower:fedavg": [np.full(60, 0.5)] * 3})
    said = whole_at_all_widths(["compare", "one", "two"], monkeypatch, capfd)
    assert "J/round" in said and "assumed %" in said and len(figures(said)) > 6


def test_a_deployment_prints_whole_figures(played_run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """The command's own tables and lines, over a run that played elsewhere."""
    way = SimpleNamespace(ledger_bytes=1_234_567, beside_bytes=89_012, flower_bytes=345_678, overhead_bytes=1_440.2, messages=240)
    done = SimpleNamespace(result=api.RunResult(played_run), ways={"down": way, "up": way})
    monkeypatch.setattr("chordsim.deploy.deploy.deploy", lambda *_, **__: done)
    said = whole_at_all_widths(["deploy", "offline", "--nodes", "2"], monkeypatch, capfd)
    assert {"1,234,567", "1,440", "240"} <= figures(said) and "energy" in said and "on assumed constants" in said
    for method in api.RunResult(played_run).summary["methods"].values():
        assert f"{method['ndcg_10_all']['mean']:.4f}" in figures(said)


def test_a_run_prints_whole_figures(
    tiny: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The last table and, where users were kept from the cloud, theirs."""
    sets = [word for text in tiny("data.cloud_share=0.5", methods=("fp32", "chord-shared", "cloud-only")) for word in ("--set", text)]
    for width in (80, 60):
        monkeypatch.setenv("COLUMNS", str(width))
        out = tmp_path / str(width)
        assert main(["run", "offline", *sets, "--out", str(out)]) == 0
        said = capfd.readouterr().out
        assert whole(said) and "chord-shared" in said
        for m in json.loads((out / "summary.json").read_text())["methods"].values():
            for wanted in (f"{m['ndcg_10_all']['mean']:.4f}", f"{m['hr_10']['mean']:.4f}", f"{100 * m['served_share']:.1f}"):
                assert wanted in said.split()
            low, high = m["unknown_to_cloud"]["ndcg_10_all"]["ci95"]
            assert f"{m['unknown_to_cloud']['ndcg_10_all']['mean']:.4f} ±{(high - low) / 2:.4f}" in said


def test_a_sweep_prints_whole_figures(
    tiny: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    sets = [word for text in tiny(methods=("popularity",)) for word in ("--set", text)]
    assert main(["sweep", "offline", "--over", "rounds.count=1,2", *sets, "--out", str(tmp_path / "sweep")]) == 0
    said = capfd.readouterr().out
    assert whole(said) and len(figures(said)) > 2


@pytest.mark.parametrize("width", WIDTHS)
def test_measured_times_stand_whole(width: int) -> None:
    times = [12.345, 23.456, 34.567, 45.678, 56.789, 0.012]
    lines = [Line("onnx 1.27.0", name, "expand", "sasrec 64 x 2", 2.0, *times, 1.234, 7.5, "a machine") for name in ("fp32", "chord-plus")]
    console = Console(width=width, file=io.StringIO())
    console.print(measured_table(lines))
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert whole(said) and {"12.345", "45.678", "56.789"} <= figures(said) | set(re.findall(r"[\d.]+", said))


def test_no_command_is_left_out() -> None:
    commands = {command.name or "" for command in app.registered_commands}
    for group in app.registered_groups:
        assert group.typer_instance is not None
        commands |= {f"{group.name} {command.name}" for command in group.typer_instance.registered_commands}
    assert commands - LINES - BELOW == {*TOLD} - {"scenarios", "forecast by", "population by"}


CELLS = st.from_regex(r"[0-9][0-9,.]{0,14}( ±[0-9.]{1,6})?", fullmatch=True)


@given(
    st.integers(1, 3).flatmap(
        lambda n: st.tuples(
            st.lists(st.text("abc-2", min_size=1, max_size=40), min_size=n, max_size=n),
            st.lists(st.lists(CELLS, min_size=7, max_size=7), min_size=1, max_size=4),
        )
    ),
    st.integers(30, 160),
)
@settings(max_examples=150)
def test_figures_are_whole_in_order_and_within_the_width(given: tuple[list[str], list[list[str]]], width: int) -> None:
    names, rows = given
    heads = [f"head {n}\nunit" for n in range(7)]
    table = Fitted([f"name {n}" for n in range(len(names))], heads, [(*names, *row) for row in rows])
    lines = [line for line, _ in table.lines(width)]
    text = "\n".join(lines)
    for row in rows:
        assert all(cell in text for cell in row)
    assert [f"head {n}" for n in range(7)] == re.findall(r"head \d", text), "every column once, in order"
    widest = max(len(cell) for row in [heads[:1], *rows] for cell in row)
    least = len(names) * (max(LEAST_AT_ALL, 0) + GAP) + max(widest, len("head 0"))
    assert max(map(len, lines)) <= max(width, least)
    assert not any("…" in cell for row in rows for cell in row)
