"""Tables for elsewhere: Markdown and LaTeX for papers, and metrics under the names that RecBole prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from chordsim.arrays import Floats
from chordsim.ledger.energy_words import percent, sensitivity
from chordsim.ledger.scan import scan
from chordsim.report.gather import Gathered, gather
from chordsim.report.source import Source
from chordsim.statistics.by_user import UserMeans

Format = Literal["markdown", "latex", "recbole"]
CUTS = (5, 10)
_HEAD = (
    "method",
    "NDCG@10 all",
    "95 % CI",
    "NDCG@10 served",
    "HR@10 served",
    "served (%)",
    "bits",
    "first contact (B)",
    "down (B)",
    "up (B)",
    "new version (B)",
    "wasted (B)",
    "p50 (s)",
    "p95 (s)",
    "p99 (s)",
    "energy (J)",
    "assumed (%)",
)
_NOTE = (
    "NDCG@10 all: of what every user saw, unserved users with the fallback. served: users whom the method's model ranked for. "
    "Means over users, 95 % intervals over users. down, up, seconds, energy: per served session, bootstraps apart from bytes, the "
    "simulator's own report left out. first contact, new version: bytes down per phone. wasted: bytes of rounds that did not serve, per "
    "device-round. assumed: share of the energy that rests on assumed constants."
)


#: What RecBole masks: the history of users for general models, nothing for sequential ones, which these are.
_MASK = {
    True: "history masked: RecBole would not, for sequential models; a run with protocol.mask_seen = false ranks by its rule",
    False: "history not masked, as RecBole ranks for sequential models",
}
_AMONG = {
    "all": "among all items",
    "candidates": "among the cloud's candidates: RecBole has no such rule",
    "sampled-100": "among the target and 100 distinct negatives: RecBole's uni100 may draw one twice",
}
#: Both were counted on ml-100k with RecBole 1.2.1's sort, stable and in the order of the file.
_TIMES = (
    "RecBole sorts by 32-bit time stamps: where those tie, its test item may be another (on ml-100k for 4 of 943 users as its settings for "
    "that set scale them, for 149 unscaled)"
)


def table(run: Path, form: Format) -> str:
    """Return a run's results as a table.

    Args:
        run: A run directory.
        form: ``markdown``, ``latex`` (with booktabs) or ``recbole`` (JSON by method: RecBole's metric names, and under
            ``rule`` how ranks were made and what RecBole would do).

    Raises:
        UserError, RunError: Not a run, no ledger yet, or a damaged file.
    """
    if form == "recbole":
        rule = recbole_rule(Source.read(run))
        return json.dumps({method: {"rule": rule, **found} for method, found in recbole(run).items()}, indent=2) + "\n"
    g = gather(run)
    rows = [_row(g, name) for name in g.methods]
    ranking = g.source.manifest.get("protocol", {}).get("ranking")
    ranked = "nothing ranked" if g.source.sizes_only else f"ranked among {ranking}"
    whole = "" if g.source.status == "complete" else f" This run is {g.source.status}."
    what = f"{g.source.name}, seed {g.source.seed}, {g.users:,} users, {ranked}.{whole} {_NOTE}"
    words = sensitivity({name: facts.costs.energy(g.assumed) for name, facts in g.methods.items()})
    what += f" {words[:1].upper()}{words[1:]}." if words else ""
    return _markdown(rows, what) if form == "markdown" else _latex(rows, what)


def recbole(run: Path) -> dict[str, dict[str, float | None]]:
    """Return recall, MRR, NDCG, hit and precision at 5 and 10 by method, as RecBole names and defines them for one target.

    Ranks are those of the run, so RecBole's rule only where the run had it: see `recbole_rule`. Over served rows: a user's
    mean over rounds, then the mean over users. MRR is cut at k, unlike the ledger's ``mrr``.

    Raises:
        UserError, RunError: Not a run, no ledger yet, or a damaged file.
    """
    Source.read(run)
    parts = list(scan(run, ("user_id", "rank", *(f"hr_{cut}" for cut in CUTS))))
    users = 1 + max((int(part["user_id"].max(initial=-1)) for part in parts), default=-1)
    kept: dict[str, dict[str, UserMeans]] = {}
    for part in parts:
        some = ~np.isnan(part["rank"])
        means = kept.setdefault(part.method, {})
        hits = {cut: part[f"hr_{cut}"][some] for cut in CUTS}
        for name, values in _metrics(part["rank"][some], hits).items():
            means.setdefault(name, UserMeans(users)).add(part["user_id"][some], values)
    return {method: {name: _mean(by_user.means()) for name, by_user in means.items()} for method, means in kept.items()}


def recbole_rule(source: Source) -> str:
    """Return how a run's ranks were made, and where RecBole's rule is another."""
    protocol = source.table("protocol")
    parts = [_MASK[bool(protocol.get("mask_seen", True))], f"ranked {_AMONG[protocol.get('ranking', 'all')]}"]
    parts += ["served rows only", "ties take the middle rank", _TIMES]
    return "; ".join(parts if source.status == "complete" else [f"this run is {source.status}", *parts])


def _metrics(rank: Floats, hits: dict[int, Floats]) -> dict[str, Floats]:
    """Return metrics by name; whether a rank is within k is the ledger's word, which knows what a miss is."""
    out: dict[str, Floats] = {}
    for cut, hit in hits.items():
        out[f"recall@{cut}"] = out[f"hit@{cut}"] = hit
        out[f"mrr@{cut}"] = hit / rank
        out[f"ndcg@{cut}"] = hit / np.log2(rank + 1)
        out[f"precision@{cut}"] = hit / cut
    return out


