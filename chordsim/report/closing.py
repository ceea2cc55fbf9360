"""The later parts of the page: heterogeneity, plans, bytes, time, and how to reproduce the run."""

from __future__ import annotations

import shlex
from typing import Any

from chordsim.installed import VERSION
from chordsim.ledger.energy_words import rests_on
from chordsim.ledger.names import NOT_KEPT
from chordsim.ledger.summary import KNOWN, UNKNOWN
from chordsim.report.charts import break_even as even
from chordsim.report.charts import groups, learning, planned, predicted, times, traffic
from chordsim.report.gather import Gathered
from chordsim.report.html import Column, Grid, Section, code, folded, interval, text
from chordsim.report.source import Source
from chordsim.report.tier_gaps import LEAD, gap_grid


def heterogeneity(g: Gathered) -> Section:
    """Return accuracy, seconds and joules by tier and activity, their gaps, and the spread over users."""
    head, rows = groups.gaps(g)
    meanings = (
        "",
        "most served quarter of users minus the least",
        "1 would be the same for all phones",
        "1 would be the same for all phones",
    )
    grid = Grid([Column(h, m) for h, m in zip(head, meanings, strict=True)], rows, caption="Gaps between groups")
    note = text(rests_on(g.source.table("population")), css="soft")
    paid = gap_grid({name: facts.tier_gap.as_json(g.tiers) for name, facts in g.methods.items()})
    lead = text(LEAD, kind="h3")
    return Section("groups", "Heterogeneity", [lead, paid, grid, *_strangers(g), *groups.charts(g), note])


def _strangers(g: Gathered) -> list[Any]:
    """Return users that the cloud never trained on beside those that it did, where there are both."""
    apart = {name: m for name, m in g.source.summary.items() if UNKNOWN in m}
    if not apart:
        return []
    columns = [Column("method")]
    for group, words in ((KNOWN, "users whom the cloud trained on"), (UNKNOWN, "users whom it never trained on")):
        label = group.removesuffix("_to_cloud")
        columns += [
            Column(f"NDCG@10, {label}", f"what {words} saw, the fallback where a phone was not served"),
            Column(f"95 %, {label}", "interval, users resampled"),
            Column(f"served only, {label}", "the same over the users whom the method's model ranked for"),
            Column(f"95 %, served, {label}", "interval, users resampled"),
            Column(f"users, {label}", "who were asked"),
        ]
    rows = []
    for name, m in apart.items():
        cells: list[Any] = [name]
        for group in (KNOWN, UNKNOWN):
            seen, served = m[group]["ndcg_10_all"], m[group]["ndcg_10"]
            cells += [seen["mean"], interval(seen["ci95"]), served["mean"], interval(served["ci95"]), seen["users"]]
        rows.append(tuple(cells))
    lead = "A share of the users was kept out of the cloud's training (data.cloud_share); these are the others and they, apart."
    return [text("Users that the cloud never trained on", kind="h3"), text(lead), Grid(columns, rows)]


def plans(g: Gathered) -> Section:
    """Return what plans look like, or why there is nothing to see."""
    made: list[Any] = list(planned.charts(g, g.source.path))
    return Section("plans", "What plans look like", made or [text("No method of this run sends a plan.", css="soft")])


def traffic_section(g: Gathered) -> Section:
    """Return bytes by part, waste, forecast and break-even."""
    blocks: list[Any] = []
    against = traffic.reference(g)
    if against is not None:
        columns = (
            Column("method"),
            Column("bootstrap B", "at a phone's first contact"),
            Column("B per session", "up and down of a served session after first contact, new versions of the model included"),
            Column(f"against {against}", "where its bytes so far are fewer than those of the model shipped once"),
        )
        rows = [
            (n, f.bootstrap_once, f.session, "is the reference" if n == against else traffic.break_even(f, g.methods[against]))
            for n, f in g.methods.items()
        ]
        blocks += [
            text(f"Break-even against {against}, of this run's methods that ship a model once the one in the fewest bytes."),
            Grid(columns, rows),
        ]
    else:
        blocks.append(text("No method of this run ships a model once, so there is no break-even.", css="soft"))
    return Section("bytes", "Bytes", [*blocks, *even.blocks(g), *traffic.charts(g), *predicted.charts(g)])


def time_section(g: Gathered) -> Section:
    """Return the timeline, stragglers and where seconds go."""
    deadline = float(g.source.table("clock").get("deadline_s", 0) or 0)
    closes = "A round waits for everyone: there is no deadline."
    if deadline:
        closes = f"A round closes after {deadline:g} s; who is later is late."
    return Section("time", "Time", [text(f"{closes} All seconds are simulated."), *times.charts(g)])


def training(g: Gathered) -> list[Section]:
    """Return the training curves; nothing of a run that kept none."""
    made = learning.charts(g)
    return [Section("training", "Training", list(made))] if made else []


def reproduce(source: Source) -> Section:
    """Return commands, files and how to cite."""
    name = shlex.quote(str(source.path.name))
    version = source.manifest.get("versions", {}).get("chordsim", VERSION)
    commands = (
        f"pip install .                       # in the source of chordsim {version}: a checkout, or its archive unpacked\n"
        "chordsim run scenario.toml          # the file below, saved under this name\n"
        f"chordsim report {name}   # makes this page again from the run directory\n"
    )
    ask = (
        "import pandas as pd\n"
        f"ledger = pd.read_parquet({str(source.path.name + '/ledger')!r})\n"
        'ledger.groupby(["method", "tier"], observed=True)["ndcg_10_all"].mean()\n'
        'served = ledger[ledger["outcome"] == "served"]  # costs are of served sessions\n'
        'served.groupby(["method", "tier"], observed=True)[["down_bytes", "total_s"]].mean()\n'
    )
    blocks: list[Any] = [
        text("The same scenario, seed, versions and instruction set give the same ledger, byte for byte, on any number of workers."),
        code(commands),
    ]
    if NOT_KEPT not in source.manifest:
        blocks += [text("Every number here comes from the ledger, Parquet files that anything can read:"), code(ask)]
    if source.scenario_text:
        blocks.append(folded("scenario.toml, fully resolved", code(source.scenario_text)))
    whole = f"All {source.checked.files:,} files of the run matched their checksums (SHA256SUMS) when this page was made."
    blocks.append(text(source.checked.doubt or whole, css="soft"))
    why = "rows were not kept" if NOT_KEPT in source.manifest else "the run did not end whole"
    digest = source.manifest.get("ledger_sha256") or f"none, since {why}"
    blocks.append(text(f"To cite: chordsim {VERSION}, scenario {source.name}, seed {source.seed}, ledger {digest}.", css="soft"))
    return Section("reproduce", "How to reproduce", blocks)
