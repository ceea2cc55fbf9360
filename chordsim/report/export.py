"""Tables for elsewhere: of a run for papers, and metrics under the names that RecBole prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np

from chordsim.arrays import Floats
from chordsim.ledger.damage import of_runs
from chordsim.ledger.scan import scan
from chordsim.report.latex import printed
from chordsim.report.run_table import paper
from chordsim.report.source import Source
from chordsim.statistics.by_user import UserMeans

Format = Literal["latex", "markdown", "csv", "recbole"]
CUTS = (5, 10)


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


@of_runs
def table(run: Path, form: Format, check: bool = True) -> str:
    """Return a run's results as a table.

    Args:
        run: A run directory.
        form: ``latex`` or ``markdown`` (narrow, for a paper), ``csv`` (all numbers) or ``recbole`` (JSON by method: RecBole's metric
            names, and under ``rule`` how ranks were made and what RecBole would do).
        check: Hold the run's files against their checksums.

    Raises:
        UserError, RunError: Not a run, no ledger yet, or a damaged file.
    """
    if form == "recbole":
        source = Source.read(run, check)
        rule = recbole_rule(source) + (f"; {source.checked.doubt}" if source.checked.doubt else "")
        return json.dumps({method: {"rule": rule, **found} for method, found in recbole(run, check).items()}, indent=2) + "\n"
    return printed(paper(run, check), form)


@of_runs
def recbole(run: Path, check: bool = True) -> dict[str, dict[str, float | None]]:
    """Return recall, MRR, NDCG, hit and precision at 5 and 10 by method, as RecBole names and defines them for one target.

    Ranks are those of the run, so RecBole's rule only where the run had it: see `recbole_rule`. Over served rows: a user's
    mean over rounds, then the mean over users. MRR is cut at k, unlike the ledger's ``mrr``.

    Raises:
        UserError, RunError: Not a run, no ledger yet, or a damaged file.
    """
    Source.read(run, check)
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
