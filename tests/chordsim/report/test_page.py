"""report.html: whole, self-contained, in order, from any run that has a ledger; one line for any that has none."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from chordsim.errors import ChordsimError
from chordsim.report import page

ORDER = [
    "What was run",
    "Who won, at what cost",
    "Who was left out",
    "Heterogeneity",
    "What plans look like",
    "Bytes",
    "Time",
    "How to reproduce",
]


class Page(HTMLParser):
    """Collects headings, addresses and the JSON that stands in the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings, self.addresses, self.figures, self._in = [], [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.addresses += [attrs[name] for name in ("src", "href", "action", "data") if attrs.get(name)]
        self._in = tag if tag == "h2" else attrs.get("id") if tag == "script" and attrs.get("type") == "application/json" else None

    def handle_data(self, data):
        if self._in == "h2":
            self.headings.append(data)
        elif self._in:
            self.figures[self._in] = json.loads(data)

    def handle_endtag(self, tag):
        self._in = None


@pytest.fixture(scope="module")
def shown(played_run):
    text = (played_run / "report.html").read_text()
    return text, Page(text)


def test_a_run_ends_with_a_page_whose_sections_stand_in_order(shown):
    assert shown[1].headings == ORDER


def test_the_page_is_small_and_asks_for_nothing(shown):
    text, parsed = shown
    assert len(text.encode()) < 6e6
    assert all(address.startswith(("#", "data:text/csv;base64,")) for address in parsed.addresses)
    assert "default-src 'none'" in text


def test_every_chart_has_data_and_its_numbers_as_csv(shown):
    text, parsed = shown
    charts = {name: figure for name, figure in parsed.figures.items() if name.startswith("figure-")}
    assert len(charts) > 20
    assert sorted(re.findall(r'data-figure="([^"]+)"', text)) == sorted(charts)
    for figure in charts.values():
        assert any(trace.get("x") or trace.get("z") for trace in figure["data"])
    tables = [a for a in parsed.addresses if a.startswith("data:")]
    assert len(tables) == len(charts)
    for table in tables:
        lines = base64.b64decode(table.partition(",")[2]).decode().splitlines()
        assert len(lines) > 1 and all(line.count(",") >= 1 for line in lines)


def test_names_and_scenarios_cannot_break_the_page(made_run, tmp_path):
    run = made_run(tmp_path / "run", {"a": [np.full(6, 0.5)]})
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["scenario"] = "</script><script>alert(1)</script>"
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert "<script>alert" not in page.write(run).read_text()


@pytest.mark.parametrize(
    ("methods", "status"),
    [
        ({"one": [np.array([0.2, np.nan, 0.4])]}, "complete"),
        ({"none": [np.full(3, np.nan)]}, "failed"),
        ({"a": [np.array([0.5])]}, "running"),
    ],
    ids=["single round", "no one served", "one user"],
)
def test_runs_of_any_state_have_a_page(made_run, tmp_path, methods, status):
    text = page.write(made_run(tmp_path / "run", methods, status=status)).read_text()
    assert Page(text).headings == ORDER
    assert (f"This run is {status}" in text) == (status != "complete")


def test_a_cut_off_run_without_summary_or_devices_has_a_page(played_run, tmp_path):
    import shutil

    run = tmp_path / "cut"
    shutil.copytree(played_run, run)
    for name in ("summary.json", "devices.parquet", "plans.parquet", "report.html"):
        (run / name).unlink()
    assert Page(page.write(run).read_text()).headings == ORDER


def _no_ledger(run):
    for path in (run / "ledger").iterdir():
        path.unlink()


def _newer(run):
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "schema_version": 99}))


def _cut_file(run):
    path = next((run / "ledger").iterdir())
    path.write_bytes(path.read_bytes()[:-100])


def _cut_manifest(run):
    (run / "manifest.json").write_text('{"schema_version": 1, "sta')


def _no_manifest(run):
    (run / "manifest.json").unlink()


def _bad_plans(run):
    (run / "plans.parquet").write_bytes(b"PAR1 no")


def _bad_rounds(run):
    (run / "rounds.csv").write_text("round,method,round_s\none,a,2.0\n")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_no_ledger, "no ledger files"),
        (_newer, "schema 99"),
        (_cut_file, "half-written"),
        (_cut_manifest, "cannot be read"),
        (_no_manifest, "not a run directory"),
        (_bad_plans, "half-written"),
        (_bad_rounds, "rounds.csv"),
    ],
)
def test_a_run_that_cannot_be_read_is_one_line_that_names_the_file(made_run, tmp_path, spoil, words):
    run = made_run(tmp_path / "run", {"a": [np.full(6, 0.5)]})
    spoil(run)
    with pytest.raises(ChordsimError, match=words) as caught:
        page.write(run)
    assert str(run) in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(ChordsimError, match="no such folder"):
        page.write(tmp_path / "nothing")


def test_a_failing_report_does_not_lose_the_run(tiny, tmp_path, monkeypatch):
    from chordsim.api import run

    def fail(run, target=None):
        raise RuntimeError("paper jam")

    said = []

    class Listener:
        def start(self, title, total): ...

        def advance(self, steps=1, note=""): ...

        def done(self, note=""):
            said.append(note)

    monkeypatch.setattr(page, "write", fail)
    result = run("offline", overrides=tiny(methods=("uniform-2",)), out=tmp_path / "run", progress=Listener())
    assert result.manifest["status"] == "complete" and result.manifest["ledger_sha256"]
    assert any("paper jam" in note for note in said)


def test_python_gets_frames_and_figures(played_run):
    import plotly.graph_objects as go

    from chordsim.api import RunResult

    result = RunResult(played_run)
    assert {"ndcg_10_all", "up_bytes"} <= set(result.ledger.columns) and len(result.rounds) and len(result.devices)
    assert isinstance(result.figures["accuracy_against_bytes"], go.Figure)
    result.figures["bytes_by_part"].to_json()
