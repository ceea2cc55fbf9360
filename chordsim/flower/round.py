"""One round of a Flower app on the phones: messages go down, replies come up, and the clock says who was in time.

Nothing here knows Flower, so a round can be told live, or again from what a run recorded. Every message and its reply is
a round trip of its own, numbered by phone: `clock.loss` is the chance that a trip's connection is lost, since nobody
knows beforehand how many messages an app will send. A phone whose connection was lost, or that was late, is out of the
round: its later messages find nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chordsim.arrays import Bools, Codes, Columns, Floats, Ints
from chordsim.flower.fleet import Fleet
from chordsim.ledger.columns import OUTCOMES, SERVED_BY
from chordsim.population import clock
from chordsim.population.profile import Profiles
from chordsim.round.book import SIDES

_SERVED, _REFUSED, _OFFLINE, _DROPPED, _LATE, _FAILED = (
    OUTCOMES.index(w) for w in ("served", "refused", "offline", "dropped", "late", "failed")
)
_FRESH, _FALLBACK = SERVED_BY.index("fresh"), SERVED_BY.index("fallback")
_OUT = (_REFUSED, _OFFLINE, _DROPPED, _LATE)
_INTS = (
    "prescription",
    "framing_down",
    "down",
    "cut_down",
    "update",
    "framing_up",
    "up",
    "cut_up",
    "round_trips",
    "trips",
    "macs",
    "train_macs",
    "peak",
    "outcome",
    "refused_by",
    "binding",
)
_FLOATS = ("down_s", "up_s", "compute_s")
#: So far apart are the streams of random numbers of a round's trips.
_APART = 2**32


@dataclass
class Trip:
    """One message to each of some phones, and its reply.

    Attributes:
        ids: Phones, distinct, [D].
        rows: Their places in the round, [D].
        number: How many trips each had before, [D].
        phones: What they are, [D].
        reached: Who has the message whole, [D].
        seconds: Spent so far, [D].
        delivered: Whose reply came in time, [D].
        crossed: Bytes that the links let through, by direction.
    """

    ids: Ints
    rows: Ints
    number: Ints
    phones: Profiles
    reached: Bools
    seconds: Floats
    delivered: Bools
    crossed: dict[str, int]


class PhoneRound:
    """A round in the making.

    Attributes:
        number: From 1.
        begins_s: When it begins, in seconds after midnight UTC of the first day.
        round_s: Seconds since then after which its last exchange closed.
        ids: Phones that were asked, in the order in which they were, [D].
    """

    def __init__(self, fleet: Fleet, number: int, begins_s: float) -> None:
        self._fleet = fleet
        self.number, self.begins_s, self.round_s = number, begins_s, 0.0
        self.ids: Ints = np.zeros(0, np.int64)
        self._place: dict[int, int] = {}
        self._at: Columns = {**{n: np.zeros(0, np.int64) for n in _INTS}, **{n: np.zeros(0) for n in _FLOATS}}

    def down(self, ids: Ints, payload: Ints, framing: Ints) -> Trip:
        """Send a message to each phone: who is away, refuses or loses the connection does not have it.

        Args:
            ids: Phones, distinct, [D].
            payload: Bytes of each message's records, [D].
            framing: Bytes of the rest of it, [D].
        """
        rows, at = self._join(ids), self._at
        phones, number = self._fleet.profiles(ids), at["trips"][rows]
        at["trips"][rows] += 1
        here, nobody = ~np.isin(at["outcome"][rows], _OUT), np.zeros(ids.size, np.bool_)
        trip = Trip(ids, rows, number, phones, here, np.zeros(ids.size), nobody, {"down": 0, "up": 0})
        if self._fleet.cost is not None:
            self._refuse(trip, self._fleet.cost.refusals(phones.budgets))
            at["peak"][rows[trip.reached]] = np.maximum(at["peak"][rows[trip.reached]], self._fleet.cost.peak_bytes)
        trip.reached &= self._cross(trip, trip.reached, "down", payload, framing)
        return trip

    def up(self, trip: Trip, payload: Ints, framing: Ints, macs: Ints, train_macs: Ints, failed: Bools) -> Bools:
        """Let the phones that have the message compute and reply; return whose reply came whole, [D].

        Args:
            trip: What `down` gave.
            payload: Bytes of each reply's records, 0 where there is none, [D].
            framing: Bytes of the rest of it, 0 where no reply came, [D].
            macs: Operations of a request, [D].
            train_macs: Operations of training, [D].
            failed: Whose app failed, [D].
        """
        at, rows = self._at, trip.rows
        working = trip.reached
        for name, spent in (("macs", macs), ("train_macs", train_macs)):
            at[name][rows] += np.where(working, spent, 0)
        seconds = np.where(working, (macs + train_macs) / trip.phones.macs_per_s, 0.0)
        at["compute_s"][rows] += seconds
        trip.seconds += seconds
        came = self._cross(trip, working & (payload + framing > 0), "up", payload, framing)
        self._end(rows[working & failed], _FAILED)
        return np.asarray(came & working)

    def close(self, trip: Trip, came: Bools, wanted: int, timeout_s: float | None = None) -> float:
        """Close an exchange: who has not replied by then is late. Return how long it took.

        Args:
            trip: What `down` gave; its `delivered` is filled.
            came: What `up` gave.
            wanted: How many phones the app asked, over-selection included.
            timeout_s: Seconds that the app waits.
        """
        config = self._fleet.scenario.clock
        ends_s = clock.closes_s(trip.seconds[came], int(np.ceil(wanted / config.over_select)), config)
        if timeout_s is not None:
            ends_s = min(ends_s, timeout_s)
        trip.delivered = came & (trip.seconds <= ends_s)
        self._end(trip.rows[came & ~trip.delivered], _LATE)
        took = min(ends_s, float(trip.seconds.max(initial=0.0)))
        self.round_s += took
        return took

    def columns(self, age: Floats | None = None) -> Columns:
        """Return the round's rows for the ledger, by ascending phone, and take their joules from the batteries.

        Args:
            age: Staleness of what was used, [D] in the order of `ids`; by default 0 where served.
        """
        order = np.argsort(self.ids)
        ids, at = self.ids[order], {name: column[order] for name, column in self._at.items()}
        phones = self._fleet.profiles(ids)
        served = at["outcome"] == _SERVED
        link_s = at["down_s"] + at["up_s"]
        joules = clock.compute_j(at["macs"] + at["train_macs"], phones.j_per_mac), clock.radio_j(phones.radio_w, link_s)
        self._fleet.spend(ids, self.begins_s, joules[0] + joules[1])
        infer_s = at["macs"] / phones.macs_per_s
        wasting = np.isin(at["outcome"], (_DROPPED, _LATE, _FAILED)) | ((at["outcome"] == _REFUSED) & (at["down"] > 0))
        none, zeros = np.full(ids.size, np.nan), np.zeros(ids.size, np.int64)
        parts = ("prescription", "framing_down", "down", "cut_down", "update", "framing_up", "up", "cut_up")
        nothing = ("bootstrap", "candidates", "rows", "profile", "asks", "report")
        return {
            "device_id": ids,
            "user_id": ids,
            "tier": phones.tier,
            "outcome": at["outcome"],
            "served_by": np.where(served, _FRESH, _FALLBACK),
            "refused_by": at["refused_by"],
            "binding": at["binding"],
            "bits_mean": none,
            "plan_age_rounds": np.where(served, 0.0, np.nan) if age is None else age[order],
            **{f"{name}_bytes": at[name] for name in parts},
            **{f"{name}_bytes": zeros for name in nothing},
            "wasted_bytes": np.where(wasting, at["down"] + at["up"], 0),
            "round_trips": at["round_trips"],
            "cached_rows": zeros,
            "model_bytes": zeros,
            "peak_memory_bytes": at["peak"],
            "macs": at["macs"],
            "train_macs": at["train_macs"],
            "bitops": zeros,
            "cloud_macs": zeros,
            "download_s": at["down_s"],
            "adapt_s": at["train_macs"] / phones.macs_per_s,
            "infer_s": infer_s,
            "upload_s": at["up_s"],
            "total_s": link_s + at["compute_s"],
            "report_s": zeros.astype(np.float64),
            "compute_j": joules[0],
            "radio_j": joules[1],
            "report_j": zeros.astype(np.float64),
            **{name: none for name in ("rank", "fallback_rank", "hr_5", "ndcg_5", "hr_10", "ndcg_10", "mrr", "ndcg_10_all")},
        }

    def peak(self, trip: Trip, measured: Ints) -> None:
        """Note what memory phones took, as measured, [D]."""
        self._at["peak"][trip.rows] = np.maximum(self._at["peak"][trip.rows], measured)

    def outcome(self, trip: Trip) -> Codes:
        """Return how the round stands for the phones of a trip, as codes into `OUTCOMES`, [D]."""
        return np.asarray(self._at["outcome"][trip.rows], np.uint8)

    def binding(self, trip: Trip) -> Codes:
        """Return which budget did not hold for the phones of a trip, as codes into `chordsim.methods.BINDINGS`, [D]."""
        return np.asarray(self._at["binding"][trip.rows], np.uint8)

    def _join(self, ids: Ints) -> Ints:
        """Return the places of phones; those that were not asked before in this round get one, and may be away."""
        fresh = np.array([i for i in ids.tolist() if i not in self._place], np.int64)
        if fresh.size:
            self._place |= {int(i): self.ids.size + n for n, i in enumerate(fresh)}
            self.ids = np.concatenate([self.ids, fresh])
            self._at = {name: np.concatenate([c, np.zeros(fresh.size, c.dtype)]) for name, c in self._at.items()}
            self._at["outcome"][-fresh.size :] = np.where(self._fleet.away(fresh, self.begins_s), _OFFLINE, _SERVED)
        return np.array([self._place[i] for i in ids.tolist()], np.int64)

    def _refuse(self, trip: Trip, refusal: Codes) -> None:
        """Let the cloud refuse whom the app does not fit, before any byte: the cost was declared to it."""
        who = trip.reached & (refusal > 0)
        self._at["binding"][trip.rows[who]] = refusal[who]
        self._at["refused_by"][trip.rows[who]] = SIDES.index("cloud")
        self._end(trip.rows[who], _REFUSED)
        trip.reached &= ~who

    def _end(self, rows: Ints, outcome: int) -> None:
        """Note an end; the first one stands, but what takes a phone out of the round stands above an app's failure."""
        at = self._at["outcome"]
        at[rows] = np.where(np.isin(at[rows], (_SERVED, _FAILED)), outcome, at[rows])

    def _cross(self, trip: Trip, who: Bools, way: str, payload: Ints, framing: Ints) -> Bools:
        """Let one message of each phone cross its link; return whose came whole, [D]."""
        at, rows, leg = self._at, trip.rows, 0 if way == "down" else 1
        whole = np.where(who, payload + framing, 0)
        crossed, jitter = self._weather(trip, leg, whole)
        at["prescription" if way == "down" else "update"][rows] += np.where(who, payload, 0)
        at[f"framing_{way}"][rows] += np.where(who, framing, 0)
        at[way][rows] += crossed
        trip.crossed[way] = int(crossed.sum())
        at[f"cut_{way}"][rows] += whole - crossed
        rate = trip.phones.down_bytes_per_s if way == "down" else trip.phones.up_bytes_per_s
        # A message and its reply are one exchange, but each begins with a round trip of the link, as chordsim's legs do.
        seconds = np.where(who, clock.transfer_s(crossed, rate, trip.phones.round_trip_s, jitter), 0.0)
        at[f"{way}_s"][rows] += seconds
        trip.seconds += seconds
        at["round_trips"][rows] += whole > 0
        self._end(rows[who & (crossed < whole)], _DROPPED)
        return np.asarray(who & (crossed == whole))

    def _weather(self, trip: Trip, leg: int, whole: Ints) -> tuple[Ints, Floats]:
        """Return how many bytes of each message cross, and the jitter of its seconds, [D] each."""
        scenario = self._fleet.scenario
        crossed, jitter = whole.copy(), np.ones(trip.ids.size)
        for number in np.unique(trip.number).tolist():
            mine = trip.number == number
            key = self.number + number * _APART
            lost = clock.cut_fractions(scenario.seed, trip.ids[mine], key, 2, scenario.clock.loss)[:, leg]
            crossed[mine] = np.where(lost < 1, np.floor(whole[mine] * lost).astype(np.int64), whole[mine])
            jitter[mine] = clock.jitter_factors(scenario.seed, trip.ids[mine], key, 2, scenario.clock.jitter)[:, leg]
        return crossed, jitter
