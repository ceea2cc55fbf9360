"""What `flwr run` needs around it: environment switches, a private home, and an end for the SuperLink that it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess  # noqa: S404
import time
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_cache_path

from chordsim.errors import RunError

HOME_VARIABLE = "FLWR_HOME"
#: Telemetry and update checks off; and no fresh environment with all dependencies for every single run.
SWITCHES: Mapping[str, str] = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "OMP_NUM_THREADS": "1",
}
_PATIENCE_S = 30.0


def home(chosen: Path | None = None) -> Path:
    """Return Flower's home: the one chosen, FLWR_HOME, or a folder in chordsim's cache, so that yours stays as it is."""
    if chosen is not None:
        return chosen.expanduser().absolute()
    return Path(os.environ.get(HOME_VARIABLE) or user_cache_path("chordsim") / "flwr").expanduser().absolute()


def switches(chosen: Path | None = None) -> dict[str, str]:
    """Return the environment to call `flwr` in."""
    return {**SWITCHES, HOME_VARIABLE: str(home(chosen))}


def superlinks(where: Path) -> list[int]:
    """Return the process ids of the background SuperLinks whose state lies in this home."""
    database = str(where / "local-superlink" / "state.db")
    # -ww: where COLUMNS is set, ps cuts lines there, and the database stands at their end.
    listed = subprocess.run(["ps", "-ww", "-U", str(os.getuid()), "-o", "pid=,args="], capture_output=True, text=True, check=True)  # noqa: S603, S607
    found = []
    for line in listed.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        if "flower-superlink" in command and f"--database {database}" in command:
            found.append(int(pid))
    return found


def stop(pid: int) -> None:
    """End one process and wait until it is gone.

    Raises:
        RunError: It is still there after half a minute.
    """
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise RunError(f"process {pid} is still there after {_PATIENCE_S:.0f} s: end it with kill -9 {pid}")
