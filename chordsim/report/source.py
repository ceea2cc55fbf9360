"""What a run directory says about itself: manifest, scenario and engine figures, read with one-line errors."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chordsim.errors import UserError, one_line
from chordsim.files import read_json
from chordsim.ledger.checksums import UNCHECKED, Checked
from chordsim.ledger.columns import SCHEMA_VERSION, other_schema
from chordsim.ledger.names import MANIFEST, ROUNDS, SCENARIO, SUMMARY
from chordsim.ledger.parquet import check as hold
from chordsim.store.living import as_it_is

#: What readers take for granted of a manifest; a run without checksums may have been edited.
_KINDS: dict[str, type] = {
    **dict.fromkeys(("versions", "numerics", "engine", "data", "protocol", "trained", "devices", "budgets", "quarantine"), dict),
    **dict.fromkeys(("remarks", "errors", "drift"), list),
    "seed": int,
}
_NAMES = {dict: "an object", list: "a list", int: "a whole number"}


@dataclass(frozen=True)
class Source:
    """A run's own words.

    Attributes:
        path: The run directory.
        manifest: manifest.json.
        scenario_text: scenario.toml as it stands, "" if it was not written yet.
        scenario: The same, parsed.
        engine: What the engine took; empty until the run ended.
        forecast: Forecast and measurement by method, tier and quantity; empty where there is none.
        summary: What summary.json says of each method; empty until the run ended.
        closed_s: Simulated seconds after which each method's round closed, by (method, round); rounds.csv tells it.
        checked: What of the run's files matched their checksums.
    """

    path: Path
    manifest: dict[str, Any]
    scenario_text: str
    scenario: dict[str, Any]
    engine: dict[str, Any]
    forecast: dict[str, Any]
    summary: dict[str, Any]
    closed_s: dict[tuple[str, int], float]
    checked: Checked

    @classmethod
    def read(cls, run: Path, check: bool = True) -> Source:
        """Read a run directory.

        Args:
            run: The run directory.
            check: Hold its files against their checksums.

        Raises:
            UserError: No run, an unreadable file, or another schema.
            RunError: A file that was damaged or edited; the text names it.
        """
        if not run.is_dir():
            raise UserError(f"{run}: no such folder: give a run directory, such as runs/quickstart-1-1")
        if not (run / MANIFEST).is_file():
            raise UserError(f"{run}: not a run directory: no {MANIFEST} in it")
        manifest = read_json(run / MANIFEST)
        version = manifest.get("schema_version")
        if version != SCHEMA_VERSION:
            raise UserError(f"{run / MANIFEST}: {other_schema(version)}")
        _check_kinds(run / MANIFEST, manifest, _KINDS)
        manifest = as_it_is(run, manifest)
        checked = hold(run) if check else UNCHECKED
        path = run / SCENARIO
        try:
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            scenario = tomllib.loads(text)
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be read: {one_line(error)}") from error
        _check_kinds(path, scenario, {"methods": list, **dict.fromkeys(("data", "population", "rounds", "protocol", "settings"), dict)})
        _check_kinds(path, scenario.get("population", {}), {"tiers": dict})
        summary = read_json(run / SUMMARY) if (run / SUMMARY).is_file() else {}
        _check_kinds(run / SUMMARY, summary, dict.fromkeys(("engine", "forecast", "methods"), dict))
        engine, forecast, methods = (summary.get(part) or {} for part in ("engine", "forecast", "methods"))
        _check_kinds(run / SUMMARY, methods, dict.fromkeys(methods, dict))
        return cls(run, manifest, text, scenario, engine, forecast, methods, _closed(run / ROUNDS), checked)

    def table(self, name: str) -> dict[str, Any]:
        """Return one table of the scenario, empty if it is not there."""
        found = self.scenario.get(name, {})
        return found if isinstance(found, dict) else {}

    @property
    def tiers(self) -> list[str]:
        """Names of the tiers, in the scenario's order."""
        return list(self.table("population").get("tiers", {}))

    @property
    def methods(self) -> list[str]:
        """Names of the methods, in the scenario's order."""
        return [str(name) for name in self.scenario.get("methods", [])]

    @property
    def seed(self) -> int:
        """The scenario's seed."""
        return int(self.manifest.get("seed", 0))

    @property
    def name(self) -> str:
        """The scenario's name."""
        return str(self.manifest.get("scenario", self.path.name))

    @property
    def sizes_only(self) -> bool:
        """Whether no recommendation was computed, so that nothing was ranked."""
        return self.table("protocol").get("metrics") == "none"

    @property
    def status(self) -> str:
        """How the run ended, or that it goes on."""
        return str(self.manifest.get("status", "unknown"))


def _check_kinds(path: Path, found: Mapping[str, Any], kinds: Mapping[str, type]) -> None:
    """Refuse a part of another kind.

    Raises:
        UserError: Names it.
    """
    for key, kind in kinds.items():
        if key in found and not isinstance(found[key], kind):
            raise UserError(f"{path}: {key}: not {_NAMES[kind]}: it was damaged or edited")


def _closed(path: Path) -> dict[tuple[str, int], float]:
    """Return when rounds closed; an unfinished last line of a run that goes on is left out.

    Raises:
        UserError: The file cannot be read or holds something else.
    """
    if not path.is_file():
        return {}
    try:
        whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
        lines = [line for line in csv.DictReader(whole.splitlines()) if line["round_s"]]
        return {(line["method"], int(line["round"])): float(line["round_s"]) for line in lines}
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read: {one_line(error)}") from error
