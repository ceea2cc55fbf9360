"""Runs of Flower apps side by side: what their own metrics came to, for how many bytes, joules and simulated hours."""

from __future__ import annotations

from typing import Any

from chordsim.compare.compare import Comparison
from chordsim.fitted import Fitted
from chordsim.ledger.energy_words import percent
from chordsim.report.gather import Gathered
from chordsim.report.html import Column, Grid, cell

_APP = "flower:"
_COLUMNS = (
    Column("run"),
    Column("app", "name of the Flower app"),
    Column("rounds", "of the ledger; of a buffered run, versions"),
    Column("served %", "device-rounds whose replies were used"),
    Column("down B/round", "bytes that crossed down, per device-round"),
    Column("up B/round", "bytes that crossed up, per device-round"),
    Column("MB in all", "bytes that crossed, both ways, of the whole run"),
    Column("J/round", "joules of computing and radio per device-round"),
    Column("assumed %", "share of these joules that rests on assumed constants"),
    Column("hours", "simulated hours in which a round was under way"),
)


def is_of_apps(comparison: Comparison) -> bool:
    """Return whether every run is a Flower app's; runs in sizes are gathered by nobody and are not."""
    return bool(comparison.gathered) and all(name.startswith(_APP) for g in comparison.gathered for name in g.methods)


def grid(comparison: Comparison) -> Grid:
    """Return one row for each run and app, with the last value of each metric."""
    told = [(run, name, g, _metrics(g, name)) for run, g in zip(comparison.names, comparison.gathered, strict=True) for name in g.methods]
    metrics = list(dict.fromkeys(metric for *_, found in told for metric in found))
    rows = [(run, *_costs(g, name), *(found.get(metric) for metric in metrics)) for run, name, g, found in told]
    return Grid((*_COLUMNS, *(Column(metric, "the app's own metric, in the last round that told it") for metric in metrics)), rows)


def terminal_table(comparison: Comparison) -> Fitted:
    """Return the same for the terminal."""
    made = grid(comparison)
    rows = [tuple("-" if value is None else cell(value) for value in row) for row in made.rows]
    return Fitted(("run", "app"), [column.head for column in made.columns[2:]], rows)


def _metrics(g: Gathered, name: str) -> dict[str, float]:
    found = g.source.summary.get(name, {}).get("metrics", {})
    return found if isinstance(found, dict) else {}


def _costs(g: Gathered, name: str) -> tuple[Any, ...]:
    facts = g.methods[name]
    count = max(facts.device_rounds, 1)
    down, up = facts.bytes["down_bytes"], facts.bytes["up_bytes"]
    hours = sum(seconds for (method, _), seconds in g.source.closed_s.items() if method == name) / 3600
    served = 100 * facts.served / count
    return (
        name.removeprefix(_APP),
        len(facts.rounds),
        served,
        down / count,
        up / count,
        (down + up) / 1e6,
        facts.costs.joules_per_device_round,
        percent(facts.costs.fleet(g.assumed)["assumed_share"]),
        hours,
    )
