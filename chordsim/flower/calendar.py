"""Which round a message belongs to, when that round began, and its end: a round closes when the next one begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flwr.app import Message

from chordsim.flower.carried import Answer
from chordsim.flower.fleet import Fleet
from chordsim.flower.recorder import Means, Recorder
from chordsim.flower.round import PhoneRound
from chordsim.flower.unsaid import SERVER_ROUND


class Calendar:
    """Rounds by the messages' group.

    That is their ``group_id``; without one, the ``server-round`` that Flower's strategies write into a config record;
    without either, each exchange that trains begins a round.

    Attributes:
        number: The round under way, 0 before the first.
    """

    def __init__(self, fleet: Fleet, recorder: Recorder, examples_key: str) -> None:
        self._fleet, self._recorder, self._key = fleet, recorder, examples_key
        self._group: str | None = None
        self._round: PhoneRound | None = None
        self._means = Means(examples_key)
        self._told: dict[str, float] = {}
        self.number = 0
        self._free_s = 0.0

    @property
    def now_s(self) -> float:
        """The simulated clock."""
        return self._round.begins_s + self._round.round_s if self._round is not None else max(self._free_s, self._scheduled_s(1))

    def next_s(self) -> float:
        """Return when the next round may begin."""
        return max(self._scheduled_s(self.number + 1), self._free_s)

    def skip(self, number: int, at_s: float) -> None:
        """Take note of rounds that a strategy kept by itself, up to a number and a time."""
        self.number, self._free_s, self._group = number, at_s, None

    def note(self, what: str) -> None:
        """Count something that was set aside."""
        self._recorder.notes[str(max(self.number, 1))][what] += 1

    def groups(self, messages: Sequence[Message]) -> Iterable[list[int]]:
        """Cut an exchange into parts of one round and one kind each, places in order."""
        parts: dict[tuple[str | None, str], list[int]] = {}
        for place, message in enumerate(messages):
            parts.setdefault((_named(message), message.metadata.message_type), []).append(place)
        return parts.values()

    def round_of(self, message: Message) -> PhoneRound:
        """Return the round of a message; a new one closes the one before."""
        named = _named(message)
        trains = message.metadata.message_type.startswith("train")
        same = named == self._group if named is not None else not trains
        if self._round is None or not same:
            self.close()
            self.number += 1
            self._round = PhoneRound(self._fleet, self.number, max(self._scheduled_s(self.number), self._free_s))
            self._group = None
        self._group = self._group if named is None else named
        return self._round

    def heard(self, kind: str, answers: Iterable[Answer]) -> None:
        """Take in the metrics of replies that came in time."""
        for answer in answers:
            for _ in range(self._means.add(kind, answer.metrics)):
                self.note("metrics that are not finite")

    def tell(self, metrics: Mapping[str, float]) -> None:
        """Add what the app found by itself to the round under way; before the first there is none to add it to."""
        if self._round is not None:
            self._told |= metrics

    def close(self) -> None:
        """Write the open round, if there is one."""
        round, self._round = self._round, None
        if round is None:
            return
        self._free_s = round.begins_s + round.round_s
        self._recorder.round(round.number, round.columns(), round.round_s, {**self._means.found(), **self._told})
        self._means, self._told = Means(self._key), {}

    def _scheduled_s(self, number: int) -> float:
        clock = self._fleet.scenario.clock
        return (clock.start_h + (number - 1) * clock.round_every_h) * 3600


def _named(message: Message) -> str | None:
    """Return the round that a message names, None if it names none."""
    if message.metadata.group_id:
        return f"group {message.metadata.group_id}"
    if message.has_content():
        for record in message.content.config_records.values():
            told = record.get(SERVER_ROUND)
            if isinstance(told, int):
                return f"round {told}"
    return None
