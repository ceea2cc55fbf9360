"""The metrics that a scenario asks for beside the ledger's own (`protocol.metrics_of`), as a table of the page and of the terminal."""

from __future__ import annotations

from typing import Any

from chordsim.fitted import Fitted
from chordsim.report.html import Column, Grid, interval, text

_ARROWS = {"larger": "↑", "smaller": "↓"}
_LEAD = "Over rounds in which the method's model ranked: each user's mean first, users second. ↑ larger is better, ↓ smaller."


def asked_for(methods: dict[str, Any]) -> list[Any]:
    """Return the table of a run's methods; nothing where nothing was asked for.

    Args:
        methods: As summary.json holds them.
    """
    found = _found(methods)
    if not found:
        return []
    heads = next(iter(found.values()))
    columns = [Column("method")]
    for name, first in heads.items():
        columns += [
            Column(_head(name, first)),
            Column(f"95 %: {name}", "users resampled; a metric of all lists together has none"),
        ]
    rows = [(name, *(cell for m in metrics.values() for cell in (m["mean"], interval(m["ci95"])))) for name, metrics in found.items()]
    return [text("Metrics that were asked for", kind="h3"), text(_LEAD), Grid(columns, rows)]


def asked_for_table(summary: dict[str, Any]) -> Fitted | None:
    """Return one line per method for the terminal; None where nothing was asked for."""
    found = _found(summary["methods"])
    if not found:
        return None
    heads = next(iter(found.values()))
    rows = [(name, *map(_cell, metrics.values())) for name, metrics in found.items()]
    return Fitted(("method",), [_head(name, first) for name, first in heads.items()], rows, title="metrics that were asked for (95 %)")


def _found(methods: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what was asked for by method; a Flower app's own metrics, plain numbers under the same key, are not."""
    asked = {name: {key: told for key, told in (m.get("metrics") or {}).items() if isinstance(told, dict)} for name, m in methods.items()}
    return {name: told for name, told in asked.items() if told}


def _head(name: str, metric: dict[str, Any]) -> str:
    return f"{name} {_ARROWS.get(metric['better'], '')}".rstrip()


def _cell(metric: dict[str, Any]) -> str:
    if metric["mean"] is None:
        return "-"
    half = "" if metric["ci95"] is None else f" ±{(metric['ci95'][1] - metric['ci95'][0]) / 2:.4f}"
    return f"{metric['mean']:.4f}{half}"
