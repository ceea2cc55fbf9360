"""Programs that bring a package from the index this machine uses: pip, wherever it is to be found, or uv."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from chordsim.errors import DataError

SECONDS = 300
_PIP = (
    *("download", "--no-deps", "--only-binary=:all:", "--quiet", "--no-input", "--disable-pip-version-check"),
    *("--timeout", "10", "--retries", "1", "--dest"),
)
_UV = ("pip", "install", "--no-deps", "--only-binary=:all:", "--quiet", "--python", sys.executable, "--target")
_HOW = (
    "there is no pip here, and no uv: put one into this environment (python -m ensurepip, or uv pip install pip), "
    "or lay the data set's own file under CHORDSIM_DATA by hand"
)


def bring(requirement: str, folder: Path) -> None:
    """Bring one package, without its dependencies: as a wheel in ``folder``, or unpacked in it; nothing of it is run.

    Raises:
        DataError: No program for it, no index, or no such package; says how to go on.
    """
    said = ""
    for command in _ways():
        name = " ".join(Path(word).name for word in command[:3] if not word.startswith("-"))
        try:
            words = [*command, str(folder), requirement]
            done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603 - a fixed command
        except subprocess.TimeoutExpired:
            raise DataError(f"pip did not bring {requirement} within {SECONDS} s") from None
        except OSError as error:
            said = said or f"{name}: {error.strerror}"
            continue
        if not done.returncode and any(folder.iterdir()):
            return
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        said = said or (" ".join(lines[-1].split())[:200] if lines else "no reason given")
    raise DataError(f"pip cannot download {requirement} ({said})" if said else f"{requirement}: {_HOW}")


def _ways() -> Iterator[list[str]]:
    """Yield commands to try, each up to the folder; those that are not there are left out."""
    if importlib.util.find_spec("pip") is not None:
        yield [sys.executable, "-m", "pip", *_PIP]
        return
    bundled = _bundled()
    if bundled is not None:
        # A wheel of pip's runs in place; nothing is installed.
        yield [sys.executable, str(bundled / "pip"), *_PIP]
    uv = shutil.which("uv")
    if uv is not None:
        yield [uv, *_UV]
    pip = shutil.which("pip3") or shutil.which("pip")
    if pip is not None:
        yield [pip, *_PIP]


def _bundled() -> Path | None:
    """Return the wheel of pip that most Pythons carry to make environments with."""
    found = importlib.util.find_spec("ensurepip")
    if found is None or found.origin is None:
        return None
    return next(iter(sorted((Path(found.origin).parent / "_bundled").glob("pip-*.whl"))), None)
