"""The page says what was read as what, and what decides results; a manifest from before tells what it can."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from chordsim.report import page
from chordsim.report.data_facts import data_rows

TOLD = {
    "name": "shop.csv",
    "columns_read": {"user": "visitorid", "item": 3},
    "columns_unread": ["event"],
    "notes": ["no time stamps: the order of lines is the order"],
    "tied_times_share": None,
    "repeated_targets_share": 0.125,
    "duplicates_share": 0.0,
    "items_seen_once": 0,
    "users_dropped": 7,
}


def test_rows_say_all_that_the_manifest_tells() -> None:
    rows = {what: value for what, value, _ in data_rows(TOLD)}
    assert rows["columns read"] == "user from visitorid, item from column 3" and rows["columns not read"] == "event"
    assert (
        rows["repeated targets"] == "12.5%" and rows["duplicates"] == "0.0%" and rows["users dropped"] == 7 and rows["items seen once"] == 0
    )
    assert "tied times" not in rows, "nothing is told of times that are not there"
    assert not any(value for _, value, _ in data_rows({"name": "old"}))


def test_they_stand_in_the_page(made_run: Callable[..., Path], tmp_path: Path) -> None:
    path = made_run(tmp_path / "run", {"fp32": [np.full(20, 0.1)]})
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "data": {**manifest["data"], **TOLD}}))
    text = page.write(path).read_text()
    assert all(
        word in text for word in ("user from visitorid, item from column 3", "the order of lines is the order", "12.5%", "users dropped")
    )
