"""A run's table for a paper: every method's NDCG@10 with its interval, its difference to the baseline, and its bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chordsim.errors import RunError
from chordsim.ledger.damage import of_runs
from chordsim.ledger.energy_words import percent, sensitivity
from chordsim.report.against import against_baseline
from chordsim.report.gather import Gathered, gather
from chordsim.report.paper import Cell, Paper, best, ends, kilo, label, mark, short
from chordsim.report.source import Source
from chordsim.report.sums import has_no_rows, known
from chordsim.statistics.differences import Difference

#: What bold, marks and bytes mean in every table.
BOLD = "Best mean in bold."
KB = "kB: up and down of a phone over ten served sessions, bootstrap included."
DELTA = "Δ: difference to {base}, user by user."
MARKS = "† (‡): differs from {base} with p < 0.05 (0.01), Holm over {count} comparison{s}."
#: Figures of a run that ranked nothing, as its columns and as heads that take little room.
_COSTS = {
    "first contact B": "first B",
    "down B/session": "down B",
    "up B/session": "up B",
    "p50 s": "p50 s",
    "p95 s": "p95 s",
    "J/session": "J",
    "served %": "served %",
}


@of_runs
def paper(run: Path, check: bool = True) -> Paper:
    """Return the table of a run; of one that ranked nothing, what its methods cost.

    Args:
        run: A run directory.
        check: Hold its files against their checksums.

    Raises:
        UserError, RunError: Not a run, no ledger yet, or a damaged file.
    """
    source = Source.read(run, check)
    if has_no_rows(source):
        return _costs(source)
    g = gather(run, source=source)
    return _ranked(g) if any(g.estimates[name]["ndcg_10_all"].mean is not None for name in g.methods) else _costs(source)


def marks(base: str, count: int) -> str:
    """Return the sentence on marks; with nothing to compare there is none."""
    return MARKS.format(base=base, count=count, s="" if count == 1 else "s") if count else ""


def gap(difference: Difference | None) -> Cell:
    """Return the cell of a difference, with its mark."""
    return Cell(short(None if difference is None else difference.mean, signed=True), mark=mark(difference))


def _ranked(g: Gathered) -> Paper:
    against = against_baseline(g)
    base, differences = (against.base, against.differences) if against else ("", {})
    bold = best([g.estimates[name]["ndcg_10_all"].mean for name in g.methods])
    rows = []
    for name, top in zip(g.methods, bold, strict=True):
        mine, facts, difference = g.estimates[name]["ndcg_10_all"], g.methods[name], differences.get(name)
        cells = [Cell(short(mine.mean), top), Cell(ends(mine.ci95)), Cell(kilo(facts.after()))]
        if differences:
            cells.insert(1, gap(difference))
        rows.append(((name,), cells))
    caption = (
        f"{g.source.name} on {_data(g.source)}, seed {g.source.seed}: NDCG@10 of what all {g.users:,} users saw, unserved ones "
        f"the fallback; ranked among {g.source.manifest.get('protocol', {}).get('ranking')}; 95 % intervals over users."
        f"{_ended(g.source)} {BOLD}"
    )
    notes = {"Δ": f"{DELTA.format(base=base)} {marks(base, len(differences))}", "kB": KB}
    heads = ["NDCG\n@10", *(["Δ"] if differences else []), "95 % CI", "kB"]
    numbers = [_numbers(g, name, base, differences.get(name)) for name in g.methods]
    return Paper(("method",), heads, rows, caption, notes, label(g.source.name), numbers)


def _numbers(g: Gathered, name: str, base: str, difference: Difference | None) -> dict[str, Any]:
    """Return all that is known of a method, by column."""
    facts, estimates = g.methods[name], g.estimates[name]
    everyone, session = estimates["ndcg_10_all"], facts.costs.per_session()
    out: dict[str, Any] = {"method": name, "seed": g.source.seed, "users": everyone.users, "ndcg_10_all": everyone.mean}
    out |= _two("ci95", everyone.ci95) | {"baseline": base} | difference_columns(difference)
    out |= {"ndcg_10": estimates["ndcg_10"].mean, "hr_10": estimates["hr_10"].mean}
    out |= {"served_share": facts.served / max(facts.device_rounds, 1), "bits_mean": facts.bits_mean}
    out |= {"first_contact_down_bytes": facts.sessions.first_contact, "bytes_after_10_sessions": facts.after()}
    out |= {f"{key}_per_session": session[key] for key in ("down_bytes", "up_bytes")}
    out |= {"new_version_down_bytes": facts.per_version, "wasted_bytes_per_device_round": facts.costs.wasted_per_device_round}
    out |= {key: session[key] for key in ("seconds_p50", "seconds_p95", "seconds_p99")}
    shares = {f"{part}_energy_percent": percent(facts.costs.energy(g.assumed)[f"{part}_share"]) for part in ("assumed", "tail")}
    return out | {"joules_per_session": session["joules"], **shares}


def difference_columns(d: Difference | None) -> dict[str, float | None]:
    """Return a difference as columns of a table, units as NDCG has them."""
    mean, ci95, p, p_holm = (None, None, None, None) if d is None else (d.mean, d.ci95, d.p, d.p_holm)
    return {"difference": mean, **_two("difference_ci95", ci95), "p": p, "p_holm": p_holm}


def _two(name: str, pair: tuple[float, float] | None) -> dict[str, float | None]:
    low, high = pair or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _costs(source: Source) -> Paper:
    """Return what methods cost where nothing was ranked.

    Raises:
        RunError: The run has no sums yet.
    """
    methods = source.summary
    if not methods:
        raise RunError(f"{source.path}: has no summary.json and ranked nothing, so there is nothing to print: the run is {source.status}")
    figures = known(list(methods.values()))
    short_ones = [figure for head in _COSTS for figure in figures if figure.head == head]
    rows = [((name,), [Cell(_figure(figure.of(m))) for figure in short_ones]) for name, m in methods.items()]
    caption = (
        f"{source.name}, seed {source.seed}: what methods cost; nothing was ranked. first: bytes down at first contact; down, up, "
        f"seconds and joules: of a served session, instrumentation apart.{_ended(source)}"
    )
    words = sensitivity({name: m.get("energy", {}) for name, m in methods.items()})
    notes = {"J": f"{words[:1].upper()}{words[1:]}." if words else ""}
    numbers = [{"method": name} | {figure.head: figure.of(m) for figure in figures} for name, m in methods.items()]
    return Paper(("method",), [_COSTS[figure.head] for figure in short_ones], rows, caption, notes, label(source.name), numbers)


def _ended(source: Source) -> str:
    """Return what a caption says of a run that is not whole, or was not checked."""
    short = "" if source.status == "complete" else f" This run is {source.status}."
    return f"{short} {source.checked.doubt}" if source.checked.doubt else short


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _data(source: Source) -> str:
    return str(source.manifest.get("data", {}).get("name", "its data"))
