"""What a run directory says about itself: manifest, scenario and engine figures, read with one-line errors."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chordsim.errors import UserError
from chordsim.ledger.columns import SCHEMA_VERSION
from chordsim.store import MANIFEST, SCENARIO, SUMMARY, read_json


@dataclass(frozen=True)
class Source:
    """A run's own words.

    Attributes:
        path: The run directory.
        manifest: manifest.json.
        scenario_text: scenario.toml as it stands, "" if it was not written yet.
        scenario: The same, parsed.
        engine: What the engine took; empty until the run ended.
    """

    path: Path
    manifest: dict[str, Any]
    scenario_text: str
    scenario: dict[str, Any]
    engine: dict[str, Any]

    @classmethod
    def read(cls, run: Path) -> Source:
        """Read a run directory.

        Raises:
            UserError: No run, an unreadable file, or a newer schema.
        """
        if not run.is_dir():
            raise UserError(f"{run}: no such folder: give a run directory, such as runs/quickstart-1-1")
        if not (run / MANIFEST).is_file():
            raise UserError(f"{run}: not a run directory: no {MANIFEST} in it")
        manifest = read_json(run / MANIFEST)
        version = manifest.get("schema_version")
        if version != SCHEMA_VERSION:
            raise UserError(f"{run / MANIFEST}: schema {version}: this program reads {SCHEMA_VERSION}; use the chordsim that wrote it")
        path = run / SCENARIO
        try:
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            scenario = tomllib.loads(text)
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
        engine = read_json(run / SUMMARY).get("engine", {}) if (run / SUMMARY).is_file() else {}
        return cls(run, manifest, text, scenario, engine)

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
    def status(self) -> str:
        """How the run ended, or that it goes on."""
        return str(self.manifest.get("status", "unknown"))
