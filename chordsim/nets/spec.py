"""What a kind of backbone is: a light spec that entry points find, and the module of functions that it names."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chordsim.methods import Allowed
from chordsim.plug_ins import registered, spec_of

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
        attends: Whether its ``forward`` takes ``attend``, what it computes attention with in training.
    """

    name: str
    summary: str
    net: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    allowed: Mapping[str, Allowed] = field(default_factory=dict)
    attends: bool = False

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
    return registered(GROUP)


def find(kind: str) -> BackboneSpec:
    """Return the spec of a kind of backbone.

    Raises:
        ScenarioError: No entry point of that name, or it leads to something else or nowhere.
    """
    return spec_of(GROUP, kind, BackboneSpec, "backbone.kind")
