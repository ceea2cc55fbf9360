"""Specs of the controls of `chord-plus`: other people's plans, and the user's own from another time.

`chord-random` and `chord-swapped` share training, bootstrap and budgets with `chord-plus`: the first gets random
utilities, the second the utilities of the phone of its chunk whose history is nearest in length (the profile says how
long it is, in two bytes more). A personal plan helps only where it beats both. `chord-empty` plans for a phone as if its
user had done nothing yet, and `chord-aged-k` from what the user had done k items ago, as a plan that nobody refreshed
since; both rank by the history of today. A user with fewer than k items gets the plan of an empty history. All four take
the settings of `chord-plus` where the scenario has it, train what it trains, and need no training of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from chordsim.arrays import Ints
from chordsim.errors import ScenarioError
from chordsim.methods import UP_PROFILE, Batch, Leg, MethodContext, MethodSpec
from chordsim.methods.chord.spec import PlanSpec, chord_plus

#: Bytes that say how long a history is.
LENGTH_BYTES = 2
#: Age of the oldest plan in items.
OLDEST = 10_000


@dataclass(frozen=True)
class SwappedSpec(PlanSpec):
    """A plan method whose profile also says how long the history is."""

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return the sizes of a plan, and two bytes more up."""
        sizes = super().sizes(context, who)
        return {**sizes, UP_PROFILE: sizes[UP_PROFILE] + LENGTH_BYTES}


def chord_random(name: str) -> MethodSpec:
    """Return the control whose plans are random."""
    base = chord_plus(name)
    summary = "control: random plans under the budgets of chord-plus"
    return replace(base, summary=summary, cloud="chordsim.methods.chord.controls.cloud:RandomPlanCloud", settings_of="chord-plus")


def chord_swapped(name: str) -> MethodSpec:
    """Return the control whose plans are another user's."""
    base = chord_plus(name)
    return SwappedSpec(
        name=name,
        summary="control: the plan of another user with a history of similar length",
        exchange=base.exchange,
        cloud="chordsim.methods.chord.controls.cloud:SwappedPlanCloud",
        device="chordsim.methods.chord.controls.device:SwappedPlanDevice",
        by_budgets=True,
        by_others=True,
        defaults=base.defaults,
        settings_of="chord-plus",
        cached=base.cached,
    )


def chord_empty(name: str) -> MethodSpec:
    """Return the control whose plans are made for users who have done nothing yet."""
    return _of_another_time(name, "control: the plan of an empty history", "chordsim.methods.chord.controls.device:EmptyPlanDevice", 0)


def chord_aged(name: str) -> MethodSpec:
    """Return the control whose plans are k items old.

    Raises:
        ScenarioError: k is not a number from 1 to `OLDEST`.
    """
    text = name.rsplit("-", 1)[1]
    age = int(text) if text.isdigit() else 0
    if not 1 <= age <= OLDEST:
        raise ScenarioError(f"method {name!r}: chord-aged-k comes with k = 1 to {OLDEST:,}")
    return _of_another_time(
        name, f"control: the plan that its user had {age} items ago", "chordsim.methods.chord.controls.device:AgedPlanDevice", age
    )


def _of_another_time(name: str, summary: str, device: str, extra_history: int) -> MethodSpec:
    cloud = "chordsim.methods.chord.controls.cloud:OfChordPlus"
    return replace(chord_plus(name), summary=summary, cloud=cloud, device=device, extra_history=extra_history, settings_of="chord-plus")
