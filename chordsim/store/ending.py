"""How a run ended: complete, degraded by what it lost, or failed because it ranked for nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chordsim.config.model import Scenario
from chordsim.store.directory import Status

Aside = Mapping[str, Mapping[str, Mapping[str, int]]]
"""What was set aside, by round, method and reason."""


def ending(
    scenario: Scenario, methods: Mapping[str, Mapping[str, Any]], lost: Sequence[str], aside: Aside | None = None
) -> tuple[Status, list[str]]:
    """Return a run's status, and what its manifest names as errors, the worst first.

    Args:
        scenario: What was asked for.
        methods: What summary.json says of each method.
        lost: Errors of lost cells.
        aside: What the manifest has under ``quarantine``: why phones failed whose answers made no sense.

    Returns:
        ``failed`` where metrics were asked for and no phone of any method ranked. ``degraded`` where cells were lost, or a
        method that ranked for nobody has phones that failed: one whose phones were all refused, away or late is a result.
    """
    if scenario.protocol.metrics == "none":
        return ("degraded" if lost else "complete"), list(lost)
    unranked = {name: _told(m["outcomes"]) + _first(name, aside or {}) for name, m in methods.items() if not m["ndcg_10"]["users"]}
    if len(unranked) == len(methods):
        return "failed", [f"no phone ranked in any method: {'; '.join(f'{n}: {words}' for n, words in unranked.items())}", *lost]
    gone = [f"{name}: no phone ranked: {words}" for name, words in unranked.items() if methods[name]["outcomes"]["failed"]]
    return ("degraded" if gone or lost else "complete"), [*gone, *lost]


def _first(method: str, aside: Aside) -> str:
    """Return what was set aside of a method in the first round in which something was."""
    found = {round: of[method] for round, of in aside.items() if of.get(method)}
    if not found:
        return ""
    round = min(found, key=int)
    return f" (device half, round {round}: {', '.join(f'{count:,} {why}' for why, count in found[round].items())})"


def _told(outcomes: Mapping[str, int]) -> str:
    """Return the outcomes that occur, in words."""
    return ", ".join(f"{count:,} {word}" for word, count in outcomes.items() if count) or "no device-rounds"
