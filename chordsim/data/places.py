"""Where data lie on this machine: the folder that CHORDSIM_DATA names, and the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

from chordsim.errors import DataError

DATA_VARIABLE = "CHORDSIM_DATA"
CACHE_VARIABLE = "CHORDSIM_CACHE"


def data_folder() -> Path | None:
    """Return the folder of the user's own data sets, or None if CHORDSIM_DATA is not set.

    Raises:
        DataError: It is set, but names no folder.
    """
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise DataError(f"{DATA_VARIABLE} = {named}: no such folder")
    return folder


def cache_folder() -> Path:
    """Return where fetched data sets are kept: CHORDSIM_CACHE or the platform's cache folder; it may not exist yet."""
    named = os.environ.get(CACHE_VARIABLE)
    return (Path(named).expanduser() if named else user_cache_path("chordsim")) / "data"
