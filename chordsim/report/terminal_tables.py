"""Tables for the terminal; each stands whole in 100 columns, and in parts below one another in fewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chordsim.evaluate import NOTHING
from chordsim.fitted import Fitted
from chordsim.ledger.figures import at
from chordsim.ledger.summary import CEILINGS, GIVEN, KNOWN, UNKNOWN
from chordsim.units import amount

if TYPE_CHECKING:
    from chordsim.population.describe import TierFacts

_NOTHING = "-"
_FINAL = ("NDCG@10\n(95 %)", "NDCG@10\nall users", "HR@10", "served\n%", "bits", "waste B/\ndevice-round")
#: How many of them are of ranks.
_RANKS = 3
_COSTS = (
    "first\ncontact B",
    "down B/\nsession",
    "up B/\nsession",
    "new\nversion B",
    "p50\ns",
    "p95\ns",
    "p99\ns",
    "joules/\nsession",
    "assumed\n% (tail)",
)
_BYTES = (("first_contact", "down_bytes"), ("per_session", "down_bytes"), ("per_session", "up_bytes"), ("per_version", "down_bytes"))
_LISTED = (
    "NDCG@10\nall users",
    "at\nmost",
    "where\nlisted",
    "NDCG@10\nserved",
    "at\nmost",
    "where\nlisted",
    "HR@10\nserved",
    "at\nmost",
    "where\nlisted",
)
_FLEET = ("sessions", "down", "up", "wasted", "energy", "assumed %")
_TIERS = (
    "phones",
    "share\n%",
    "RAM\nGB",
    "speed\nGMAC/s",
    "down\nMbit/s",
    "up\nMbit/s",
    "round\ntrip ms",
    "memory\nMB",
    "latency\nms",
    "bits",
    "holds\nfp32 %",
)


def final_table(summary: dict[str, Any]) -> Fitted:
    """Return one line per method of a run.

    "NDCG@10" and "HR@10" are of users whom the method's model ranked for; "all users" is what everybody saw,
    with the fallback where the method did not serve. Numbers that do not exist are shown as "-"; where nothing was
    ranked, the columns of ranks are left out.

    Args:
        summary: As summary.json holds it.
    """
    rows = [
        (
            name,
            _estimate(m["ndcg_10"]),
            _number(m["ndcg_10_all"]["mean"], ".4f"),
            _number(m["hr_10"]["mean"], ".4f"),
            _number(m["served_share"], ".1f", 100),
            _number(m["bits_mean"], ".2f"),
            _bytes(at(m, "wasted_bytes_per_device")),
        )
        for name, m in summary["methods"].items()
    ]
    if summary.get("protocol", {}).get("ranking") == NOTHING:
        return Fitted(("method",), _FINAL[_RANKS:], [(row[0], *row[1 + _RANKS :]) for row in rows])
    return Fitted(("method",), _FINAL, rows)


def costs_table(summary: dict[str, Any]) -> Fitted:
    """Return what a first contact, a served session and a new version of the model cost, one line per method of a run."""
    rows = [
        (
            name,
            *(_bytes(at(m, *path)) for path in _BYTES),
            *(_short(at(m, "per_session", key)) for key in ("seconds_p50", "seconds_p95", "seconds_p99", "joules")),
            _assumed(at(m, "energy", "assumed_share"), at(m, "energy", "tail_share")),
        )
        for name, m in summary["methods"].items()
    ]
    return Fitted(("method",), _COSTS, rows)


def listed_table(summary: dict[str, Any]) -> Fitted | None:
    """Return each metric with its ceiling and its mean where the target was listed; None where no candidates were ranked."""
    apart = {name: m for name, m in summary["methods"].items() if CEILINGS in m}
    if not apart or summary.get("protocol", {}).get("ranking") == NOTHING:
        return None
    rows = []
    for name, m in apart.items():
        cells = [name]
        for metric in ("ndcg_10_all", "ndcg_10", "hr_10"):
            cells += [_number(at(part, metric, "mean"), ".4f") for part in (m, m[CEILINGS], m[GIVEN])]
        rows.append(tuple(cells))
    return Fitted(("method",), _LISTED, rows, title="with what the cloud's list allows at most, and where it held the target")


def fleet_table(summary: dict[str, Any]) -> Fitted:
    """Return what all device-rounds of a run cost together, one line per method."""
    rows = []
    for name, m in summary["methods"].items():
        moved = (_amount(at(m, "fleet", f"{key}_gb"), 1e9, "B") for key in ("down", "up", "wasted"))
        energy = _amount(at(m, "fleet", "kwh"), 1e3, "Wh"), _number(at(m, "fleet", "assumed_share"), ".0f", 100)
        rows.append((name, _number(at(m, "fleet", "sessions"), ",.0f"), *moved, *energy))
    return Fitted(("method",), _FLEET, rows, title="all device-rounds of this run together")


def strangers_table(summary: dict[str, Any]) -> Fitted | None:
    """Return users that the cloud never trained on beside those that it did, NDCG@10 of what they saw; None without such."""
    apart = {name: m for name, m in summary["methods"].items() if UNKNOWN in m}
    if not apart:
        return None
    rows = []
    for name, m in apart.items():
        known, unknown = m[KNOWN]["ndcg_10_all"], m[UNKNOWN]["ndcg_10_all"]
        rows.append((name, _estimate(known), f"{known['users']:,}", _estimate(unknown), f"{unknown['users']:,}"))
    return Fitted(("method",), ("trained on\nNDCG@10 (95 %)", "users", "never trained on\nNDCG@10 (95 %)", "users"), rows)


def tiers_table(tiers: Sequence[TierFacts], which: str, by: str = "tier") -> Fitted:
    """Return one line per tier, or per group of another column; ``which`` says what phones these are."""
    rows = []
    for tier in tiers:
        m = tier.medians
        rows.append(
            (
                tier.name,
                f"{tier.phones:,}",
                f"{100 * tier.share:.1f}",
                _number(m["ram_bytes"], ".3g", 1e-9),
                _number(m["macs_per_s"], ".3g", 1e-9),
                _number(m["down_bytes_per_s"], ".3g", 8e-6),
                _number(m["up_bytes_per_s"], ".3g", 8e-6),
                _number(m["round_trip_s"], ".3g", 1e3),
                _number(m["memory_budget_bytes"], ".3g", 1e-6),
                _number(m["latency_budget_s"], ".3g", 1e3),
                _number(m["bits_budget"], ".3g"),
                f"{100 * tier.fp32_share:.1f}",
            )
        )
    return Fitted((by,), _TIERS, rows, title=f"{which}, medians")


def _amount(value: float | None, factor: float, unit: str) -> str:
    return _NOTHING if value is None else amount(value * factor, unit)


def _assumed(assumed: float | None, tail: float | None) -> str:
    return _NOTHING if assumed is None or tail is None else f"{100 * assumed:.0f} ({100 * tail:.0f})"


def _estimate(value: dict[str, Any]) -> str:
    """Return a mean and half the width of its interval."""
    if value["mean"] is None:
        return _NOTHING
    if value["ci95"] is None:
        return f"{value['mean']:.4f}"
    low, high = value["ci95"]
    return f"{value['mean']:.4f} ±{(high - low) / 2:.4f}"


def _number(value: float | None, form: str, factor: float = 1.0) -> str:
    return _NOTHING if value is None else f"{value * factor:{form}}"


def _short(value: float | None) -> str:
    """Return three significant digits in at most seven characters."""
    if value is not None and 0 < value < 0.001:
        return "<0.001"
    return _number(value, ".3g") if value is None or value < 999.5 else _bytes(value)


def _bytes(value: float | None) -> str:
    """Return bytes, or another whole number, in at most seven characters."""
    if value is None:
        return _NOTHING
    if value < 999_999.5:
        return f"{value:,.0f}"
    unit, factor = next((u, f) for u, f in (("M", 1e6), ("G", 1e9), ("T", 1e12)) if value < 999.5 * f or u == "T")
    return f"{value / factor:.3g}{unit}"
