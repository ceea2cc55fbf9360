"""Writes docs/personal-plans.md and its figures from the raw tables alone: each experiment's claim, rival, falsifier, figure, verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.markdown import table
from benchmarks.personal_plans import drawings
from benchmarks.personal_plans.by_length import BY_LENGTH
from benchmarks.personal_plans.declared import Experiment
from benchmarks.personal_plans.experiments import ASKED, EXPERIMENTS, SMALLEST, SMALLEST_100K, SMALLEST_GROWTH, SMALLEST_MODELS
from benchmarks.personal_plans.judging import chosen, claims, controls, decisive
from benchmarks.suites.figures import Book
from benchmarks.suites.sections import differences, missing, number, verdicts
from benchmarks.suites.sheets import MISSING, Line, read_lines
from benchmarks.suites.verdicts import HELD, NOT_HELD, NOT_MEASURED
from chordsim.report.charts.chart import Chart
from chordsim.report.drawn import picture

NAME = "personal-plans.md"
_HEAD, _BECAME = (Path(__file__).parent / f"{name}.md" for name in ("head", "became"))
_NOTHING = "**Not measured yet**: no arm of it has been played. What follows was declared ([what is missing](#what-is-missing))."
_COSTS = """A session's bytes go up and down, the report that only a simulation needs included; operations are multiply-accumulates of one
request."""


def write(tables: Path, docs: Path, experiments: Sequence[Experiment] = EXPERIMENTS) -> list[Path]:
    """Write the page, and its figures where there is something to draw; return the files.

    Args:
        tables: Where the CSV tables are.
        docs: Where the page goes.
        experiments: What was declared.

    Raises:
        OSError: A table is not there, or a file cannot be written.
    """
    book = Book.read(tables)
    told = read_lines(tables / BY_LENGTH) if (tables / BY_LENGTH).exists() else []
    each = (drawn for one in experiments for drawn in (drawings.accuracy(book, one), drawings.lengths(told, one)))
    drawn = (*each, drawings.costs(book, experiments))
    charts = {chart.key: chart for chart in drawn if chart}
    out = [docs / f"{key}.svg" for key in charts]
    for path, chart in zip(out, charts.values(), strict=True):
        path.write_bytes(picture(chart, "svg"))
    (docs / NAME).write_text(page(book, experiments, charts, told))
    return [docs / NAME, *out]


def page(book: Book, experiments: Sequence[Experiment], charts: dict[str, Chart], told: Sequence[Line]) -> str:
    """Return the page."""
    bar = max(ASKED, *SMALLEST.values())
    effects = {"one": SMALLEST[1], "five": SMALLEST[5], "growth": SMALLEST_GROWTH, "models": SMALLEST_MODELS, "few": SMALLEST_100K[5]}
    shares = {"asked": ASKED, "bar": bar, **effects}
    head = _HEAD.read_text().format(**{name: f"{value * 100:.3g} %" for name, value in shares.items()})
    each = (_experiment(book, one, charts, told) for one in experiments)
    parts = [head, _short(book, experiments), _BECAME.read_text(), *each, _costs(book, experiments, charts), missing(book)]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _short(book: Book, experiments: Sequence[Experiment]) -> str:
    """Return what experiments stand or fall with, as far as it is measured, and how many of their other claims hold."""
    rows: list[tuple[str, ...]] = []
    for one in experiments:
        name = f"{one.title} ({one.number})"
        if not drawings.measured(book, one):
            rows.append((name, "no arm of it has been played", "-", f"**{NOT_MEASURED}**"))
            continue
        for claim in decisive(one):
            found = claim.judge(book)
            rows.append((name, claim.text, found.measured, f"**{found.verdict}**"))
            name = ""
        others = Counter(claim.judge(book).verdict for claim in controls(one))
        told = ", ".join(f"{others[verdict]} {verdict}" for verdict in (HELD, NOT_HELD, NOT_MEASURED) if others[verdict])
        rows.append(("", "controls and references", told, "-"))
    return f"## In short\n\n{table(('experiment', 'claim', 'measured', 'verdict'), rows, words=4)}"


def _experiment(book: Book, experiment: Experiment, charts: dict[str, Chart], told: Sequence[Line]) -> str:
    lines = drawings.measured(book, experiment)
    parts = [
        f"## {experiment.number}. {experiment.title}",
        f"- **Claim**: {experiment.claim}.\n- **Rival**: {experiment.rival}.\n- **Falsified if** {experiment.falsifier}.",
        _NOTHING if not lines else f"{len(lines)} of {len(experiment.arms)} arms are measured.",
        "### Verdicts" if lines else "### What is claimed",
        verdicts(book, claims(experiment)) if lines else _declared(experiment),
        _figure(charts.get(f"personal-plans-{experiment.name}")),
        "### Arms",
        _arms(book, experiment),
        _rivals(book, experiment),
        _lengths(experiment, charts, told),
    ]
    if lines:
        parts.append(differences(book, experiment.name, "", experiment.family()))
    return "\n\n".join(part for part in parts if part)


def _declared(experiment: Experiment) -> str:
    """Return claims and targets of an experiment of which nothing is measured."""
    return table(("claim", "target"), [(claim.text, claim.target) for claim in claims(experiment)], words=2)


def _figure(chart: Chart | None) -> str:
    return f"![{chart.title}: {chart.meaning}]({chart.key}.svg)" if chart else ""


def _arms(book: Book, experiment: Experiment) -> str:
    """Return every arm with its settings, and with validation, accuracy and costs where any arm has them."""
    head: tuple[str, ...] = ("arm", "what", "method", "set besides")
    if drawings.measured(book, experiment):
        head += ("seeds", "validation NDCG@10", "NDCG@10", "stored bits", "million operations")
    rows = []
    for arm in experiment.arms:
        about = (
            f"`{arm.name}`",
            arm.about,
            f"`{arm.method}`",
            ", ".join(f"`{text}`" for text in arm.settings if text not in experiment.frozen),
        )
        line, first = book.line(experiment.key(arm.name)), book.line(experiment.key(arm.name), "1")
        if line is None:
            rows.append((*about, *[MISSING] * (len(head) - len(about))))
            continue
        ends = f" ({number(line['ndcg_10_low'])} to {number(line['ndcg_10_high'])})" if line["ndcg_10_low"] else ""
        operations = f"{float(line['macs']) / 1e6:,.2f}" if line.get("macs") else "-"
        shown = number(line["ndcg_10"]) + ends
        validation = number(first["validation_ndcg_10"]) if first else "-"
        rows.append((*about, line["seeds"], validation, shown, number(line["bits_mean"], 2), operations))
    recipe = ", ".join(f"`{text}`" for text in experiment.overrides)
    frozen = ", ".join(f"`{text}`" for text in experiment.frozen)
    recipe = f"All arms, over the scenario `{experiment.scenario}`: {recipe}; frozen-weight arms: {frozen}. Validation is that of seed 1."
    return f"{recipe}\n\n{table(head, rows, words=4)}"


def _rivals(book: Book, experiment: Experiment) -> str:
    """Return which rivals validation has chosen."""
    found = [(contest, chosen(book, experiment, contest)) for contest in experiment.contests]
    told = [f"`{rival}` against `{contest.own}`" for contest, rival in found if rival]
    return f"Chosen by validation: {', '.join(told)}." if told else ""


def _lengths(experiment: Experiment, charts: dict[str, Chart], told: Sequence[Line]) -> str:
    """Return gains by length of history, drawn and as a table; nothing where the experiment asks for none."""
    if not experiment.lengths:
        return ""
    rows = []
    for own, other in experiment.lengths:
        for line in told:
            if (line["own"], line["other"]) == (experiment.key(own), experiment.key(other)):
                ends = f" ({float(line['low']):+.4f} to {float(line['high']):+.4f})" if line["low"] else ""
                gain = f"{float(line['difference']):+.4f}{ends}" if line["difference"] else "-"
                means = (number(line["own_mean"]), number(line["other_mean"]))
                rows.append((f"`{own}`", f"`{other}`", line["seeds"], drawings.span(line), line["users"], *means, gain))
    if not rows:
        pairs = ", ".join(f"`{own}` over `{other}`" for own, other in experiment.lengths)
        return f"### By length of history\n\n**Not measured yet**: {pairs}."
    head = ("own", "other", "seeds", "items before the first target", "users", "own NDCG@10", "other", "difference (95 %)")
    about = "Up to 50 items there is nothing older to read: an interval above zero there would say that the gain is not of older items."
    parts = [
        "### By length of history",
        about,
        _figure(charts.get(f"personal-plans-{experiment.name}-lengths")),
        table(head, rows, words=2),
    ]
    return "\n\n".join(part for part in parts if part)


def _costs(book: Book, experiments: Sequence[Experiment], charts: dict[str, Chart]) -> str:
    """Return accuracy against bytes a session, stored bits and operations, drawn and as a table."""
    head = ("experiment", "arm", "bytes a session", "stored bits", "million operations", "bytes after 100 sessions", "NDCG@10")
    rows = []
    for experiment in experiments:
        for name, line in drawings.measured(book, experiment).items():
            session = drawings.session_bytes(line)
            operations = f"{float(line['macs']) / 1e6:,.2f}" if line.get("macs") else "-"
            bytes_ = ("-" if session is None else f"{session:,.0f}", number(line["bits_mean"], 2), operations)
            rows.append((experiment.name, f"`{name}`", *bytes_, number(line["bytes_after_100"], 0), number(line["ndcg_10"])))
    title = "## Accuracy against bytes a session, stored bits and operations"
    if not rows:
        return f"{title}\n\n**Not measured yet.**"
    return "\n\n".join([title, _figure(charts.get("personal-plans-costs")), _COSTS, table(head, rows, words=2)])
