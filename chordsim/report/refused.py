"""Who was refused, and what for, in one line for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def refused_line(summary: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """Return which share of each method's device-rounds was refused, with the reasons, most first; nothing where nobody was.

    A method that was served to few looks worse to all users and better to those whom it served, so it belongs beside the table.

    Args:
        summary: As summary.json holds it.
        manifest: As manifest.json does; its ``budgets`` count refusals.
    """
    reasons: dict[str, dict[str, int]] = {}
    for one in manifest.get("budgets", {}).get("refusals", ()):
        of = reasons.setdefault(one["method"], {})
        of[one["reason"]] = of.get(one["reason"], 0) + one["device_rounds"]
    told = []
    for name, method in summary["methods"].items():
        if name in reasons and method.get("device_rounds"):
            words = ", ".join(sorted(reasons[name], key=lambda reason: -reasons[name][reason]))
            told.append(f"{name} {sum(reasons[name].values()) / method['device_rounds']:.1%} ({words})")
    return f"refused: {', '.join(told)}; report.html says which phones" if told else ""
