"""The first parts of the page: what was run, who won at what cost, who was left out."""

from __future__ import annotations

from typing import Any

from chordsim.config.model import OWN_SETTINGS
from chordsim.ledger.columns import OUTCOMES
from chordsim.ledger.energy_words import percent, phones_of, sensitivity
from chordsim.numerics import words
from chordsim.report.against import Against, headline, table
from chordsim.report.asked_for import asked_for
from chordsim.report.charts import budgets as by_budget
from chordsim.report.charts import cost, served
from chordsim.report.data_facts import data_rows
from chordsim.report.gather import Gathered
from chordsim.report.html import Column, Grid, Section, folded, grid_html, interval, text
from chordsim.report.listed import listed

_RESULTS = (
    Column("method", "name in the scenario"),
    Column("NDCG@10, all users", "of what every user saw, the fallback where the method did not serve; the primary view; mean over users"),
    Column("95 % interval", "over users, of NDCG@10 of all users"),
    Column("NDCG@10, served", "only users whom the method's model ranked for"),
    Column("NDCG@10, served by all", "only users whom every method of this run served"),
    Column("HR@10, served", "share of served users' targets that stand among the first ten"),
    Column("users", "with a value of NDCG@10 of all users"),
)
_COSTS = (
    Column("method", "name in the scenario"),
    Column("served %", "device-rounds that ended with a prescription, a model or a list in use, in time"),
    Column("bits", "stored bits per weight, mean by fan-in; none where no model is on the phone"),
    Column("first contact B", "bytes down before a phone's first session, once"),
    Column("down B/session", "bytes down of a served session, bootstraps apart"),
    Column("up B/session", "bytes up of a served session, instrumentation apart"),
    Column("new version B", "bytes down to a phone when the cloud's model is renewed"),
    Column("waste B/device-round", "bytes that crossed for rounds that did not serve, over all device-rounds"),
    Column("B after 1", "bytes up and down of a phone after one served session, bootstrap and instrumentation included"),
    Column("B after 10", "the same after ten, with what new versions of the model bring"),
    Column("B after 100", "the same after a hundred"),
    Column("p50 s", "median simulated seconds of a served session"),
    Column("p95 s", "95th percentile of the same"),
    Column("p99 s", "99th percentile of the same"),
    Column("J/session", "joules of computing and radio of a served session, instrumentation apart"),
    Column("assumed %", "share of these joules that rests on assumed constants"),
    Column("tail %", "share of these joules that the radio's tail makes, after the last byte"),
    Column("memory B", "most memory that any phone needed for the model at its peak"),
)

_FLEET = (
    Column("method"),
    Column("device-rounds", "selected phones, rounds"),
    Column("sessions", "of them, those that were served"),
    Column("down GB", "bytes down of all device-rounds, bootstraps included, in 10^9"),
    Column("up GB", "bytes up, instrumentation apart"),
    Column("wasted GB", "of both, what crossed for rounds that did not serve"),
    Column("kWh", "joules of all device-rounds, in 3.6 million"),
    Column("assumed %", "share of them that rests on assumed constants"),
)
#: Facts that stand open; the others open on a click.
_FIRST = frozenset(
    "scenario|methods|data|told of the data|users|phones|tiers|rounds|backbone|ranking|seed|numerics|ledger sha256".split("|")
)


