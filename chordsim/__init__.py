"""A testbed for device-cloud recommendation. ``import chordsim`` stays light; heavy parts load when used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from chordsim.installed import VERSION as __version__

# Before anything loads OpenMP: threads that spin for long while they wait for one another make training ten times slower as
# soon as another process wants the same cores. Ones that sleep at once gain nothing from a second core: spin for a moment.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

if TYPE_CHECKING:
    from chordsim.api import run as run

__all__ = ["__version__", "run"]


def __getattr__(name: str) -> Any:
    """Load `run` on first use, so that the command line's help and the phones' workers do not pay for it."""
    if name == "run":
        from chordsim.api import run

        return run
    raise AttributeError(f"module 'chordsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
