"""report.html: whole, self-contained, in order, from any run that has a ledger; one line for any that has none."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser

import numpy as np
import pytest

from chordsim.errors import ChordsimError
from chordsim.report import page
from chordsim.store import training
from chordsim.store.training import CurveLine

ORDER = [
    "The answer",
    "Who won, at what cost",
    "Who was left out",
    "Heterogeneity",
    "What plans look like",
    "Bytes",
    "Time",
    "What was run",
    "How to reproduce",
]
#: The same where models were trained.
TRAINED = [*ORDER[:7], "Training", *ORDER[7:]]


class Page(HTMLParser):
    """Collects headings, addresses, charts, and of each table its caption or label and how its heads are scoped."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings, self.addresses, self.plots, self.tables, self._in, self._figure = [], [], {}, [], None, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.addresses += [attrs[name] for name in ("src", "href", "action", "data") if attrs.get(name)]
        self._in = tag if tag == "h2" else None
        if tag == "figure":
            self._figure = attrs["id"]
        elif tag == "svg" and "plot" in attrs.get("class", ""):
            self.plots.setdefault(self._figure, []).append(attrs)
        elif tag == "div" and attrs.get("role") == "region":
            self.tables.append((attrs["aria-label"], []))
        elif tag == "th":
            self.tables[-1][1].append(attrs.get("scope"))

    def handle_data(self, data):
        if self._in == "h2":
            self.headings.append(data)

    def handle_endtag(self, tag):
        self._in = None


@pytest.fixture(scope="module")
def shown(played_run):
    text = (played_run / "report.html").read_text()
    return text, Page(text)


def test_a_run_ends_with_a_page_whose_sections_stand_in_order(shown):
    assert shown[1].headings == TRAINED


def test_the_page_is_small_and_asks_for_nothing(shown):
    text, parsed = shown
    assert len(text.encode()) < 1e6
    assert all(address.startswith(("#", "data:text/csv;base64,", "data:image/png;base64,")) for address in parsed.addresses)
    assert "default-src 'none'" in text


def test_every_chart_says_what_it_shows_and_has_its_numbers_as_csv(shown, played_run):
    _, parsed = shown
    charts = {chart.key: chart for chart in page.charts(played_run)}
    assert list(parsed.plots) and sorted(parsed.plots) == sorted(charts) and len(charts) > 20
    for key, drawn in parsed.plots.items():
        sizes = [{"broad", "slim"} & set(attrs["class"].split()) for attrs in drawn]
        assert len(drawn) == 2 * len(charts[key].plots) and {"broad"} in sizes and {"slim"} in sizes
        assert all(attrs["role"] == "img" and attrs["aria-label"].startswith(charts[key].title) for attrs in drawn)
    links = [a for a in parsed.addresses if a.startswith("data:text/csv")]
    told = [base64.b64decode(link.partition(",")[2]).decode() for link in links]
    assert sorted(told) == sorted(chart.csv() for chart in charts.values())


def test_every_table_has_a_name_and_heads_that_say_what_they_are_of(shown):
    assert len(shown[1].tables) > 30
    for name, scopes in shown[1].tables:
        assert name and scopes and set(scopes) <= {"col", "row"}


def test_the_answer_comes_first_and_settings_last(shown):
    text = shown[0]
    first = text[text.index('id="answer"') : text.index("<nav")]
    for question in ("Who is best?", "At what cost?", "What is not settled?", "Who was left out?", "What would change it?"):
        assert question in first
    assert all(f"</span>{name}</th>" in first for name in ("fp32", "chord-plus", "cloud-only"))
    assert "Settings and data" not in first


def test_a_method_that_ties_with_the_best_shares_the_answer(made_run, tmp_path):
    rng = np.random.default_rng(3)
    base, near = rng.random(80) / 2, rng.normal(size=80) / 100
    rounds = {"fp32": [base], "good": [base + 0.3 + near], "alike": [base + 0.3]}
    text = page.write(made_run(tmp_path / "run", rounds)).read_text()
    assert "gave users the best lists" in text and "which of them is best is not settled" in text
    text = page.write(made_run(tmp_path / "lone", {"fp32": [base + 0.3], "bad": [base]})).read_text()
    assert "No method gave users better lists than fp32." in text


def test_training_curves_stand_where_they_were_kept(made_run, tmp_path):
    run = made_run(tmp_path / "run", {"a": [np.full(6, 0.5)]})
    lines = [
        CurveLine("a", 1, "loss", "", "", 1.0),
        CurveLine("a", 2, "loss", "", "", 0.5),
        CurveLine("a", 2, "validation_ndcg_10", "", "", 0.25),
    ]
    lines += [CurveLine("a", 2, "share", layer, str(code), share) for layer, share in (("one", 0.5), ("two", 0.25)) for code in range(4)]
    training.write(run, lines)
    parsed = Page(page.write(run, check=False).read_text())
    assert {"training_validation_ndcg_10", "training_loss", "training_codes_a"} <= set(parsed.plots)
    assert parsed.headings == TRAINED
    drawn = {chart.key: chart.rows for chart in page.charts(run)}
    assert drawn["training_loss"] == [("a", 1, 1.0), ("a", 2, 0.5)]
    assert drawn["training_codes_a"] == [(f"code {code}", 2, 0.375) for code in range(4)]
    for damaged in ("method,step\n", "", "method,step,what,layer,code,value\na,one,loss,,,1\n", 'method,"'):
        (run / "training.csv").write_text(damaged)
        with pytest.raises(ChordsimError, match=r"training\.csv"):
            page.write(run, check=False)


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
    assert Page(page.write(run).read_text()).headings == TRAINED


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


def test_python_gets_frames_and_charts(played_run, tmp_path):
    from chordsim.api import RunResult

    result = RunResult(played_run)
    assert {"ndcg_10_all", "up_bytes"} <= set(result.ledger.columns) and len(result.rounds) and len(result.devices)
    chart = result.figures["accuracy_against_bytes"]
    assert chart.figure().axes and "<svg" in chart._repr_html_()
    chart.save(tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ChordsimError, match=r"chart\.gif"):
        chart.save(tmp_path / "chart.gif")
