"""`Buffered`: a strategy that answers phones as they finish, on the simulated clock.

Source: FedBuff (Nguyen et al., AISTATS 2022): so many phones work at once; what each makes of the version that it was
sent is held in a buffer, and K of them make the next version, each weighed down by how many versions it is behind. Ours
(inference): updates also count by their number of examples, so that a buffer of everybody's fresh updates is FedAvg.

A phone computes when it is sent its version and is heard when the clock has brought its reply, so that nothing is used
before it is there, and nothing but the clock decides who comes first.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import Result

from chordsim import seeds
from chordsim.arrays import Floats, Ints
from chordsim.errors import InvariantError, UserError
from chordsim.flower.carried import Answer
from chordsim.flower.grid import PhoneGrid
from chordsim.flower.recorder import Means
from chordsim.flower.round import PhoneRound
from chordsim.ledger.columns import OUTCOMES, SERVED_BY

_SERVED, _LATE = OUTCOMES.index("served"), OUTCOMES.index("late")
_FALLBACK = SERVED_BY.index("fallback")
Row = dict[str, Any]
Weights = dict[str, Any]
#: Kinds of types that hold real numbers: a bfloat16 of ml_dtypes comes back from a .npy as raw bytes, and a date is no weight.
_NUMBERS = "biuf"


@dataclass(order=True)
class _Event:
    """A phone's end of its work: its reply, or the moment in which it was lost."""

    at_s: float
    phone: int
    version: int = field(compare=False)
    base: Weights = field(compare=False)
    row: Row = field(compare=False)
    answer: Answer | None = field(compare=False)


class Buffered:
    """Asynchronous training over a `PhoneGrid`.

    Attributes:
        buffer: Updates that make a version: K.
        concurrency: Phones that work at once; 0 is all of them.
    """

    def __init__(
        self,
        *,
        buffer: int = 10,
        concurrency: int = 0,
        exponent: float = 0.5,
        most_stale: int | None = None,
        server_learning_rate: float = 1.0,
        weighted_by_key: str = "num-examples",
        arrayrecord_key: str = "arrays",
        configrecord_key: str = "config",
    ) -> None:
        """Set the strategy up.

        Args:
            buffer: Updates that make a version.
            concurrency: Phones that work at once; 0 is all of them.
            exponent: An update that is s versions behind counts (1 + s) to the power of minus this.
            most_stale: What is further behind is thrown away, and its phone was late; None throws nothing away.
            server_learning_rate: How far a version goes along the mean update.
            weighted_by_key: Metric that tells a reply's number of examples.
            arrayrecord_key: Name of the arrays in messages.
            configrecord_key: Name of the configuration in messages.

        Raises:
            UserError: A buffer of nothing, or a negative number.
        """
        if buffer < 1 or concurrency < 0 or exponent < 0 or (most_stale is not None and most_stale < 0):
            raise UserError("Buffered: buffer is at least 1; concurrency, exponent and most_stale are 0 or more")
        self.buffer, self.concurrency = buffer, concurrency
        self._exponent, self._most_stale, self._rate = exponent, most_stale, server_learning_rate
        self._weight, self._arrays, self._config = weighted_by_key, arrayrecord_key, configrecord_key

    def start(
        self,
        grid: PhoneGrid,
        initial_arrays: ArrayRecord,
        num_rounds: int = 3,
        train_config: ConfigRecord | None = None,
        evaluate_fn: Callable[[int, ArrayRecord], MetricRecord | None] | None = None,
    ) -> Result:
        """Train so many versions; the ledger's rounds are versions, and a row stands where its reply was used.

        Args:
            grid: The phones.
            initial_arrays: Version 0.
            num_rounds: Versions to make.
            train_config: Sent to every phone.
            evaluate_fn: Evaluates a version centrally; its metrics also stand in rounds.csv.
        """
        return _Play(self, grid, initial_arrays, train_config or ConfigRecord(), evaluate_fn).run(num_rounds)

    def counts(self, staleness: int, answer: Answer) -> float:
        """Return how much an update counts."""
        examples = answer.examples if np.isfinite(answer.examples) else 1.0
        return float(max(examples, 0.0) * (1.0 + staleness) ** -self._exponent)

    def stale(self, staleness: int) -> bool:
        """Return whether an update is too far behind."""
        return self._most_stale is not None and staleness > self._most_stale

    def message(self, node: int, arrays: ArrayRecord, config: ConfigRecord, version: int) -> Message:
        """Return what a phone is sent."""
        told = ConfigRecord({**config, "server-round": version + 1})
        content = RecordDict({self._arrays: arrays, self._config: told})
        return Message(content, dst_node_id=node, message_type="train", group_id=str(version + 1))

    def moved(self, weights: Weights, updates: Sequence[tuple[Weights, Answer, float]]) -> Weights:
        """Return the next version, in the types of this one; whole numbers are rounded."""
        total = sum(count for _, _, count in updates)
        if not total:
            return weights
        out = {name: np.asarray(value, np.float64) for name, value in weights.items()}
        for base, answer, count in updates:
            sent = next(iter(answer.reply.content.array_records.values())) if answer.reply is not None else {}
            for name in out:
                out[name] = out[name] + self._rate * count / total * (sent[name].numpy().astype(np.float64) - base[name])
        return {name: _as(value, weights[name].dtype) for name, value in out.items()}

    def usable(self, answer: Answer, weights: Weights) -> bool:
        """Return whether a reply holds finite numbers, in arrays of the model's names and shapes."""
        if answer.reply is None or answer.error or len(answer.reply.content.array_records) != 1:
            return False
        sent = next(iter(answer.reply.content.array_records.values()))
        try:
            found = {name: array.numpy() for name, array in sent.items()}
        except (ValueError, TypeError, OSError):
            return False
        if found.keys() != weights.keys() or any(value.dtype.kind not in _NUMBERS for value in found.values()):
            return False
        return all(value.shape == weights[name].shape and bool(np.isfinite(value).all()) for name, value in found.items())


