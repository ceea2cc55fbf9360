"""An environment for pfl-research of its own: made once under a cache folder, on top of what chordsim runs with.

It sees the packages of the environment that runs the suite (the same torch, numpy and chordsim), so that nothing but
pfl differs; what pfl needs besides is installed into it alone.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

REQUIREMENT = "pfl>=0.6,<0.7"
_INSTALL_S = 600


def pfl_python(cache: Path) -> tuple[str, str]:
    """Return the interpreter of an environment that has pfl, and "" or the reason why there is none.

    Args:
        cache: Where the environment is made, or found from before.
    """
    home = cache / "pfl"
    python = home / "bin" / "python"
    if not _has_pfl(python):
        try:
            _run([sys.executable, "-m", "venv", "--clear", str(home)])
            inside = subprocess.run(
                [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True, check=True
            )
            Path(inside.stdout.strip(), "outer.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
            _run([str(python), "-m", "pip", "install", "--quiet", REQUIREMENT])
        except (OSError, subprocess.SubprocessError) as error:
            told = getattr(error, "stderr", "") or str(error)
            return str(python), f"pip install {REQUIREMENT!r} failed: {told.strip().splitlines()[-1][:200]}"
    return str(python), "" if _has_pfl(python) else "pfl was installed but cannot be imported"


def _has_pfl(python: Path) -> bool:
    return python.exists() and subprocess.run([str(python), "-c", "import pfl, torch"], capture_output=True).returncode == 0


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_S)
