"""What must hold of every round's rows before they are written: the ledger's own book-keeping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chordsim.arrays import Bools
from chordsim.errors import InvariantError
from chordsim.ledger.columns import PER_ROW, SCORED
from chordsim.ledger.rows import Rows
from chordsim.wire.frame import OVERHEAD_BYTES

DOWN_PARTS = ("bootstrap_bytes", "candidates_bytes", "rows_bytes", "prescription_bytes", "framing_down_bytes")
UP_PARTS = ("profile_bytes", "asks_bytes", "update_bytes", "report_bytes", "framing_up_bytes")
_SHARES = ("hr_5", "ndcg_5", "hr_10", "ndcg_10", "mrr", "ndcg_10_all")


@dataclass(frozen=True)
class Moved:
    """What the engine moved in one round of one method, counted apart from the rows.

    Attributes:
        message_down_bytes: Encoded messages that crossed, down.
        message_up_bytes: Encoded messages that crossed, up.
        charged_bootstrap_bytes: Bootstrap that crossed, charged to every device that received it. Blobs move
            once per worker, so the engine charges them from their lengths; the protocol's candidates and item rows likewise.
        charged_up_bytes: Asks for item rows that crossed, charged from their lengths.
    """

    message_down_bytes: int
    message_up_bytes: int
    charged_bootstrap_bytes: int
    charged_up_bytes: int = 0


def check(rows: Rows, moved: Moved) -> None:
    """Check one method's round.

    Raises:
        InvariantError: Names the method, the round, the device where it is one, and the column.
    """
    check_rows(rows)
    _check_moved(rows, moved)


def check_rows(rows: Rows) -> None:
    """Check what must hold of rows by themselves; raises as `check` does."""
    _check_numbers(rows)
    _check_parts(rows)
    _check_waste(rows)
    _check_report(rows)
    _check_outcomes(rows)
    _check_scores(rows)


def _refuse(rows: Rows, column: str, bad: Bools, what: str) -> None:
    if bool(bad.any()):
        row = int(np.argmax(bad))
        raise InvariantError(f"ledger of {rows.method}, round {rows.round}, device {rows['device_id'][row]}: {column} {what}")


def _check_numbers(rows: Rows) -> None:
    for column in PER_ROW:
        if column.dtype == "str":
            continue
        values = rows[column.name]
        _refuse(rows, column.name, values < 0, "is negative")
        if column.dtype == "float64":
            _refuse(rows, column.name, ~np.isfinite(values), "is not finite")


def _check_parts(rows: Rows) -> None:
    for way, parts in (("down", DOWN_PARTS), ("up", UP_PARTS)):
        whole = rows[f"{way}_bytes"] + rows[f"cut_{way}_bytes"]
        total = sum((rows[part] for part in parts), np.zeros(len(rows), np.int64))
        _refuse(rows, f"{way}_bytes", total != whole, f"and cut_{way}_bytes are not the sum of {', '.join(parts)}")


def _check_moved(rows: Rows, moved: Moved) -> None:
    ledger_down, ledger_up = int(rows["down_bytes"].sum()), int(rows["up_bytes"].sum())
    moved_down = moved.message_down_bytes + moved.charged_bootstrap_bytes
    moved_up = moved.message_up_bytes + moved.charged_up_bytes
    for name, written, carried in (("down_bytes", ledger_down, moved_down), ("up_bytes", ledger_up, moved_up)):
        if written != carried:
            raise InvariantError(f"ledger of {rows.method}, round {rows.round}: {name} sum to {written}, but the engine moved {carried}")


def _check_report(rows: Rows) -> None:
    for name in ("report_s", "report_j"):
        _refuse(rows, name, (rows[name] > 0) & (rows["up_bytes"] == 0), "is above 0, yet nothing crossed up")


def _check_waste(rows: Rows) -> None:
    wasted = rows["wasted_bytes"]
    after_download = rows.is_word("outcome", "refused") & (rows["down_bytes"] > 0)
    may_waste = rows.is_word("outcome", "dropped", "late", "failed") | after_download
    _refuse(rows, "wasted_bytes", (wasted > 0) & ~may_waste, "is above 0 for a phone that wasted nothing")
    _refuse(rows, "wasted_bytes", wasted > rows["down_bytes"] + rows["up_bytes"], "is more than crossed the link")


def _check_outcomes(rows: Rows) -> None:
    refused = rows.is_word("outcome", "refused")
    by_none = rows.is_word("refused_by", "none")
    _refuse(rows, "refused_by", refused & by_none, "is none for a refused phone")
    _refuse(rows, "refused_by", ~refused & ~by_none, "names a side for a phone that was not refused")
    served_by_fallback = rows.is_word("served_by", "fallback")
    _refuse(rows, "served_by", served_by_fallback & ~rows.nulls["rank"], "is fallback, yet the model ranked for the user")
    served = rows.is_word("outcome", "served")
    of_report = np.where(rows["report_bytes"] > 0, rows["report_bytes"] + OVERHEAD_BYTES, 0)
    _refuse(rows, "served_by", served & served_by_fallback, "is fallback for a served phone")
    _refuse(
        rows,
        "cut_down_bytes",
        served & ((rows["cut_down_bytes"] > 0) | (rows["cut_up_bytes"] > of_report)),
        "or cut_up_bytes is above what is the report's, yet served",
    )


def _check_scores(rows: Rows) -> None:
    unranked = rows.nulls["rank"]
    for name in SCORED:
        _refuse(rows, name, rows.nulls[name] != unranked, "is null without rank, or the other way round")
    for name in ("rank", "fallback_rank"):
        _refuse(rows, name, ~rows.nulls[name] & (rows[name] < 1), "is below 1")
    for name in _SHARES:
        _refuse(rows, name, rows[name] > 1, "is above 1")
    seen, all_null = rows["ndcg_10_all"], rows.nulls["ndcg_10_all"]
    _refuse(rows, "ndcg_10_all", ~unranked & (all_null | (seen != rows["ndcg_10"])), "is not ndcg_10, yet the model ranked for the user")