class _Play:
    """One run of the strategy."""

    def __init__(self, strategy: Buffered, grid: PhoneGrid, arrays: ArrayRecord, config: ConfigRecord, evaluate_fn: Any) -> None:
        self._strategy, self._grid, self._config, self._evaluate = strategy, grid, config, evaluate_fn
        self._weights: Weights = {name: array.numpy() for name, array in arrays.items()}
        self._node = {phone: node for node in grid.get_node_ids() for phone in (grid.fleet.phones[node],)}
        if not self._node:
            raise UserError("Buffered: the grid has no node yet: wait until get_node_ids tells some")
        grid.calendar.close()
        self._first, self._now_s = grid.calendar.number, grid.calendar.next_s()
        self._version, self._dispatches = 0, 0
        self._events: list[_Event] = []
        self._rows: dict[int, Row] = {}
        self._buffer: list[tuple[Weights, Answer, float]] = []
        self._means = Means(strategy._weight)
        self._owed = {"down": 0, "up": 0}
        self._result = Result()

    def run(self, versions: int) -> Result:
        """Play until so many versions are made."""
        self._grid.recorder.mode = "buffered"
        self._evaluated()
        began_s = self._now_s
        while self._version < versions:
            self._dispatch()
            if self._events:
                self._take(heapq.heappop(self._events))
            if len(self._buffer) >= self._strategy.buffer or not self._events and not self._candidates().size:
                began_s = self._close(began_s, last=self._version + 1 == versions)
        if any(self._owed.values()):
            raise InvariantError(f"ledger of {self._grid.recorder.method}: {self._owed} bytes passed that stand in no row")
        self._grid.calendar.skip(self._first + versions, self._now_s)
        self._result.arrays = self._record()
        return self._result

    def _candidates(self) -> Ints:
        """Return phones that neither work nor stand in this version already."""
        busy = {event.phone for event in self._events}
        return np.array(sorted(self._node.keys() - busy - self._rows.keys()), np.int64)

    def _dispatch(self) -> None:
        """Send the version in force to as many phones as may still work at once."""
        most = self._strategy.concurrency or len(self._node)
        free = self._candidates()
        wanted = min(most - len(self._events), free.size)
        if wanted <= 0:
            return
        self._dispatches += 1
        draw = seeds.generator(self._grid.fleet.scenario.seed, "flower.buffered", round=self._dispatches)
        chosen = np.sort(draw.permutation(free)[:wanted])
        arrays = self._record()
        messages = [self._strategy.message(self._node[phone], arrays, self._config, self._version) for phone in chosen.tolist()]
        round, grid = PhoneRound(self._grid.fleet, self._dispatches, self._now_s), self._grid
        before = dict(grid.recorder.moved)
        trip, down = grid.begin(round, messages)
        answers = grid.work(messages, trip)
        came, columns = grid.finish(round, "train", trip, down, answers)
        for way in self._owed:
            self._owed[way] += grid.recorder.moved[way] - before.get(way, 0)
        grid.recorder.trip(self._first + self._version + 1, "train", {**columns, "delivered": came}, None)
        rows = round.columns()
        deadline_s = grid.fleet.scenario.clock.deadline_s or np.inf
        place = {int(phone): n for n, phone in enumerate(rows["device_id"])}
        for n, phone in enumerate(trip.ids.tolist()):
            row = {name: column[place[phone]] for name, column in rows.items()}
            if came[n] and trip.seconds[n] > deadline_s:
                row = _late(row)
            at_s = self._now_s + min(float(trip.seconds[n]), float(deadline_s))
            heard = came[n] and row["outcome"] == _SERVED
            heapq.heappush(self._events, _Event(at_s, phone, self._version, self._weights, row, answers[n] if heard else None))

    def _take(self, event: _Event) -> None:
        """Let the clock go on to a phone's end, and take its reply into the buffer."""
        self._now_s = max(self._now_s, event.at_s)
        staleness, answer, row = self._version - event.version, event.answer, event.row
        if answer is not None and self._strategy.stale(staleness):
            row, answer = _late(row), None
        if answer is not None and not self._strategy.usable(answer, self._weights):
            self._grid.calendar.note("updates that are no weights of this model")
            row, answer = _late(row, "failed"), None
        if answer is not None:
            row = {**row, "plan_age_rounds": float(staleness)}
            self._buffer.append((event.base, answer, self._strategy.counts(staleness, answer)))
            self._means.add("train", answer.metrics)
        self._rows[event.phone] = row

    def _close(self, began_s: float, *, last: bool) -> float:
        """Make a version of the buffer and write its round; return when the next one begins."""
        self._weights = self._strategy.moved(self._weights, self._buffer)
        self._version += 1
        if not self._buffer and not self._events:
            # Nobody is there: what is asked next is asked when the scenario's next round would begin.
            self._now_s += self._grid.fleet.scenario.clock.round_every_h * 3600
        if last:
            # What is still under way has cost its phones what it has cost, and nobody waits for it.
            self._rows |= {event.phone: _late(event.row) if event.row["outcome"] == _SERVED else event.row for event in self._events}
            self._events = []
        evaluated = self._evaluated()
        if self._rows:
            self._write(began_s, evaluated)
        metrics = self._means.found()
        self._result.train_metrics_clientapp[self._version] = MetricRecord(dict(metrics))
        self._rows, self._buffer, self._means = {}, [], Means(self._strategy._weight)
        return self._now_s

    def _write(self, began_s: float, evaluated: dict[str, float]) -> None:
        ids = sorted(self._rows)
        columns = {name: np.array([self._rows[phone][name] for phone in ids]) for name in self._rows[ids[0]]}
        recorder = self._grid.recorder
        recorder.moved.clear()
        for way in self._owed:
            recorder.moved[way] = int(columns[f"{way}_bytes"].sum())
            self._owed[way] -= recorder.moved[way]
        recorder.round(self._first + self._version, columns, self._now_s - began_s, {**self._means.found(), **evaluated})

    def _evaluated(self) -> dict[str, float]:
        """Evaluate the version in force centrally, where the app does so."""
        found = self._evaluate(self._version, self._record()) if self._evaluate is not None else None
        if found is None:
            return {}
        self._result.evaluate_metrics_serverapp[self._version] = found
        return {name: float(value) for name, value in found.items() if isinstance(value, int | float) and np.isfinite(value)}

    def _record(self) -> ArrayRecord:
        return ArrayRecord({name: Array(np.asarray(value)) for name, value in self._weights.items()})


def _as(value: Floats, dtype: np.dtype[Any]) -> Any:
    """Return numbers in another type; to whole numbers by rounding, since to cut them off would pull every mean towards 0."""
    if dtype.kind in "iu":
        return np.clip(np.rint(value), np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)
    return value >= 0.5 if dtype.kind == "b" else value.astype(dtype)


def _late(row: Row, outcome: str = "late") -> Row:
    """Return a row whose reply was not used: what crossed for it is waste."""
    wasted = row["down_bytes"] + row["up_bytes"]
    ended = {"outcome": OUTCOMES.index(outcome), "served_by": _FALLBACK, "wasted_bytes": wasted, "plan_age_rounds": np.nan}
    return {**row, **ended}