def _mean(values: Floats) -> float | None:
    some = values[~np.isnan(values)]
    return float(some.mean()) if some.size else None


def _row(g: Gathered, name: str) -> list[str]:
    facts, estimates = g.methods[name], g.estimates[name]
    session, energy = facts.costs.per_session(), facts.costs.energy(g.assumed)
    everyone = estimates["ndcg_10_all"]
    ci95 = "–" if everyone.ci95 is None else f"{everyone.ci95[0]:.4f}–{everyone.ci95[1]:.4f}"
    served = [_number(estimates[metric].mean, ".4f") for metric in ("ndcg_10", "hr_10")]
    contact = (
        facts.sessions.first_contact,
        session["down_bytes"],
        session["up_bytes"],
        facts.per_version,
        facts.costs.wasted_per_device_round,
    )
    return [
        name,
        _number(everyone.mean, ".4f"),
        ci95,
        *served,
        _number(100 * facts.served / max(facts.device_rounds, 1), ".1f"),
        _number(facts.bits_mean, ".2f"),
        *(_number(value, ",.0f") for value in contact),
        *(_number(session[f"seconds_{share}"], ".3g") for share in ("p50", "p95", "p99")),
        _number(session["joules"], ".3g"),
        _number(percent(energy["assumed_share"]), ".0f"),
    ]


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"


def _markdown(rows: Sequence[Sequence[str]], note: str) -> str:
    lines = [_HEAD, ["---", *(["---:"] * (len(_HEAD) - 1))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{note}\n"


def _latex(rows: Sequence[Sequence[str]], note: str) -> str:
    body = "\n".join(f"{' & '.join(map(_tex, row))} \\\\" for row in [_HEAD, *rows])
    head, _, rest = body.partition("\n")
    return (
        f"% needs \\usepackage{{booktabs}}\n\\begin{{table}}\n\\centering\n\\begin{{tabular}}{{l{'r' * (len(_HEAD) - 1)}}}\n"
        f"\\toprule\n{head}\n\\midrule\n{rest}\n\\bottomrule\n\\end{{tabular}}\n\\caption{{{_tex(note)}}}\n\\end{{table}}\n"
    )


def _tex(words: Any) -> str:
    out = str(words)
    for sign in "&%_#$":
        out = out.replace(sign, f"\\{sign}")
    return out.replace("–", "--")
