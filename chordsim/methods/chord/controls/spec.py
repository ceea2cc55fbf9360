"""Specs of the controls of `chord-plus`, or of `chord`: other people's plans, and the user's own from another time.

`chord-random` and `chord-swapped` share training, bootstrap and budgets with the method that they control: the first gets random
utilities, the second the utilities of the phone of its chunk whose history is nearest in length (the profile says how
long it is, in two bytes more), or with ``swaps = "list"`` those of its own user under that phone's list. A personal plan
helps only where it beats both. `chord-empty` plans for a phone as if its
user had done nothing yet, and `chord-aged-k` from what the user had done k items ago, as a plan that nobody refreshed
since; both rank by the history of today. A user with fewer than k items gets the plan of an empty history. `plans_of` says whose plans:
those of `chord-plus`, or of `chord`. All four take that method's settings where the scenario has it, train what it trains, and need
no training of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chordsim.arrays import Ints
from chordsim.errors import ScenarioError
from chordsim.methods import UP_PROFILE, Batch, Leg, MethodContext, MethodSpec, number_of
from chordsim.methods.chord.spec import PlanSpec, chord, chord_plus

#: Bytes that say how long a history is.
LENGTH_BYTES = 2
#: Age of the oldest plan in items.
OLDEST = 10_000


@dataclass(frozen=True)
class ControlSpec(PlanSpec):
    """A plan method that trains what another one trains."""

    def as_set(self, settings: Mapping[str, Any]) -> MethodSpec:
        """Return the control of `chord` where ``plans_of`` says so: its settings and defaults stand in place of those of `chord-plus`."""
        made = super().as_set(settings)
        if settings.get("plans_of") != "chord" or not isinstance(made, ControlSpec):
            return made
        own = {key: value for key, value in self.defaults.items() if key == "swaps"}
        return replace(made, defaults={**chord("chord").defaults, **own, "plans_of": "chord"}, settings_of="chord")


@dataclass(frozen=True)
class SwappedSpec(ControlSpec):
    """A plan method whose profile also says how long the history is."""

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return the sizes of a plan, and two bytes more up."""
        sizes = super().sizes(context, who)
        return {**sizes, UP_PROFILE: sizes[UP_PROFILE] + LENGTH_BYTES}


@dataclass(frozen=True)
class RandomSpec(ControlSpec):
    """A plan method whose cloud draws utilities."""

    def check(self, settings: Mapping[str, Any]) -> None:
        """Refuse settings that make no plan, and plans that phones hold already: there are no utilities to draw."""
        super().check(settings)
        if settings["planner"] == "codebook":
            raise ScenarioError(f'methods: {self.name!r} draws plans, and settings.{self.name}.planner = "codebook" has them: leave it out')


def chord_random(name: str) -> MethodSpec:
    """Return the control whose plans are random."""
    cloud = "chordsim.methods.chord.controls.cloud:RandomPlanCloud"
    return RandomSpec(**vars(_control(name, "control: random plans under the budgets of chord-plus", cloud=cloud)))


def chord_swapped(name: str) -> MethodSpec:
    """Return the control whose plans are another user's."""
    made = _control(
        name,
        "control: the plan of another user with a history of similar length",
        cloud="chordsim.methods.chord.controls.cloud:SwappedPlanCloud",
        device="chordsim.methods.chord.controls.device:SwappedPlanDevice",
    )
    return SwappedSpec(**{**vars(made), "by_others": True, "defaults": {**made.defaults, "swaps": "user"}})


def chord_empty(name: str) -> MethodSpec:
    """Return the control whose plans are made for users who have done nothing yet."""
    return _control(name, "control: the plan of an empty history", device="chordsim.methods.chord.controls.device:EmptyPlanDevice")


def chord_aged(name: str) -> MethodSpec:
    """Return the control whose plans are k items old.

    Raises:
        ScenarioError: k is not a number from 1 to `OLDEST`.
    """
    age = number_of(name, range(1, OLDEST + 1), f"1 to {OLDEST:,}")
    return replace(
        _control(
            name, f"control: the plan that its user had {age} items ago", device="chordsim.methods.chord.controls.device:AgedPlanDevice"
        ),
        extra_history=age,
    )


def _control(name: str, summary: str, *, cloud: str = "chordsim.methods.chord.controls.cloud:OfAnother", device: str = "") -> ControlSpec:
    """Return a control of `chord-plus` with these halves; the device half is that of plans where none is named."""
    base = chord_plus(name)
    changed = {
        "summary": summary,
        "cloud": cloud,
        "device": device or base.device,
        "defaults": {**base.defaults, "plans_of": "chord-plus"},
        "settings_of": "chord-plus",
    }
    return ControlSpec(**{**vars(base), **changed})
