"""What a kind of backbone is: a light spec that entry points find, and the module of functions that it names."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from chordsim.errors import ScenarioError
from chordsim.methods import Allowed
from chordsim.nearest import suggest

if TYPE_CHECKING:
    from chordsim.config.model import BackboneConfig

GROUP = "chordsim.backbones"


@dataclass(frozen=True)
class BackboneSpec:
    """A kind of backbone as a scenario sees it. Read wherever a scenario is, so it must not import torch.

    Attributes:
        name: Its name in ``backbone.kind``.
        summary: One line for a person.
        net: ``"package.module"`` of its functions, as `chordsim.nets.backbone.Net` lists them; loaded when a backbone is built.
        defaults: Settings of ``[backbone.settings]`` and their default values; a scenario may set these keys and no others.
        allowed: By setting, the lowest and highest number that it may be, or the words to choose from.
    """

    name: str
    summary: str
    net: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    allowed: Mapping[str, Allowed] = field(default_factory=dict)

    def check(self, backbone: BackboneConfig) -> None:
        """Refuse values that only together make no sense; each alone is held against `allowed` before.

        Raises:
            ScenarioError: Naming ``backbone.KEY`` and what would be right.
        """

    def module(self) -> Any:
        """Return the module of functions."""
        return importlib.import_module(self.net)


def known() -> dict[str, str]:
    """Return registered kinds and the object path of each."""
    return {entry.name: entry.value for entry in entry_points(group=GROUP)}


def find(kind: str) -> BackboneSpec:
    """Return the spec of a kind of backbone.

    Raises:
        ScenarioError: No entry point of that name, or it leads to something else or nowhere.
    """
    for entry in entry_points(group=GROUP, name=kind):
        try:
            spec = entry.load()
        except (ImportError, AttributeError) as error:
            raise ScenarioError(f"backbone.kind: {kind!r} is registered but cannot be loaded ({error})") from error
        if not isinstance(spec, BackboneSpec) or spec.name != kind:
            raise ScenarioError(f"backbone.kind: {kind!r} is registered as {entry.value}, which is no BackboneSpec of that name")
        return spec
    raise ScenarioError(f"backbone.kind: there is no {kind!r}{suggest(kind, known())}")
