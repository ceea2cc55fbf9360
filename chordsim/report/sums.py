"""The page of a run that kept no rows, or that ranked nothing: what summary.json holds of a fleet, method by method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chordsim.evaluate import NOTHING
from chordsim.ledger.columns import OUTCOMES
from chordsim.ledger.energy_words import rests_on, sensitivity
from chordsim.ledger.figures import at
from chordsim.ledger.names import NOT_KEPT
from chordsim.report.charts import fleet
from chordsim.report.charts.chart import Chart
from chordsim.report.fleet_answer import answer
from chordsim.report.html import Column, Grid, Section, text
from chordsim.report.source import Source
from chordsim.report.tier_gaps import LEAD, gap_grid


@dataclass(frozen=True)
class Figure:
    """A number that summary.json holds of a method.

    Attributes:
        head: Its name, with the unit.
        meaning: In one line.
        path: Its keys.
        factor: What it is multiplied by before it is shown.
    """

    head: str
    meaning: str
    path: tuple[str, ...]
    factor: float = 1.0

    def of(self, method: Mapping[str, Any]) -> float | None:
        """Return the number, or None where there is none."""
        found = at(method, *self.path)
        return None if found is None else found * self.factor


#: What a fleet costs, per served session and all together.
FIGURES = (
    Figure("served %", "device-rounds that ended with a prescription, a model or a list in use, in time", ("served_share",), 100.0),
    Figure("bits", "stored bits per weight, mean by fan-in", ("bits_mean",)),
    Figure("first contact B", "bytes down before a phone's first round", ("first_contact", "down_bytes")),
    Figure("down B/session", "bytes down of a served session after first contact", ("per_session", "down_bytes")),
    Figure("up B/session", "bytes up of a served session, instrumentation left out", ("per_session", "up_bytes")),
    Figure("new version B", "bytes down when the model is renewed", ("per_version", "down_bytes")),
    Figure(
        "B after 10",
        "bytes up and down of a phone after ten served sessions, bootstrap and instrumentation included",
        ("bytes_after_sessions", "10"),
    ),
    Figure(
        "waste B/device-round", "bytes that crossed for rounds that did not serve, over all device-rounds", ("wasted_bytes_per_device",)
    ),
    Figure("p50 s", "median simulated seconds of a served session", ("per_session", "seconds_p50")),
    Figure("p95 s", "95th percentile of the same", ("per_session", "seconds_p95")),
    Figure("p99 s", "99th percentile of the same", ("per_session", "seconds_p99")),
    Figure("J/session", "joules of computing and radio per served session", ("per_session", "joules")),
    Figure("assumed %", "share of these joules that rests on assumed constants", ("energy", "assumed_share"), 100.0),
    Figure("tail %", "share of these joules that the radio's tail makes", ("energy", "tail_share"), 100.0),
    Figure("fleet down GB", "bytes down of all device-rounds, in 10^9", ("fleet", "down_gb")),
    Figure("fleet up GB", "bytes up of all device-rounds, instrumentation apart", ("fleet", "up_gb")),
    Figure("fleet wasted GB", "of both, what crossed for rounds that did not serve", ("fleet", "wasted_gb")),
    Figure("fleet kWh", "joules of all device-rounds, in 3.6 million", ("fleet", "kwh")),
    Figure("assumed % of kWh", "share of them that rests on assumed constants", ("fleet", "assumed_share"), 100.0),
)


def known(methods: list[Mapping[str, Any]]) -> list[Figure]:
    """Return the figures that any of these methods has."""
    return [figure for figure in FIGURES if any(figure.of(method) is not None for method in methods)]


def has_no_rows(source: Source) -> bool:
    """Return whether a run ended that kept no rows, only their sums."""
    return NOT_KEPT in source.manifest and bool(source.summary)


def sections(source: Source) -> list[Section]:
    """Return what a page can say of such a run: what was run, what it cost, whom it left out, tier by tier."""
    methods = source.summary
    figures = known(list(methods.values()))
    head = [Column("method"), *(Column(figure.head, figure.meaning) for figure in figures)]
    costs = Grid(head, [(name, *(figure.of(m) for figure in figures)) for name, m in methods.items()], caption="What it costs")
    left = Grid(
        [Column("method"), *(Column(f"{word} %") for word in OUTCOMES)],
        [(name, *(100 * m["outcomes"][word] / max(m["device_rounds"], 1) for word in OUTCOMES)) for name, m in methods.items()],
    )
    by_tier = known([tier for m in methods.values() for tier in m["per_tier"].values()])
    tiers = Grid(
        [Column("method"), Column("tier"), Column("device-rounds"), *(Column(figure.head, figure.meaning) for figure in by_tier)],
        [
            (name, tier, facts["device_rounds"], *(figure.of(facts) for figure in by_tier))
            for name, m in methods.items()
            for tier, facts in m["per_tier"].items()
        ],
        caption="Tier by tier",
    )
    leave = Grid(left.columns, left.rows, caption="How rounds ended")
    return [
        answer(source, source.manifest[NOT_KEPT]),
        Section("costs", "What it cost", [*_some(fleet.cost(methods)), costs, *_rests(methods)]),
        Section("left-out", "Who was left out", [*_some(fleet.left_out(methods)), leave]),
        Section(
            "groups",
            "Heterogeneity",
            [*_paid(methods), *_some(fleet.groups(methods)), tiers, text(rests_on(source.table("population")), css="soft")],
        ),
        Section("run", "What was run", [*(text(str(remark)) for remark in source.manifest.get("remarks", [])), _facts(source)]),
    ]


def _paid(methods: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    gaps = gap_grid({name: m.get("tier_gap", {}) for name, m in methods.items()})
    return [text(LEAD, kind="h3"), gaps] if len(gaps.columns) > 2 else []


def about(source: Source) -> str:
    """Return in a line what was played."""
    devices, rounds = source.manifest.get("devices", {}).get("fleet"), source.manifest.get("protocol", {}).get("rounds")
    parts = [f"{len(source.summary)} method{'s' * (len(source.summary) != 1)}"]
    parts += [f"{devices:,} phones"] if isinstance(devices, int) else [str(devices)] if devices else []
    return ", ".join([*parts, *([f"{rounds} rounds"] if rounds else [])]) + ", in sizes."


def _some(charts: list[Chart]) -> list[Any]:
    return [chart for chart in charts if chart.rows]


def _rests(methods: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    words = sensitivity({name: m.get("energy", {}) for name, m in methods.items()})
    return [text(f"{words[:1].upper()}{words[1:]}.", css="soft")] if words else []


def _facts(source: Source) -> Grid:
    manifest, devices = source.manifest, source.manifest.get("devices", {})
    rows = [
        ("scenario", source.name, "name of the scenario; its file stands at the end of this page"),
        ("methods", ", ".join(source.summary), "ways to personalise, all on the same phones"),
        ("device-rounds", sum(m["device_rounds"] for m in source.summary.values()), "selected phones, rounds and methods"),
        ("fleet", devices.get("fleet"), "phones"),
        ("devices.parquet", devices.get("which"), "which phones the file holds"),
        ("rounds", manifest.get("protocol", {}).get("rounds"), "of the scenario"),
        ("ranking", manifest.get("protocol", {}).get("ranking", NOTHING), "what the target was ranked among"),
        ("seed", source.seed, "everything random follows from it"),
    ]
    columns = (Column("what"), Column("value"), Column("meaning"))
    return Grid(columns, [row for row in rows if row[1] not in (None, "")], "facts")