def what_was_run(g: Gathered) -> Section:
    """Return the facts of the run."""
    source, manifest = g.source, g.source.manifest
    data, protocol = manifest.get("data", {}), manifest.get("protocol", {})
    blocks: list[Any] = [text(str(remark)) for remark in manifest.get("remarks", [])]
    backbone, engine = source.table("backbone"), manifest.get("engine", {})
    took = source.engine
    rows: list[tuple[str, Any, str]] = [
        ("scenario", source.name, "name of the scenario; its file stands at the end of this page"),
        ("methods", ", ".join(g.methods), "ways to personalise, all on the same users and phones"),
        ("data", data.get("name"), f"sha256 of what was used: {str(data.get('digest', 'not told'))[:16]}"),
        *data_rows(data),
        ("users", g.users, "people whose interactions are played; statistics cluster by them"),
        ("device-rounds", sum(f.device_rounds for f in g.methods.values()), "ledger rows: selected phones, rounds and methods"),
        ("phones", _phones(g), "selected in one round at most"),
        ("tiers", ", ".join(g.tiers), phones_of(source.table("population"))),
        ("rounds", max((r.round for f in g.methods.values() for r in f.rounds), default=0), "next-item predictions per user, one a round"),
        ("backbone", _backbone(backbone), "the recommender that phones own; its width is part of every comparison"),
        ("seed", source.seed, "everything random follows from it"),
        ("ranking", protocol.get("ranking"), "what the target was ranked among"),
        ("candidates", protocol.get("retriever"), "who lists what is ranked"),
        ("seen items", protocol.get("seen_items"), "how items that the user already had are treated"),
        ("ties", protocol.get("ties"), "rank of equal scores"),
        ("hold-out", protocol.get("hold_out"), "what is test and what is history"),
        ("engine", f"{engine.get('kind', 'unknown')}, workers {engine.get('workers', 0) or 'one per core'}", "what carried the work"),
        ("wall clock (s)", took.get("wall_s"), "how long the run took on this machine"),
        ("training (s)", took.get("train_s"), "of it, training on the cloud; little where models came from the cache"),
        ("device-rounds per second", took.get("device_rounds_per_s"), "speed of the rounds on this machine"),
        ("peak memory (B)", took.get("peak_rss_bytes"), "of the main process"),
        ("versions", ", ".join(f"{k} {v}" for k, v in manifest.get("versions", {}).items()), "of what decides the last bits"),
        (
            "numerics",
            words(manifest.get("numerics")),
            "types, kernels, instructions, threads; others give other last bits",
        ),
        ("ledger sha256", manifest.get("ledger_sha256"), "equal hash, equal ledger, on any number of workers"),
    ]
    columns = (Column("what"), Column("value"), Column("meaning"))
    told = [row for row in rows if row[1] not in (None, "")]
    first = Grid(columns, [row for row in told if row[0] in _FIRST], "facts", "Settings and data")
    more = Grid(columns, [row for row in told if row[0] not in _FIRST], "facts", "Protocol, versions, speed")
    return Section("run", "What was run", [*blocks, first, folded("More: protocol, versions, speed", grid_html(more))])


def about(g: Gathered) -> str:
    """Return in a line what was played: data, users, phones, methods, rounds."""
    data = g.source.manifest.get("data", {}).get("name")
    rounds = max((r.round for f in g.methods.values() for r in f.rounds), default=0)
    parts = [f"{len(g.methods)} method{'s' * (len(g.methods) != 1)}", f"{g.users:,} users", f"{_phones(g):,} phones a round"]
    parts += [f"{rounds} round{'s' * (rounds != 1)}"]
    return ", ".join([*([str(data)] if data else []), *parts]) + "."


def who_won(g: Gathered, found: Against | None) -> Section:
    """Return accuracy beside cost, and how sure the differences are."""
    blocks: list[Any] = [] if found is None else [text(headline(g, found), css="lead")]
    if g.source.sizes_only:
        blocks.append(text('Nothing was ranked: protocol.metrics = "none". What follows is what it costs.', css="lead"))
    blocks += cost.charts(g)
    if not g.source.sizes_only:
        blocks.append(Grid(_RESULTS, [_result(g, name) for name in g.methods], caption="Accuracy in three views"))
        blocks += table(found) if found is not None else []
        blocks += [*listed(g.source.summary), *asked_for(g.source.summary)]
    blocks.append(Grid(_COSTS, [_cost(g, name) for name in g.methods], caption="What it costs"))
    words = sensitivity({name: facts.costs.energy(g.assumed) for name, facts in g.methods.items()})
    blocks += [text(f"{words[:1].upper()}{words[1:]}.", css="soft")] if words else []
    blocks += [text("The whole fleet, in this run", kind="h3"), Grid(_FLEET, [_fleet(g, name) for name in g.methods])]
    return Section("won", "Who won, at what cost", blocks)


