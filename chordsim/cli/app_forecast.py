"""`chordsim forecast RUN` of a Flower app's run: so many rounds like its first, without the app."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chordsim.errors import UserError
from chordsim.fitted import Fitted
from chordsim.ledger.figures import SESSION_COLUMNS, at, share_of, shown, unserved_heads

_COLUMNS = (
    (("down_bytes_per_device",), "down B/\ndevice-round", 1.0, ",.0f"),
    (("up_bytes_per_device",), "up B/\ndevice-round", 1.0, ",.0f"),
    *SESSION_COLUMNS,
)


def forecast_run(run: Path, overrides: Sequence[str], rounds: int, by: str, csv: Path | None) -> tuple[dict[str, Any], Fitted]:
    """Return the summary by method, and the same as a table.

    Args:
        run: The run directory.
        overrides: ``key=value`` texts over the run's scenario.
        rounds: How many; 0 is as many as the run had.
        by: Of the command; an app's run has no groups.
        csv: Of the command; nor a sheet of them.

    Raises:
        UserError: Not a Flower app's run, or an option that goes with a scenario.
        RunError: A damaged file.
    """
    from chordsim.flower.again import forecast

    if by != "tier" or csv is not None:
        raise UserError(f"{run}: --by and --csv go with a scenario; the forecast of a Flower app's run is one line")
    found = forecast(run, overrides, rounds)
    unserved = unserved_heads(found.values())
    rows = [
        (
            name,
            shown(at(told, "device_rounds"), 1.0, ",.0f"),
            shown(at(told, "served_share"), 100.0, ".1f"),
            *(shown(share_of(told, outcome), 100.0, ".1f") for outcome in unserved),
            *(shown(at(told, *path), factor, how) for path, _, factor, how in _COLUMNS),
        )
        for name, told in found.items()
    ]
    heads = ["device-\nrounds", "served\n%", *unserved.values(), *(head for _, head, _, _ in _COLUMNS)]
    return found, Fitted(("method",), heads, rows, title="rounds like the run's first, without the app")
