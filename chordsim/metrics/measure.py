"""Metrics of a run, from its ledger: each user's mean over rounds first, the mean over users second, with the one bootstrap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from chordsim.arrays import Floats, Ints
from chordsim.errors import RunError, typed_line
from chordsim.ledger.columns import LIST
from chordsim.ledger.scan import Part, scan
from chordsim.metrics.spec import MetricSpec, Ranked
from chordsim.statistics.by_user import UserMeans
from chordsim.statistics.estimates import Estimate, estimate


def measure(
    run: Path, specs: Sequence[MetricSpec], cuts: Sequence[int], item_counts: Ints, n_users: int, seed: int
) -> dict[str, dict[str, Estimate]]:
    """Return every metric of every method of a run, by method and by the metric's name, ``NAME_k`` where it is taken at cuts.

    Args:
        run: A run directory.
        specs: The metrics; whoever asks has made sure that their lists are kept (`chordsim.metrics.spec.need_lists`).
        cuts: Where those at cuts are taken.
        item_counts: How often each item occurs in the cloud's logs, [n_items + 1].
        n_users: How many users there are.
        seed: The scenario's seed, for the bootstrap: users are resampled alike for all methods and metrics.

    Raises:
        RunError: A damaged ledger, or a metric that fails or returns something else than its spec says; the text names it.
    """
    labelled = [(spec, label, cut) for spec in specs for label, cut in spec.labels(cuts).items()]
    columns = ["user_id", "rank", *([LIST] if any(spec.needs == "lists" for spec in specs) else [])]
    means: dict[tuple[str, str], Floats] = {}
    whole: dict[tuple[str, str], Estimate] = {}
    methods = []
    for method, parts in groupby(scan(run, columns), lambda part: part.method):
        methods.append(method)
        by_user: dict[str, UserMeans] = defaultdict(lambda: UserMeans(n_users))
        kept = []
        for part in parts:
            kept += [part] if any(spec.whole for spec in specs) else []
            for spec, label, cut in labelled:
                if not spec.whole:
                    values = _values(spec, _ranked([part], spec, cut, item_counts))
                    some = ~np.isnan(values)
                    by_user[label].add(part["user_id"][some], values[some])
        means |= {(label, method): by.means() for label, by in by_user.items()}
        for spec, label, cut in labelled:
            if spec.whole:
                (value,) = _values(spec, _ranked(kept, spec, cut, item_counts)).tolist()
                users = np.unique(np.concatenate([part["user_id"][~np.isnan(part["rank"])] for part in kept])).size
                whole[label, method] = Estimate(None if np.isnan(value) else value, None, "none", users)
    found = {key: one for key, one in _estimates(means, seed)} | whole
    return {method: {label: found[label, method] for _, label, _ in labelled} for method in methods}


def as_json(specs: Sequence[MetricSpec], cuts: Sequence[int], found: dict[str, Estimate]) -> dict[str, Any]:
    """Return one method's metrics as summary.json holds them."""
    better = {label: spec.better for spec in specs for label in spec.labels(cuts)}
    return {label: {**one.as_json(), "better": better[label]} for label, one in found.items()}


def _estimates(means: dict[tuple[str, str], Floats], seed: int) -> Iterator[tuple[tuple[str, str], Estimate]]:
    """Yield each metric's estimate; one without any user has none."""
    some = {"/".join(key): column for key, column in means.items() if not np.isnan(column).all()}
    found = estimate(some, seed)
    for key in means:
        yield key, found.get("/".join(key), Estimate(None, None, "none", 0))


def _ranked(parts: Sequence[Part], spec: MetricSpec, cut: int, item_counts: Ints) -> Ranked:
    """Return what a metric is made of."""
    rank, users = (np.concatenate([part[name] for part in parts]) for name in ("rank", "user_id"))
    lists = np.zeros((rank.size, 0), np.int64)
    if spec.needs == "lists":
        whole = np.concatenate([part[LIST] for part in parts]).astype(np.int64)
        lists = whole[:, : cut or whole.shape[1]]
    return Ranked(rank, lists, users, item_counts, cut or lists.shape[1])


def _values(spec: MetricSpec, ranked: Ranked) -> Floats:
    """Return a metric's numbers, [D], or [1] of a whole; rows that the model did not rank for have none.

    Raises:
        RunError: It failed, or returned something else.
    """
    try:
        values = np.asarray(spec.function(ranked), np.float64)
    except Exception as error:  # a stranger's code: whatever it raises is its fault, and is told by its name
        raise RunError(f"metric {spec.name!r}: {typed_line(error)}") from error
    wanted = (1,) if spec.whole else ranked.rank.shape
    if values.shape != wanted or np.isinf(values).any():
        raise RunError(f"metric {spec.name!r}: returned shape {values.shape}, or an infinite number; it must be {wanted}, NaN for none")
    return values if spec.whole else np.where(np.isnan(ranked.rank), np.nan, values)
