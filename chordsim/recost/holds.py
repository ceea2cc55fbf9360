"""What a run recorded that still holds on other phones, row by row; and for what does not, why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chordsim.arrays import Bools, Codes, Ints
from chordsim.ledger.rows import Rows
from chordsim.methods import Budgets, Given, MethodContext, MethodSpec
from chordsim.methods.blame import blamed
from chordsim.population.generate import Population
from chordsim.population.profile import Profiles
from chordsim.round.recorded import exchanged
from chordsim.sized import SizedWorld

#: Why what a user saw cannot be told, by code; 0 where it can.
REASONS = (
    "",
    "another user",  # another person would own the phone
    "another battery",  # an earlier round's joules are not known, and the battery decides who comes
    "unknown prescription",  # the method does not say what its prescriptions depend on
    "another refusal",  # whether it refuses depends on its user, and it was not asked then
    "not served then",  # nothing was recorded that it could show
    "another model",  # the cloud would have learnt from other phones
    "other phones",  # what it is given depends on who else takes part
    "another plan",  # other budgets, another prescription
    "another old plan",  # it would show a plan of another round than it did
    "another end",  # its own seconds, or those that close the round, are not known
)
#: What is told, but from closed forms rather than from what was recorded: bytes, seconds and joules.
ESTIMATED = "estimated cost"


@dataclass(frozen=True)
class Verdict:
    """What holds of one round, shape [D] each.

    Attributes:
        why: Code into `REASONS`.
        estimated: Whose bytes, seconds or joules are closed forms.
        unsure: Whose round may have ended otherwise.
    """

    why: Codes
    estimated: Bools
    unsure: Bools


class Judge:
    """Judges one method's rounds, in order."""

    def __init__(self, world: SizedWorld, former: Population, spec: MethodSpec, context: MethodContext, rounds: Mapping[int, Rows]) -> None:
        """Prepare.

        Args:
            world: The scenario that is asked about.
            former: The phones of the run.
            spec: The method.
            context: Its settings.
            rounds: What was recorded, by round.
        """
        self._world, self._former, self._spec, self._context, self._rounds = world, former, spec, context, rounds
        with blamed(spec.name, "ends"):
            self._ends = spec.ends(context)
        self._unknown = False
        self._same: dict[int, tuple[Ints, Bools]] = {}
        # What happened otherwise so far: anything at all, who taught, and what phones spent or hold.
        self._alike, self._taught_alike = True, True
        self._strayed = np.zeros(0, np.int64)
        self._spent_otherwise = np.zeros(0, np.int64)

    def same(self, round: int, phones: Profiles) -> Bools:
        """Return which phones would be given what was recorded, by their own budgets, [D]."""
        held = self._same.get(round)
        if held is None or not np.array_equal(held[0], phones.device_ids):
            held = self._same[round] = (phones.device_ids, self._by_budgets(self._rounds[round], phones))
        return held[1]

    def _by_budgets(self, then: Rows, phones: Profiles) -> Bools:
        place = np.searchsorted(then["device_id"], phones.device_ids)
        now, before = phones.budgets, self._former.profiles(phones.device_ids).budgets
        bits, binding = then.floats("bits_mean")[place], then.texts("binding")[place]
        given = Given(then["peak_memory_bytes"][place], then["macs"][place], bits, binding)
        with blamed(self._spec.name, f"unchanged, round {then.round}"):
            same = self._spec.unchanged(self._context, given, now, before)
        self._unknown = same is None
        return equal(now, before) if same is None else equal(now, before) | same

    def judge(self, rows: Rows, then: Rows) -> Verdict:
        """Return what holds of a round.

        Args:
            rows: The round on the other phones, as closed forms and recorded costs tell it.
            then: What was recorded.
        """
        phones, clock = self._world.population.profiles(rows["device_id"]), self._world.scenario.clock
        same, ids = self.same(rows.round, phones), rows["device_id"]
        fresh, stale = (rows.is_word("served_by", word) for word in ("fresh", "stale"))
        finished, alike = rows.is_word("outcome", "served", "late"), _alike(rows, then)
        other_user = self._world.population.users(ids) != then["user_id"]
        alone = not (self._unknown or self._spec.by_others)
        # What depends on who else takes part holds where everybody does what everybody did.
        moved = np.full(len(rows), not alone and not (self._alike_so_far(alike)))
        estimated = self._estimated(rows, then, same, alike, phones) | (moved & (rows["round_trips"] > 0))
        why = np.zeros(len(rows), np.uint8)

        def because(reason: str, who: Bools) -> None:
            why[(why == 0) & who] = REASONS.index(reason)

        shows = fresh | stale
        because("another user", other_user)
        drained, may_refuse = np.isin(ids, self._spent_otherwise), self._may_refuse(rows, then, same, phones)
        because("another battery", drained)
        because("unknown prescription", shows & self._unknown & (moved | ~same))
        because("another refusal", may_refuse)
        because("not served then", fresh & ~then.is_word("served_by", "fresh"))
        because("another model", shows & (self._spec.learns and not self._taught_alike))
        because("other phones", shows & moved)
        because("another plan", fresh & ~same)
        because("another old plan", stale & ~(same & _as_old(rows, then)))
        ends = estimated & finished & bool(clock.deadline_s or clock.quorum or clock.quantile)
        if ends.any() and (clock.quorum or clock.quantile):
            # When the round closes depends on everybody's seconds.
            ends = finished
        because("another end", ends)
        self._note(rows, then, alike, estimated, other_user)
        return Verdict(why, estimated, other_user | drained | may_refuse | ends)

    def _alike_so_far(self, alike: Bools) -> bool:
        """Return whether this round, and those before it where a method may have learnt from them, went as they did."""
        return bool(alike.all()) and (self._alike or not self._unknown)

    def _estimated(self, rows: Rows, then: Rows, same: Bools, alike: Bools, phones: Profiles) -> Bools:
        """Return whose bytes, seconds or joules are not those that were recorded, [D]."""
        served, went = then.is_word("outcome", "served"), exchanged(then)
        # A late phone that showed an old plan has the dearer of the two models on record.
        ran = (served | (then.is_word("outcome", "late") & ~then.is_word("served_by", "stale"))) & same
        again = alike & same
        planned = any(leg.kind == "prescription" for leg in self._spec.exchange)
        stale, has_model = rows.is_word("served_by", "stale"), (then["peak_memory_bytes"] > 0) & same
        out = rows.is_word("outcome", "served", "late") & ~ran
        out |= stale & ~again if planned else stale & ~has_model
        out |= rows.is_word("refused_by", "device") & ~has_model
        out |= rows.is_word("outcome", "dropped") & (rows["peak_memory_bytes"] > 0) & ~(ran | again)
        if self._ends[0] != self._ends[1] or self._spec.needs(self._context, phones.budgets) is None:
            # Messages depend on the user, so only those that went out have a size.
            out |= (rows["round_trips"] > 0) & ~(went & same)
        if self._world.scenario.backbone.items == "cached":
            # What a phone asks for depends on what it got before.
            out |= (rows["round_trips"] > 0) & np.isin(rows["device_id"], self._strayed)
        return np.asarray(out)

    def _may_refuse(self, rows: Rows, then: Rows, same: Bools, phones: Profiles) -> Bools:
        """Return of whom it cannot be told whether they refuse, since that depends on the user, [D]."""
        least, most = (end.needs(self._context, phones.budgets) for end in self._ends)
        here = ~rows.is_word("outcome", "offline") & ~(exchanged(then) & same)
        if least is None or most is None:
            return here & ~same
        return np.asarray(here & (least.refusal != most.refusal))

    def _note(self, rows: Rows, then: Rows, alike: Bools, estimated: Bools, other_user: Bools) -> None:
        """Remember what later rounds depend on."""
        taught = bool((rows.is_word("outcome", "served") == then.is_word("outcome", "served")).all())
        self._taught_alike &= taught and not other_user.any()
        self._alike &= bool(alike.all()) and not other_user.any()
        ids = rows["device_id"]
        self._strayed = np.union1d(self._strayed, ids[~alike])
        if self._world.scenario.population.availability.battery_floor:
            self._spent_otherwise = np.union1d(self._spent_otherwise, ids[estimated])


def equal(now: Budgets, before: Budgets) -> Bools:
    """Return which phones grant what they granted, [D]."""
    names = ("memory_bytes", "latency_s", "bits", "macs_per_s")
    return np.asarray(np.all([getattr(now, name) == getattr(before, name) for name in names], axis=0))


def _alike(rows: Rows, then: Rows) -> Bools:
    """Return which phones ended and showed the same, [D]."""
    same = np.ones(len(rows), np.bool_)
    for name in ("outcome", "served_by", "refused_by"):
        same &= rows[name] == then[name]
    return same & _same_age(rows, then)


def _same_age(rows: Rows, then: Rows) -> Bools:
    one, two = rows.floats("plan_age_rounds"), then.floats("plan_age_rounds")
    return np.asarray((one == two) | (np.isnan(one) & np.isnan(two)))


def _as_old(rows: Rows, then: Rows) -> Bools:
    """Return whose old plan was shown then; where there are no plans, a model that was shown fresh is as good, [D]."""
    unplanned = np.isnan(rows.floats("plan_age_rounds"))
    return np.asarray((then.is_word("served_by", "stale") & _same_age(rows, then)) | (then.is_word("served_by", "fresh") & unplanned))
