"""Which installation this is: its version, the folder that holds its three packages, and how its two sides are found."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from chordsim.errors import RunError

VERSION = "0.1.0"
#: Holds `chordsim`, `server` and `clients`: a checkout, or site-packages.
HOME = Path(__file__).parent.parent
SIDES = ("server", "clients")


@contextmanager
def own_sides() -> Iterator[None]:
    """Let imports inside this block find this installation's `server` and `clients`, whatever stands first on the path.

    A folder of Flower users often holds a server.py of their own. The path stays as it is, and so does every other name.

    Raises:
        RunError: Something else was imported under one of the two names before, and an import failed by that.
    """
    finder = _OwnSides()
    sys.meta_path.insert(0, finder)
    try:
        yield
    except ImportError as error:
        refuse_others(str(error.name).partition(".")[0])
        raise
    finally:
        sys.meta_path.remove(finder)


def refuse_others(name: str) -> None:
    """Make sure that the module of this name, if it is one of the two sides, is this installation's.

    Raises:
        RunError: It is somebody else's.
    """
    found = sys.modules.get(name)
    if name not in SIDES or found is None:
        return
    where = _place(found)
    if where is None or where.resolve() != (HOME / name / "__init__.py").resolve():
        own = f"chordsim has a package of that name in {HOME}"
        raise RunError(f"{where}: imported as {name!r}, but {own}: rename it, or run chordsim in a process that does not import it")


def _place(module: ModuleType) -> Path | None:
    """Return the file that a module is, or where it has none the first folder that makes it up."""
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return next((Path(place) for place in places if place), None)


class _OwnSides:
    """Finds two packages in this installation and leaves all else to the path."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [str(HOME)]) if name in SIDES else None
