"""A checkout: its methods, its commit, and an environment in which its packages and entry points come first."""

from __future__ import annotations

import os
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

GROUP = "chordsim.methods"
#: A member of a family where any number will not do; elsewhere 2 stands for k.
MEMBERS = {"chord-aged-k": "chord-aged-5"}


@dataclass(frozen=True)
class Checkout:
    """One side of the comparison.

    Attributes:
        path: Where its pyproject.toml lies.
    """

    path: Path

    @cached_property
    def project(self) -> Mapping[str, Any]:
        """The `[project]` table of its pyproject.toml.

        Raises:
            SystemExit: The folder is no checkout.
        """
        try:
            return dict(tomllib.loads((self.path / "pyproject.toml").read_text())["project"])
        except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
            raise SystemExit(f"{self.path}: not a checkout of chordsim: pyproject.toml: {error}") from None

    def check(self) -> None:
        """Refuse a folder that is no checkout.

        Raises:
            SystemExit: It is none.
        """
        _ = self.project

    @cached_property
    def methods(self) -> list[str]:
        """A method of every family that it ships, in its own order."""
        return [MEMBERS.get(family, family.replace("-k", "-2")) for family in self.project.get("entry-points", {}).get(GROUP, {})]

    @cached_property
    def commit(self) -> str:
        """Its commit, or nothing where it is no git checkout or holds changes that no commit has."""
        asked = [["rev-parse", "HEAD"], ["status", "--porcelain"]]
        said = [subprocess.run(["git", "-C", self.path, *words], capture_output=True, text=True, check=False) for words in asked]
        return "" if any(one.returncode for one in said) or said[1].stdout else said[0].stdout.strip()

    def environment(self, folder: Path) -> dict[str, str]:
        """Return the environment of its process, which writes into that folder alone."""
        cleaned = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "CHORDSIM_"))}
        path = os.pathsep.join([str(self._metadata(folder / "installed")), str(self.path)])
        return {
            **cleaned,
            "PYTHONPATH": path,
            "PYTHONSAFEPATH": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "CHORDSIM_CACHE": str(folder / "cache"),
            "FLWR_HOME": str(folder / "flwr"),
            "FLWR_TELEMETRY_ENABLED": "0",
        }

    def _metadata(self, folder: Path) -> Path:
        """Write what an installation of this checkout would tell of it; found first, it hides any other installation."""
        name, version = self.project["name"], self.project["version"]
        info = folder / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        groups = {"console_scripts": self.project.get("scripts", {}), **self.project.get("entry-points", {})}
        lines = [line for group, found in groups.items() for line in (f"[{group}]", *(f"{key} = {value}" for key, value in found.items()))]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        return folder
