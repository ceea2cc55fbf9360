"""What a run's manifest tells of its data, as rows of the page's first table: columns, notes, and what decides results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHARES = (
    ("tied times", "tied_times_share", "interactions whose time stamp another one of the same user has too; data.ties"),
    (
        "repeated targets",
        "repeated_targets_share",
        "held-out items that the user had before: misses, where protocol.mask_seen is on",
    ),
    ("duplicates", "duplicates_share", "lines of the file that equal an earlier one in all that is read; data.duplicates"),
)
_COUNTS = (
    ("items seen once", "items_seen_once", "of those that are played; data.min_item"),
    ("users dropped", "users_dropped", "of the file, since they are too short or not drawn; data.min_user, rounds.count, data.max_users"),
)


def data_rows(data: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    """Return (what, value, meaning) of everything that the manifest tells; of an older manifest that may be nothing."""
    read = ", ".join(f"{role} from {_named(column)}" for role, column in data.get("columns_read", {}).items())
    rows: list[tuple[str, Any, str]] = [
        ("columns read", read, "what was read as what; data.columns"),
        ("columns not read", ", ".join(data.get("columns_unread", ())), "the others of the file"),
        ("told of the data", "; ".join(data.get("notes", ())), "what was dropped or assumed"),
    ]
    rows += [(what, f"{data[key]:.1%}", meaning) for what, key, meaning in _SHARES if data.get(key) is not None]
    return rows + [(what, data[key], meaning) for what, key, meaning in _COUNTS if data.get(key) is not None]


def _named(column: str | int) -> str:
    return f"column {column}" if isinstance(column, int) else column
