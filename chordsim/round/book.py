"""What one round of one method has cost each phone so far, and how its story ended: arrays over M padded rows."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from chordsim.arrays import Bools, Columns, Floats, Ints
from chordsim.config.model import Scenario
from chordsim.ledger.columns import OUTCOMES
from chordsim.methods import COST, Leg
from chordsim.population import clock
from chordsim.round.scene import Scene
from chordsim.wire.frame import OVERHEAD_BYTES

#: Simulator columns that go back to the phones at the next visit of the round, beside the method's own state.
CARRIED = ("refusal", "rank", "list")
STATE = "state."
PARTS = ("bootstrap", "candidates", "rows", "prescription", "profile", "asks", "update", "report")
TOTALS = ("framing_down", "down", "cut_down", "framing_up", "up", "cut_up")
SIDES = ("none", "cloud", "device")
#: Transfer 0 is the bootstrap; the protocol's candidates, where it sends any, and an exchange's legs follow.
BOOTSTRAP = 0


class Book:
    """Counts bytes, seconds and outcomes while a round is played.

    Attributes:
        active: Who still takes part, [M].
        needs: Who lacks the bootstrap in force, [M].
        outcome: Index into `OUTCOMES`, [M].
        refused_by: Index into `SIDES`, [M].
        binding: Code into `chordsim.methods.BINDINGS`, [M].
        bytes: Ledger columns by name without their suffix, int64 [M].
        cost: What phones spent, int64 [M] by name in `COST`.
        seconds: Seconds on the link by direction, [M]; those of the report apart.
        bits: Stored bits per weight, NaN where no model ran, [M].
        rank: Reported rank, NaN where nothing was ranked, [M].
        cloud_macs: Operations on the cloud, [M].
        round_trips: Transfers begun, [M]; each costs one round trip.
        bootstrap_cut: Bootstrap bytes that did not cross, [M].
        counts_report: Whether the report takes time and energy and may fail a round, as every other message does.
        unreported: Whose report the link cut and who play on all the same, since it does not count, [M].
        charged_bytes: What crossed by direction without being moved by a carrier: charged from its length, to every phone.
        cached_rows: Item rows that each phone holds, [M].
        rows_came: Who asked for item rows and got them, [M].
        quarantined: How many messages or phones were set aside, by what made no sense about them.
        carried: What the simulator takes back to the phones at the next visit: `CARRIED` and ``state.*``, [M, ...].
    """

    def __init__(self, scenario: Scenario, scene: Scene, legs: int, needs: Bools) -> None:
        """Open an empty book.

        Args:
            scenario: Clock and seed.
            scene: Who plays.
            legs: Length of the method's exchange, and one more where the protocol sends candidates.
            needs: Who lacks the bootstrap in force, [M].
        """
        rows = scene.ids.size
        self.scene, self.active = scene, scene.real
        self.needs = needs & self.active
        self.outcome, self.refused_by = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        self.binding = np.zeros(rows, np.uint8)
        self.bytes = {name: np.zeros(rows, np.int64) for name in (*PARTS, *TOTALS)}
        self.cost = {name: np.zeros(rows, np.int64) for name in COST}
        self.seconds = {name: np.zeros(rows) for name in ("down", "up", "report")}
        self.bits, self.rank = np.full(rows, np.nan), np.full(rows, np.nan)
        self.cloud_macs, self.round_trips, self.bootstrap_cut = (np.zeros(rows, np.int64) for _ in range(3))
        self.counts_report, self.unreported = scenario.clock.count_report, np.zeros(rows, np.bool_)
        self.charged_bytes = {"down": 0, "up": 0}
        self.cached_rows = np.zeros(rows, np.int64)
        self.rows_came = np.zeros(rows, np.bool_)
        self.carried: Columns = {}
        self.quarantined: Counter[str] = Counter()
        self.fraction = _fractions(scenario, scene, legs, self.needs)
        c = scenario.clock
        self._jitter = clock.jitter_factors(scenario.seed, scene.ids, scene.round, legs + 1, c.jitter)

    def refuse(self, who: Bools, binding: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], side: str) -> None:
        """Record refusals and take those phones out of the round."""
        self.refused_by[who] = SIDES.index(side)
        self.binding[who] = binding[who]
        self.end(who, "refused")

    def end(self, who: Bools, outcome: str) -> None:
        """Take phones out of the round with this outcome."""
        self.outcome[who] = OUTCOMES.index(outcome)
        self.active = self.active & ~who

    def quarantine(self, who: Bools, why: str) -> None:
        """Let phones whose message made no sense fail, and count them."""
        self.quarantined[why] += int(np.count_nonzero(who))
        self.end(who, "failed")

    def crossing(self, whole: Ints, transfer: int) -> Ints:
        """Return how many bytes of each message cross before the link breaks, [M]."""
        fraction = self.fraction[:, transfer]
        return np.where(fraction < 1, np.floor(whole * fraction).astype(np.int64), whole)

    def transfer_bootstrap(self, size_bytes: int | Ints) -> None:
        """Charge the bootstrap to every phone that needs it; it has no frame of its own.

        Args:
            size_bytes: What each phone lacks of it, one number for all or [M].
        """
        self.needs &= self.active
        whole = np.where(self.needs, size_bytes, 0)
        crossed = self.crossing(whole, BOOTSTRAP)
        self.bytes["bootstrap"] += whole
        self.bootstrap_cut += whole - crossed
        self.charged_bytes["down"] += int(crossed.sum())
        self.end(self._cross("down", whole, crossed, BOOTSTRAP), "dropped")

    def transfer_charged(self, leg: Leg, payload_bytes: int | Ints, who: Bools, transfer: int) -> None:
        """Charge a leg of the protocol from the length of its payload, as one framed message to or from each phone.

        Args:
            leg: Its direction and kind.
            payload_bytes: Of each message, one number for all or [M].
            who: Phones that it concerns, [M].
            transfer: Number of the transfer in the round.
        """
        whole = np.where(self.active & who, payload_bytes + OVERHEAD_BYTES, 0)
        crossed = self.crossing(whole, transfer)
        self.transfer(leg, whole, crossed, transfer)
        self.charged_bytes[leg.direction] += int(crossed.sum())

    def transfer(self, leg: Leg, whole: Ints, crossed: Ints, transfer: int) -> None:
        """Count one leg's framed messages.

        Args:
            leg: Its direction and kind.
            whole: Bytes of each frame as encoded, 0 where nothing is sent, [M].
            crossed: Bytes that crossed, [M].
            transfer: Number of the transfer in the round.
        """
        framing = np.minimum(whole, OVERHEAD_BYTES)
        self.bytes[leg.kind] += whole - framing
        self.bytes[f"framing_{leg.direction}"] += framing
        report = leg.kind == "report"
        cut = self._cross(leg.direction, whole, crossed, transfer, "report" if report else "")
        if report and not self.counts_report:
            self.unreported |= cut
        else:
            self.end(cut, "dropped")

    @property
    def transfers_s(self) -> tuple[Floats, Floats]:
        """Seconds on the link down and up that count, [M] each."""
        up = self.seconds["up"] + self.seconds["report"] if self.counts_report else self.seconds["up"]
        return self.seconds["down"], up

    def _cross(self, direction: str, whole: Ints, crossed: Ints, transfer: int, clocked: str = "") -> Bools:
        """Let bytes cross; return whose link broke, [M]."""
        self.bytes[direction] += crossed
        self.bytes[f"cut_{direction}"] += whole - crossed
        phones = self.scene.profiles
        rate = phones.down_bytes_per_s if direction == "down" else phones.up_bytes_per_s
        self.seconds[clocked or direction] += clock.transfer_s(crossed, rate, phones.round_trip_s, self._jitter[:, transfer])
        self.round_trips += whole > 0
        return np.asarray(self.active & (crossed < whole))


def column_like(column: np.ndarray[Any, Any], rows: int) -> np.ndarray[Any, Any]:
    """Return a column of ``rows`` zeros with the type and width of another."""
    return np.zeros((rows, *column.shape[1:]), column.dtype)


def _fractions(scenario: Scenario, scene: Scene, legs: int, needs: Bools) -> Floats:
    """Return what share of each transfer crosses, [M, 1 + legs]; only phones that need it can lose the bootstrap."""

    def cut(transfers: int) -> Floats:
        return clock.cut_fractions(scenario.seed, scene.ids, scene.round, transfers, scenario.clock.loss)

    without = np.concatenate([np.ones((scene.ids.size, 1)), cut(legs)], 1)
    return np.where(needs[:, None], cut(legs + 1), without)
