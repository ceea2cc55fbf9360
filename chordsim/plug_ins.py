"""What other packages register by entry point: names, and the light spec that a name leads to."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Protocol, TypeVar

from chordsim.errors import ScenarioError
from chordsim.nearest import suggest


class Named(Protocol):
    """A spec, which says its own name."""

    @property
    def name(self) -> str:
        """Its name in a scenario."""
        ...


S = TypeVar("S", bound=Named)


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
    for entry in entry_points(group=group, name=name):
        try:
            spec = entry.load()
        except (ImportError, AttributeError) as error:
            raise ScenarioError(f"{key}: {name!r} is registered but cannot be loaded ({error})") from error
        if not isinstance(spec, kind) or spec.name != name:
            raise ScenarioError(f"{key}: {name!r} is registered as {entry.value}, which is no {kind.__name__} of that name")
        return spec
    raise ScenarioError(f"{key}: there is no {name!r}{suggest(name, registered(group))}")
