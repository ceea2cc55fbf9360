"""One line of rounds.csv: what happened to one method in one round."""

from __future__ import annotations

import numpy as np

from chordsim.ledger.columns import OUTCOMES
from chordsim.ledger.rows import Rows
from chordsim.methods import Floats
from chordsim.ragged import Bools

#: Columns of rounds.csv. `p50_total_s` is over the phones that finished: served and late.
ROUND_FIELDS: tuple[str, ...] = (
    "round", "method", "selected", *OUTCOMES, "ndcg_10", "ndcg_10_all", "down_bytes", "up_bytes", "wasted_bytes", "p50_total_s", "round_s",
)  # fmt: skip


def finished(rows: Rows) -> Bools:
    """Return the phones that went through the whole round, in time or late, shape [D]."""
    return rows.is_word("outcome", "served", "late")


def round_line(rows: Rows, round_s: float | None = None) -> dict[str, str | int | float | None]:
    """Return one line for rounds.csv.

    Args:
        rows: One method's round.
        round_s: When the clock closed the round, in simulated seconds; None takes the slowest phone's.
    """
    line: dict[str, str | int | float | None] = {"round": rows.round, "method": rows.method, "selected": len(rows)}
    counts = np.bincount(rows["outcome"], minlength=len(OUTCOMES))
    line.update(zip(OUTCOMES, counts.tolist(), strict=True))
    for name in ("ndcg_10", "ndcg_10_all"):
        line[name] = _mean(rows[name][~rows.nulls[name]])
    for name in ("down_bytes", "up_bytes", "wasted_bytes"):
        line[name] = int(rows[name].sum())
    times = rows["total_s"][finished(rows)]
    line["p50_total_s"] = float(np.median(times)) if times.size else None
    line["round_s"] = float(rows["total_s"].max(initial=0.0)) if round_s is None else float(round_s)
    return line


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if values.size else None
