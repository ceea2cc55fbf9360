"""`PhoneGrid`: a Flower grid around another one, on which every node is a phone with a link, a clock and budgets."""

from __future__ import annotations

import itertools
import math
import weakref
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from chordsim.config.model import Scenario
from chordsim.errors import UserError
from chordsim.flower.absent import refused, unavailable
from chordsim.flower.calendar import Calendar
from chordsim.flower.carried import Answer, carry
from chordsim.flower.fleet import Fleet
from chordsim.flower.message_size import PARTS, Size, size_of
from chordsim.flower.mod import PARTITION, PHONE, WHO
from chordsim.flower.phone_cost import PhoneCost
from chordsim.flower.recorder import Recorder
from chordsim.flower.round import PhoneRound, Trip
from chordsim.flower.unsaid import Unsaid, watch_exit
from chordsim.ledger.columns import OUTCOMES
from chordsim.methods import BINDINGS
from chordsim.scenario.load import load

_REFUSED, _DROPPED, _OFFLINE = (OUTCOMES.index(word) for word in ("refused", "dropped", "offline"))

#: Flower's grids whose messages really go over a SuperLink.
_OF_SUPERLINKS = ("HttpGrid", "GrpcGrid")


class PhoneGrid(Grid):
    """Messages pass as the scenario's phones, links and clock let them, and the ledger has a row for each phone and round.

    Use it as a context manager, or hand it over and forget it: the ledger is whole after `close`, at the end of ``with``, or
    when nobody holds the grid any longer. The last of these calls a run failed if an uncaught error ended the process, or if a
    strategy of Flower's had rounds to come.

    Attributes:
        path: The run directory.
        fleet: The phones, and which node is which.
        recorder: What writes the run directory.
        calendar: What knows the round.
    """

    def __init__(
        self,
        grid: Grid,
        scenario: str | Path | Scenario,
        out: str | Path | None = None,
        *,
        name: str = "app",
        cost: PhoneCost | None = None,
        seed: int | None = None,
        most_bytes: int = 2**31,
        by_partition: bool = False,
    ) -> None:
        """Put phones before the nodes of a grid.

        Args:
            grid: Any Flower grid: chordsim's own, Flower's simulation, a real SuperLink's.
            scenario: A shipped name, a path, or a scenario: whose phones, links, clock and seed.
            out: The run directory; None takes the first free folder under ``runs``.
            name: The app's name: the ledger's method is ``flower:NAME``.
            cost: What the app takes from a phone; None lets computing take no time, and nobody refuse.
            seed: Takes the place of the scenario's.
            most_bytes: A larger message fails its phone.
            by_partition: Ask each node once which partition it holds, and let phone n be the node of partition n. By default
                phones are numbered by ascending node id, which Flower draws anew in every run.

        Raises:
            ScenarioError: No such scenario, or not a valid one.
            UserError: The run directory is not empty or cannot be written.
        """
        told = scenario if isinstance(scenario, Scenario) else load(scenario, seed=seed)
        if isinstance(scenario, Scenario) and seed is not None:
            told = scenario.model_copy(update={"seed": seed})
        self._grid, self._cost, self._most, self._by_partition = grid, cost or PhoneCost(), most_bytes, by_partition
        # Ids that a SuperLink has drawn cross with each message; those of simulations are nobody's.
        self._own_ids = type(grid).__name__ in _OF_SUPERLINKS
        self._size = partial(size_of, own_ids=self._own_ids)
        self._patience_s = told.engine.timeout_s
        self.fleet = Fleet(told, cost)
        self.recorder = Recorder(self.fleet, None if out is None else Path(out), name)
        self.recorder.measured = self._cost.host_macs_per_s > 0
        self.path = self.recorder.path
        self.calendar = Calendar(self.fleet, self.recorder, self._cost.examples_key)
        self._ready: dict[str, Message] = {}
        self._numbers = itertools.count(1)
        self._unsaid = Unsaid()
        self._end = weakref.finalize(self, _finish, self.calendar, self.recorder, self._unsaid)
        watch_exit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.close()
        else:
            self._end.detach()
            self.calendar.close()
            self.recorder.close(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Write what is left of the ledger: the app is done. Closing twice does nothing."""
        self._end.detach()
        _finish(self.calendar, self.recorder)

    def tell(self, **metrics: float) -> None:
        """Let the app add metrics to the round under way, such as those of an evaluation on the server, for ``rounds.csv``.

        Raises:
            UserError: A value that is no finite number.
        """
        for name, value in metrics.items():
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise UserError(f"PhoneGrid.tell({name}={value!r}): must be a finite number")
        self.calendar.tell({name: float(value) for name, value in metrics.items()})

    @property
    def now_s(self) -> float:
        """The simulated clock, in seconds after midnight UTC of the first day."""
        return self.calendar.now_s

    def set_run(self, run: Any) -> None:
        """Tell the grid behind."""
        self._grid.set_run(run)

    @property
    def run(self) -> Any:
        """Ask the grid behind."""
        return self._grid.run

    def create_message(self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None) -> Message:
        """Return a message to a node."""
        return self._grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def get_node_ids(self) -> list[int]:
        """Return all nodes, those of phones that are away included: who is away is known when one asks.

        They come in the order of their phones, so that a strategy's draw from them names the same phones on any grid.
        """
        nodes = list(self._grid.get_node_ids())
        self._enrol(nodes)
        return sorted(nodes, key=self.fleet.phones.__getitem__)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Play an exchange whole and keep the replies that came in time for `pull_messages`."""
        sent = list(messages)
        for reply in self._exchanged(sent, None):
            self._ready[reply.metadata.reply_to_message_id] = reply
        return [message.metadata.message_id for message in sent]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the replies to these messages that came in time."""
        return [self._ready.pop(name) for name in message_ids if name in self._ready]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Play an exchange and return the replies in the order of their messages.

        Args:
            messages: At most one a phone at a time; a phone's second message waits for its first reply.
            timeout: Simulated seconds that the app waits.
        """
        return self._exchanged(list(messages), timeout)

    def _enrol(self, nodes: Sequence[int]) -> None:
        fresh = [node for node in nodes if node not in self.fleet.phones]
        if not fresh:
            return
        partitions = None
        if self._by_partition:
            asked = [Message(RecordDict(), dst_node_id=node, message_type=WHO) for node in fresh]
            partitions = {}
            for reply in self._grid.send_and_receive(asked, timeout=self._patience_s):
                record = reply.content.config_records.get(PHONE) if reply.has_content() else None
                told = record.get(PARTITION, -1) if record is not None else -1
                partitions[reply.metadata.src_node_id] = told if isinstance(told, int) else -1
        self.fleet.enrol(fresh, partitions)

    def _exchanged(self, messages: list[Message], timeout: float | None) -> list[Message]:
        """Play the messages, each phone's one after the other; return what came in time, in the order of the messages."""
        self._unsaid.exchange(messages)
        if messages and any(message.metadata.dst_node_id not in self.fleet.phones for message in messages):
            self._enrol(list(self._grid.get_node_ids()))
        for message in messages:
            # A grid numbers what it delivers; what is never delivered has a number too, for its error to name.
            message.metadata.__dict__["_message_id"] = message.metadata.message_id or f"undelivered-{next(self._numbers)}"
        waves: list[list[int]] = []
        asked: dict[int, int] = {}
        for place, message in enumerate(messages):
            node = message.metadata.dst_node_id
            if node not in self.fleet.phones:
                self.calendar.note("messages to nodes that do not exist")
                continue
            wave = asked[node] = asked.get(node, -1) + 1
            if wave == len(waves):
                waves.append([])
            waves[wave].append(place)
        replies: dict[int, Message | None] = {}
        for wave_places in waves:
            for group in self.calendar.groups([messages[place] for place in wave_places]):
                places = [wave_places[n] for n in group]
                replies |= dict(zip(places, self._played([messages[p] for p in places], timeout), strict=True))
        return [reply for place in sorted(replies) if (reply := replies[place]) is not None]

    def _played(self, messages: list[Message], timeout: float | None) -> list[Message | None]:
        """Play one exchange of one round; return a reply or None for each message."""
        round = self.calendar.round_of(messages[0])
        kind = messages[0].metadata.message_type.partition(".")[0]
        trip, down = self.begin(round, messages)
        answers = self.work(messages, trip)
        came, columns = self.finish(round, kind, trip, down, answers)
        round.close(trip, came, len(messages), timeout)
        self.recorder.trip(round.number, kind, {**columns, "delivered": trip.delivered}, timeout)
        self.calendar.heard(kind, [answer for n, answer in enumerate(answers) if trip.delivered[n]])
        return self.replies(messages, round, trip, answers)

    def begin(self, round: PhoneRound, messages: list[Message]) -> tuple[Trip, list[Size]]:
        """Send messages down the phones' links, one a phone."""
        ids = np.array([self.fleet.phones[message.metadata.dst_node_id] for message in messages], np.int64)
        known: dict[tuple[int, int], Size] = {}
        sizes = []
        for message in messages:
            # Strategies send one and the same content to everybody, which is encoded once.
            key = id(message.content) if message.has_content() else id(message), message.metadata.dst_node_id if self._own_ids else 0
            if key not in known:
                known[key] = self._size(message)
            sizes.append(known[key])
        trip = round.down(ids, np.array([s.payload for s in sizes], np.int64), np.array([s.framing for s in sizes], np.int64))
        self.recorder.moved["down"] += trip.crossed["down"]
        return trip, sizes

    def work(self, messages: list[Message], trip: Trip) -> list[Answer]:
        """Let the nodes of the phones that have their message answer it; the others' answers are empty."""
        told = self.calendar
        found = carry(self._grid, messages, trip.reached, self._patience_s, self._most, self._cost.examples_key, told.note, self._size)
        for message, answer in zip(messages, found, strict=True):
            if answer.error:
                self.recorder.error(f"round {told.number}, phone {self.fleet.phones[message.metadata.dst_node_id]}: {answer.error}")
        return found

    def finish(
        self, round: PhoneRound, kind: str, trip: Trip, down: list[Size], answers: list[Answer]
    ) -> tuple[Any, dict[str, np.ndarray[Any, Any]]]:
        """Send replies up the links; return whose came whole, and the trip's columns."""
        examples, host_s = [a.examples for a in answers], [a.seconds for a in answers]
        macs, train_macs = self._cost.spent(kind, examples, host_s)
        up = [answer.size for answer in answers]
        payload, framing = np.array([s.payload for s in up], np.int64), np.array([s.framing for s in up], np.int64)
        failed = np.array([bool(answer.error) for answer in answers], np.bool_)
        came = round.up(trip, payload, framing, macs, train_macs, failed)
        if self._cost.host_macs_per_s:
            round.peak(trip, np.array([a.peak_bytes for a in answers], np.int64))
        self.recorder.moved["up"] += trip.crossed["up"]
        return came, {
            "device_id": trip.ids,
            "trip": trip.number,
            "reached": trip.reached,
            "failed": failed,
            **{f"down_{part}": np.array([getattr(s, part) for s in down], np.int64) for part in PARTS},
            **{f"up_{part}": np.array([getattr(s, part) for s in up], np.int64) for part in PARTS},
            "macs": macs,
            "train_macs": train_macs,
            "examples": np.array(examples, np.float64),
            "host_s": np.array(host_s, np.float64),
            "host_peak_bytes": np.array([a.peak_bytes for a in answers], np.int64),
        }

    def replies(self, messages: list[Message], round: PhoneRound, trip: Trip, answers: list[Answer]) -> list[Message | None]:
        """Return what the app sees of each phone: its reply, an error of the SuperLink's or its own, or nothing."""
        outcome, binding = round.outcome(trip), round.binding(trip)
        out: list[Message | None] = []
        for n, message in enumerate(messages):
            if trip.delivered[n]:
                out.append(answers[n].reply)
            elif outcome[n] == _REFUSED:
                out.append(refused(message, BINDINGS[binding[n]]))
            elif outcome[n] in (_OFFLINE, _DROPPED):
                out.append(unavailable(message))
            else:
                out.append(None)
        return out


def _finish(calendar: Calendar, recorder: Recorder, unsaid: Unsaid | None = None) -> None:
    calendar.close()
    recorder.close(unsaid.failed() if unsaid is not None else "")
