"""What other packages register by entry point: names, and the light spec that a name leads to."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import lru_cache
from importlib import metadata
from typing import Any, Protocol, TypeVar

from chordsim.errors import RAISED, ScenarioError, typed_line
from chordsim.nearest import suggest


class Named(Protocol):
    """A spec, which says its own name."""

    @property
    def name(self) -> str:
        """Its name in a scenario."""
        ...


S = TypeVar("S", bound=Named)


def entry_points(*, group: str) -> metadata.EntryPoints:
    """Return a group of entry points, as `importlib.metadata` does, which looks through every package of the environment each time.

    Here that happens again when a folder where packages lie has changed, so also for one that is installed while a program runs.
    """
    return _found(group, tuple((folder, _changed(folder)) for folder in sys.path))


@lru_cache(maxsize=8)
def _found(group: str, folders: tuple[tuple[str, int], ...]) -> metadata.EntryPoints:
    """Return a group; the folders of packages, and when each was changed, say whether it is known already."""
    return metadata.entry_points(group=group)


def _changed(folder: str) -> int:
    try:
        return os.stat(folder or ".").st_mtime_ns
    except OSError:
        return 0


def registered(group: str) -> dict[str, str]:
    """Return the names of a group and the object path of each."""
    return {entry.name: entry.value for entry in entry_points(group=group)}


def spec_of(group: str, name: str, kind: type[S], key: str) -> S:
    """Return the spec that a name is registered for.

    Args:
        group: Of entry points.
        name: As the scenario has it.
        kind: What the spec must be.
        key: Where the name stands in a scenario, for messages.

    Raises:
        ScenarioError: No entry point of that name, or it leads to something else or nowhere.
    """
    spec = load_one(entry_points(group=group), name, key)
    if spec is None:
        raise ScenarioError(f"{key}: there is no {name!r}{suggest(name, registered(group))}")
    if not isinstance(spec, kind) or spec.name != name:
        raise ScenarioError(f"{key}: {name!r} is registered as {registered(group)[name]}, which is no {kind.__name__} of that name")
    return spec


def load_one(entries: Iterable[metadata.EntryPoint], name: str, key: str) -> Any:
    """Return what the entry point of a name leads to; None where there is none.

    Args:
        entries: Of a group.
        name: The entry point's.
        key: Where the name stands in a scenario, for messages.

    Raises:
        ScenarioError: Packages disagree on what it leads to, or it cannot be loaded: loading it runs code of others, which may raise
            anything.
    """
    found = {entry.value: entry for entry in entries if entry.name == name}
    if len(found) > 1:
        all_of_them = " and ".join(sorted(found))
        raise ScenarioError(f"{key}: {name!r} is registered by several packages, as {all_of_them}: uninstall all but one")
    for entry in found.values():
        try:
            return entry.load()
        except RAISED as error:
            raise ScenarioError(f"{key}: {name!r} is registered but cannot be loaded ({typed_line(error)})") from error
    return None
