"""Flower's own command line, as a program that answers in JSON: register nodes, start a run, ask how it stands."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from chordsim.deploy.keys import write_private
from chordsim.deploy.processes import program
from chordsim.errors import RunError

#: Name of the SuperLink in Flower's configuration.
LINK = "chordsim"
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Flower:
    """Flower's command line against one SuperLink.

    Attributes:
        environment: Environment of every call; ``FLWR_HOME`` keeps Flower out of the user's home.
    """

    environment: Mapping[str, str]

    def register(self, public_key: Path) -> str:
        """Let a node with this key in; return its id."""
        return str(self._call("supernode", "register", str(public_key), LINK)["node-id"])

    def online(self) -> int:
        """Return how many nodes are online."""
        return sum(node["status"] == "online" for node in self._call("supernode", "list", LINK)["nodes"])

    def run(self, app: Path, config: Path) -> str:
        """Start the app with a run config (TOML); return the run's id."""
        return str(self._call("run", str(app), LINK, "--run-config", str(config))["run-id"])

    def state(self, run_id: str) -> dict[str, Any]:
        """Return what the SuperLink says of a run: ``status``, ``network-traffic`` and more."""
        found: dict[str, Any] = self._call("list", LINK, "--run-id", run_id)["runs"][0]
        return found

    def log(self, run_id: str) -> str:
        """Return what the server app printed."""
        return self._output("log", run_id, LINK, "--show").stdout

    def _call(self, *arguments: str) -> dict[str, Any]:
        done = self._output(*arguments, "--format", "json")
        start = done.stdout.find("{")
        try:
            found = json.loads(done.stdout[start:]) if start >= 0 else {}
        except ValueError:
            found = {}
        if done.returncode or not found.get("success"):
            why = found.get("error-message") or f"{done.stdout} {done.stderr}"
            raise RunError(f"flwr {' '.join(arguments[:2])}: {' '.join(str(why).split())[-400:]}")
        return dict(found)

    def _output(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(  # noqa: S603 - a program of this installation, arguments as a list
                [program("flwr"), *arguments],
                env=dict(self.environment),
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RunError(f"flwr {' '.join(arguments[:2])}: no answer within {TIMEOUT_S:g} s") from error


def write_home(home: Path, address: str, authority: Path) -> None:
    """Write the configuration that tells Flower's command line where the SuperLink is and whom to trust."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    link = {"address": address, "root-certificates": str(authority)}
    write_private(home / "config.toml", tomli_w.dumps({"superlink": {"default": LINK, LINK: link}}).encode())


def write_app(folder: Path, defaults: Mapping[str, Any]) -> Path:
    """Write a Flower app that does nothing but import chordsim's two apps; Flower ships it to the nodes.

    Args:
        folder: The app's folder.
        defaults: Every key of the run config, with a value of its type.
    """
    folder.mkdir(parents=True)
    for side in ("server", "clients"):
        # An assignment, since Flower looks for the name without importing the module.
        text = f'"""The app that chordsim holds, under a name of its own."""\n\nfrom {side} import app as home\n\napp = home.app\n'
        (folder / f"chordsim_{side}.py").write_text(text, encoding="utf-8")
    apps = {"serverapp": "chordsim_server:app", "clientapp": "chordsim_clients:app"}
    about = {"publisher": "chordsim", "components": apps, "config": dict(defaults)}
    project = {"name": "chordsim-deployed", "version": "1.0.0", "license": "Apache-2.0", "dependencies": []}
    (folder / "pyproject.toml").write_text(tomli_w.dumps({"project": project, "tool": {"flwr": {"app": about}}}), encoding="utf-8")
    return folder
