"""What a metric is held to, whoever wrote it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy as np

from chordsim import seeds
from chordsim.arrays import Floats, Ints
from chordsim.metrics.spec import MetricSpec, Ranked, find
from chordsim.testing.properties import Property, held, need

ROWS, ITEMS, KEPT = 60, 40, 10
#: How far two ways of summing one number may lie apart.
CLOSE = 1e-12


def check_metric(metric: str | MetricSpec) -> tuple[str, ...]:
    """Hold a metric against all properties, on drawn ranks and lists.

    Args:
        metric: Its spec, or the name under which it is registered.

    Returns:
        The names of the properties.

    Raises:
        PropertyFailed: The first property that it lacks, by name.
        ScenarioError: No such metric.
    """
    spec = find(metric) if isinstance(metric, str) else metric
    return held(spec.name, _Case(spec), PROPERTIES)


@dataclass(frozen=True)
class _Case:
    spec: MetricSpec

    def ranked(self) -> Ranked:
        """Return rows of 30 users; a fifth did not rank, and some lists are short."""
        made = seeds.generator(1, "testing.metrics")
        lists = np.argsort(made.random((ROWS, ITEMS)), 1)[:, :KEPT] + 1
        lists[np.arange(KEPT) >= made.integers(1, 2 * KEPT, (ROWS, 1))] = 0
        rank = made.integers(2, 2 * ITEMS + 3, ROWS) / 2
        unranked = made.random(ROWS) < 0.2
        rank[unranked], lists[unranked] = np.nan, 0
        cut = 5 if self.spec.at_cuts else KEPT
        shown = lists[:, :cut] if self.spec.needs == "lists" else lists[:, :0]
        counts = np.concatenate([[0], made.integers(0, 50, ITEMS)])
        return Ranked(rank, shown, np.arange(ROWS) // 2, counts, cut)

    def of(self, ranked: Ranked) -> Floats:
        return np.asarray(self.spec.function(ranked), np.float64)

    def rows(self, ranked: Ranked, which: Ints) -> Ranked:
        return replace(ranked, rank=ranked.rank[which], lists=ranked.lists[which], users=ranked.users[which])


def _shaped(case: _Case) -> None:
    values, wanted = case.of(case.ranked()), (1,) if case.spec.whole else (ROWS,)
    need(values.shape == wanted, f"its numbers are of shape {values.shape}, not {wanted}")
    need(not np.isinf(values).any(), "a number is infinite")
    need(not np.isnan(values).all(), "it has no number at all")


def _pure(case: _Case) -> None:
    ranked = case.ranked()
    before = copy.deepcopy(ranked)
    first = case.of(ranked)
    for name in ("rank", "lists", "users", "item_counts"):
        need(np.array_equal(getattr(ranked, name), getattr(before, name), equal_nan=True), f"it changes {name}")
    need(np.array_equal(first, case.of(before), equal_nan=True), "other numbers the second time")


def _per_user(case: _Case) -> None:
    if case.spec.whole:
        return
    ranked = case.ranked()
    together = case.of(ranked)
    for row in range(ROWS):
        alone = case.of(case.rows(ranked, np.array([row])))
        need(alone.shape == (1,) and _near(alone, together[[row]]), f"row {row} alone has another number")


def _unordered(case: _Case) -> None:
    ranked, order = case.ranked(), seeds.generator(1, "testing.metrics.order").permutation(ROWS)
    moved = case.of(case.rows(ranked, order))
    need(_near(moved, case.of(ranked) if case.spec.whole else case.of(ranked)[order]), "in another order users have other numbers")


def _blind(case: _Case) -> None:
    ranked = case.ranked()
    some = np.flatnonzero(~np.isnan(ranked.rank))
    every, without = case.of(ranked), case.of(case.rows(ranked, some))
    if case.spec.whole:
        need(_near(every, without), "rows that the model did not rank for change it")
        return
    need(np.isnan(every[np.isnan(ranked.rank)]).all(), "it has a number where the rank is NaN")
    need(_near(every[some], without), "rows that the model did not rank for change others")


def _padded(case: _Case) -> None:
    ranked = case.ranked()
    wider = replace(ranked, lists=np.pad(ranked.lists, ((0, 0), (0, 3))))
    need(case.spec.needs != "lists" or _near(case.of(wider), case.of(ranked)), "zeros behind a list change it")


def _near(one: Floats, other: Floats) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=CLOSE, atol=CLOSE, equal_nan=True))


PROPERTIES: tuple[Property[_Case], ...] = (
    Property("of the right shape", _shaped),
    Property("pure", _pure),
    Property("per user", _per_user),
    Property("the same in any order", _unordered),
    Property("blind to who did not rank", _blind),
    Property("blind to padding", _padded),
)
