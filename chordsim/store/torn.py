"""A run directory some of whose files were not written whole: what can be told from the others, and what has to be played again."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from chordsim.errors import RunError, UserError
from chordsim.files import atomic_write, disk_errors, read_json
from chordsim.ledger.names import CHECKPOINT, LEDGER, LOCK, MANIFEST, SCENARIO

_MARK = b"# sha256 "


def keep_scenario(run: Path, text: bytes) -> None:
    """Keep a second copy of the scenario, since nothing else could tell it again; it ends with its checksum."""
    folder = run / CHECKPOINT
    with disk_errors(folder):
        folder.mkdir(exist_ok=True)
    atomic_write(folder / SCENARIO, text + _seal(text))


def scenario_file(run: Path) -> Path:
    """Return the scenario of a run that is to go on; one that is missing or torn is written again from its copy.

    Raises:
        UserError: Not a run directory, or the file cannot be written.
    """
    path = run / SCENARIO
    found, kept = _bytes(path), kept_scenario(run)
    # An edited file is for the caller to refuse: only the beginning of the copy is what a cut-off write leaves.
    if kept and found != kept and kept.startswith(found):
        atomic_write(path, kept)
    elif not path.is_file():
        raise UserError(f"{run}: not a run directory: no {SCENARIO} in it")
    return path


def kept_scenario(run: Path) -> bytes:
    """Return the copy of a run's scenario, nothing where it is missing or torn itself."""
    text, mark, _ = (whole := _bytes(run / CHECKPOINT / SCENARIO)).rpartition(_MARK)
    return text if mark and whole == text + _seal(text) else b""


def manifest_of(run: Path) -> dict[str, Any]:
    """Return the manifest of a run that is to go on; empty where a kill left none, or one that is torn, beside what else makes a run.

    Raises:
        UserError: Not a run directory, or a manifest that is something else.
    """
    path = run / MANIFEST
    if (run / SCENARIO).is_file() and (run / LOCK).exists() and (run / LEDGER).is_dir():
        data = _bytes(path)
        try:
            json.loads(data)
        except (ValueError, RecursionError):
            if not data or data.startswith(b"{"):
                return {}
    if not path.is_file():
        raise UserError(f"{run}: not a run directory: no {MANIFEST} in it")
    return read_json(path)


def lacking(run: Path) -> str:
    """Return what of a run that ended is missing, torn or altered, in words; "" where it is whole."""
    from chordsim.ledger.checksums import missing
    from chordsim.ledger.parquet import check

    try:
        return missing(check(run).gone)
    except RunError as error:
        return str(error)


def has_lines(run: Path, methods: Iterable[str], rounds: int) -> bool:
    """Return whether rounds.csv holds a line for every method in every round up to ``rounds``."""
    from chordsim.ledger.round_lines import told

    try:
        there = told(run)
    except FileNotFoundError:
        there = set()
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return False
    return all((method, round) in there for method in methods for round in range(1, rounds + 1))


def _seal(text: bytes) -> bytes:
    return _MARK + hashlib.sha256(text).hexdigest().encode() + b"\n"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
