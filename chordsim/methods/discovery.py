"""Methods by their names in a scenario: specs and halves, found through entry points.

A third party adds a method by registering a `MethodFactory` under the entry point group ``chordsim.methods``.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Container
from typing import Any, Protocol

from chordsim.errors import ScenarioError
from chordsim.installed import own_sides
from chordsim.methods.blame import blamed
from chordsim.methods.contract import MethodSpec
from chordsim.methods.exchange import UP_REPORT
from chordsim.plug_ins import entry_points, load_one

GROUP = "chordsim.methods"


class MethodFactory(Protocol):
    """What an entry point loads: makes the spec for a name such as ``uniform-2``."""

    def __call__(self, name: str) -> MethodSpec:
        """Return the spec of the method ``name``."""
        ...


def known() -> dict[str, str]:
    """Return registered families and the object path of each; ``uniform-k`` stands for any number k."""
    return {e.name: e.value for e in entry_points(group=GROUP)}


def number_of(name: str, numbers: Container[int], words: str) -> int:
    """Return the number that a method of a family has in its name, such as 8 of ``uniform-8``.

    Args:
        name: The method's name.
        numbers: Those that the family has.
        words: The same in words.

    Raises:
        ScenarioError: It is none of them.
    """
    family, _, text = name.rpartition("-")
    number = int(text) if text.isdigit() else 0
    if number not in numbers:
        raise ScenarioError(f"method {name!r}: {family}-k comes with k = {words}")
    return number


def find(name: str) -> MethodSpec:
    """Return the spec of a method by its name in a scenario.

    Raises:
        ScenarioError: No entry point of that name, where the text names the nearest; or what it leads to makes no such spec.
        MethodError: Making the spec raised something else.
    """
    entries = entry_points(group=GROUP)
    for registered in dict.fromkeys((name, re.sub(r"-\d+$", "-k", name))):
        factory: MethodFactory | None = load_one(entries, registered, "methods")
        if factory is not None:
            with blamed(name, "its spec"):
                spec = factory(name)
            fault = ""
            if not isinstance(spec, MethodSpec) or spec.name != name:
                fault = "no MethodSpec of that name"
            elif spec.exchange.count(UP_REPORT) != 1 or spec.exchange[-1] != UP_REPORT:
                fault = "an exchange that does not end with its only report"
            if fault:
                raise ScenarioError(f"methods: {name!r} is registered as {known()[registered]}, which makes {fault}")
            return spec
    from chordsim.nearest import suggest

    raise ScenarioError(f"unknown method {name!r}{suggest(name, known())}")


def load(path: str) -> Any:
    """Return the object that ``"package.module:Name"`` names: a half, which may build upon `server` or `clients`."""
    module, _, attribute = path.partition(":")
    with own_sides():
        return getattr(importlib.import_module(module), attribute)
