"""Specs of the controls that every claim needs: counts, other people's plans, and the same bytes without a plan.

`popularity` and `markov` have no network: the bootstrap ships counts. `chord-random` and `chord-swapped` share
training, bootstrap and budgets with `chord-plus`: the first gets random utilities, the second the utilities of the
phone of its chunk whose history is nearest in length (the profile says how long it is, in two bytes more). A
personal plan helps only where it beats both. `chord-empty` plans for a phone as if its user had done nothing yet, and
`chord-aged-k` from what the user had done k items ago, as a plan that nobody refreshed since; both rank by the history
of today. A user with fewer than k items gets the plan of an empty history. All four take the settings of `chord-plus`
where the scenario has it, train what it trains, and need no training of their own. `film-192` sends as many bytes as a
plan of 768 channels: int8 numbers that scale and shift the last state of a full-precision model and mix in the mean of
the recent items (after FiLM, Perez et al. 2018); three for each dimension, so 192 at 64.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chordsim.errors import ScenarioError
from chordsim.methods import DOWN_PRESCRIPTION, UP_PROFILE, UP_REPORT, Batch, Budgets, Cost, Leg, MethodContext, MethodSpec, Needs
from chordsim.nets.kinds import EXTRACTORS
from chordsim.nets.shapes import shapes_of
from chordsim.ragged import Ints
from chordsim.specs.plan import PlanSpec, chord_plus
from chordsim.specs.shipped import shipped_cost

#: Bytes that say how long a history is.
LENGTH_BYTES = 2
#: Age of the oldest plan in items.
OLDEST = 10_000


def counts_tables(context: MethodContext) -> dict[str, tuple[int, ...]]:
    """Return the tensors that `popularity` and `markov` ship, by name, and their shapes."""
    n = context.n_items + 1
    if "successors" not in context.settings:
        return {"counts": (n,)}
    kept = min(int(context.settings["successors"]), context.n_items)
    return {"counts": (n,), "successors": (n, kept), "times": (n, kept)}


def counts_cost(context: MethodContext, rows: int) -> Cost:
    """Return the cost of the tables and one row of scores; a lookup multiplies nothing."""
    from chordsim.specs.costs import same_for_all

    stored = 4 * sum(int(np.prod(shape)) for shape in counts_tables(context).values())
    return same_for_all(rows, macs=0, bitops=0, peak_memory_bytes=stored + 4 * (context.n_items + 1), model_bytes=stored)


@dataclass(frozen=True)
class CountsSpec(MethodSpec):
    """A method whose phones look counts up."""

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return the memory of the tables."""
        from chordsim.specs.costs import on_device

        return on_device(counts_cost(context, budgets.memory_bytes.size), budgets, np.nan)


def popularity(name: str) -> MethodSpec:
    """Return the control that shows everybody the most popular items."""
    return CountsSpec(
        name, "control: how often each item occurs, shipped once", (UP_REPORT,),
        "server.methods.counts:PopularityCloud", "clients.methods.counts:PopularityDevice",
    )  # fmt: skip


def markov(name: str) -> MethodSpec:
    """Return the control that looks at the last item alone."""
    return CountsSpec(
        name, "control: what most often follows the last item, shipped once", (UP_REPORT,),
        "server.methods.counts:MarkovCloud", "clients.methods.counts:MarkovDevice", {"successors": 50},
        allowed={"successors": (1, 10_000)},
    )  # fmt: skip


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
    return replace(base, summary=summary, cloud="server.methods.plan_controls:RandomPlanCloud", settings_of="chord-plus")


def chord_swapped(name: str) -> MethodSpec:
    """Return the control whose plans are another user's."""
    base = chord_plus(name)
    return SwappedSpec(
        name, "control: the plan of another user with a history of similar length", base.exchange,
        "server.methods.plan_controls:SwappedPlanCloud", "clients.methods.plan_controls:SwappedPlanDevice", base.defaults,
        settings_of="chord-plus",
    )  # fmt: skip


def chord_empty(name: str) -> MethodSpec:
    """Return the control whose plans are made for users who have done nothing yet."""
    return _of_another_time(name, "control: the plan of an empty history", "clients.methods.plan_controls:EmptyPlanDevice", 0)


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
        name, f"control: the plan that its user had {age} items ago", "clients.methods.plan_controls:AgedPlanDevice", age
    )


def _of_another_time(name: str, summary: str, device: str, extra_history: int) -> MethodSpec:
    cloud = "server.methods.plan_controls:OfChordPlus"
    return replace(chord_plus(name), summary=summary, cloud=cloud, device=device, extra_history=extra_history, settings_of="chord-plus")


@dataclass(frozen=True)
class FilmSpec(MethodSpec):
    """User embedding up, three int8 numbers per dimension down."""

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return 4 bytes per number up, one down."""
        up, down = 4 * int(context.settings["profile_dim"]), 3 * context.backbone.dim
        return {UP_PROFILE: np.full(len(who), up, np.int64), DOWN_PRESCRIPTION: np.full(len(who), down, np.int64)}

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return what the modulated model takes, and who cannot bear it."""
        from chordsim.specs.costs import on_device

        return on_device(film_cost(context, budgets.memory_bytes.size), budgets, 32.0)


def film_cost(context: MethodContext, rows: int) -> Cost:
    """Return the shipped model's cost and the extractor's."""
    from chordsim.nets.extractor import size

    s, dim = context.settings, context.backbone.dim
    base = shipped_cost(shapes_of(context.backbone, context.n_items), 32, rows)
    parameters, read = size(s["extractor"], dim, int(s["profile_dim"]))
    return replace(
        base, macs=base.macs + 2 * dim, adapt_macs=base.adapt_macs + read, model_bytes=base.model_bytes + 4 * parameters,
        peak_memory_bytes=base.peak_memory_bytes + 4 * parameters + 3 * dim,
    )  # fmt: skip


def film(name: str) -> MethodSpec:
    """Return the control that spends a plan's bytes on the last state."""
    return FilmSpec(
        name, "control: as many bytes as a plan, as int8 numbers that modulate the last state", (UP_PROFILE, DOWN_PRESCRIPTION, UP_REPORT),
        "server.methods.film:FilmCloud", "clients.methods.film:FilmDevice",
        {"profile_dim": 64, "extractor": "mean", "horizon": 12},
        allowed={"profile_dim": (1, 4096), "extractor": EXTRACTORS, "horizon": (1, 1000)},
    )  # fmt: skip
