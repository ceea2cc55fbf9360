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
    from chordsim.frames.many import devices_df as devices_df
    from chordsim.frames.many import ledger_df as ledger_df
    from chordsim.frames.many import rounds_df as rounds_df

_FRAMES = ("devices_df", "ledger_df", "rounds_df")
__all__ = ["__version__", "devices_df", "ledger_df", "rounds_df", "run"]


def __getattr__(name: str) -> Any:
    """Load `run` and the frames on first use, so that the command line's help and the phones' workers do not pay for it."""
    if name == "run":
        from chordsim.api import run

        return run
    if name in _FRAMES:
        from chordsim.frames import many

        return getattr(many, name)
    raise AttributeError(f"module 'chordsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