def who_was_left_out(g: Gathered) -> Section:
    """Return outcomes, refusals and what bound."""
    columns = (
        Column("method"),
        *(
            Column(f"{word} %", meaning)
            for word, meaning in zip(
                OUTCOMES,
                (
                    "ended in time with a prescription, model or list in use",
                    "a budget of the phone did not hold, on the cloud or on the phone",
                    "the phone did not answer",
                    "it left in the middle of a transfer",
                    "it finished after the round closed",
                    "an error, named in the manifest",
                ),
                strict=True,
            )
        ),
    )
    rows = [(n, *(100 * c / max(f.device_rounds, 1) for c in f.outcomes.sum(0).tolist())) for n, f in g.methods.items()]
    worst = min(g.methods, key=lambda n: g.methods[n].served / max(g.methods[n].device_rounds, 1))
    facts = g.methods[worst]
    lead = f"{worst} left the most out: it served {100 * facts.served / max(facts.device_rounds, 1):.1f} % of device-rounds."
    if all(f.served == f.device_rounds for f in g.methods.values()):
        lead = "No one was left out: every method served every phone in every round."
    blocks: list[Any] = [text(lead, css="lead"), *by_budget.charts(g), *served.charts(g), Grid(columns, rows, caption="How rounds ended")]
    budgets = g.source.manifest.get("budgets", {})
    if "warning" in budgets:
        blocks.insert(1, text(f"Warning: {budgets['warning']}."))
    return Section("left-out", "Who was left out", [*blocks, *_what_bound(budgets)])


def _what_bound(budgets: dict[str, Any]) -> list[Any]:
    """Return which budgets bound in how many rows, with the joules of a day under their own name."""
    bound = budgets.get("bound_rows", {})
    if not any(any(counts.values()) for counts in bound.values()):
        return []
    columns = (
        Column("method"),
        Column("memory", "device-rounds that memory bound or refused"),
        Column("latency", "that the tier's latency_ms bound or refused"),
        Column("joules", "that joules_per_day bound or refused, through the latency it allows; the ledger's binding says latency"),
        Column("bits", "that the cap on bits per weight bound or refused"),
    )
    rows = [(name, *(counts.get(column.head) for column in columns[1:])) for name, counts in bound.items()]
    return [text("Which budget bound, in device-rounds", kind="h3"), Grid(columns, rows)]


def _result(g: Gathered, name: str) -> tuple[Any, ...]:
    estimates = g.estimates[name]
    return (
        name,
        estimates["ndcg_10_all"].mean,
        interval(estimates["ndcg_10_all"].ci95),
        estimates["ndcg_10"].mean,
        g.common[name],
        estimates["hr_10"].mean,
        estimates["ndcg_10_all"].users,
    )


def _cost(g: Gathered, name: str) -> tuple[Any, ...]:
    facts = g.methods[name]
    session, energy = facts.costs.per_session(), facts.costs.energy(g.assumed)
    return (
        name,
        100 * facts.served / max(facts.device_rounds, 1),
        facts.bits_mean,
        facts.sessions.first_contact,
        session["down_bytes"],
        session["up_bytes"],
        facts.per_version,
        facts.costs.wasted_per_device_round,
        facts.after(1),
        facts.after(10),
        facts.after(100),
        *(session[f"seconds_{share}"] for share in ("p50", "p95", "p99")),
        session["joules"],
        *(percent(energy[f"{part}_share"]) for part in ("assumed", "tail")),
        facts.peak_memory_bytes or None,
    )


def _fleet(g: Gathered, name: str) -> tuple[Any, ...]:
    facts = g.methods[name]
    fleet = facts.costs.fleet(g.assumed)
    figures = (fleet[key] for key in ("sessions", "down_gb", "up_gb", "wasted_gb", "kwh"))
    return (name, facts.device_rounds, *figures, percent(fleet["assumed_share"]))


def _phones(g: Gathered) -> int:
    return max((r.selected for f in g.methods.values() for r in f.rounds), default=0)


def _backbone(table: dict[str, Any]) -> str:
    if not table:
        return ""
    names = ("dim", *OWN_SETTINGS.get(str(table.get("kind")), ()), "max_len", "embedding_bits", "init")
    told = {name: table.get(name) for name in names} | dict(table.get("settings") or {})
    return f"{table.get('kind')}, " + ", ".join(f"{name} {value}" for name, value in told.items())
