"""A Flower app's run told again from its trips: on other phones, links and clocks, or for more rounds like its first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from chordsim.arrays import Columns
from chordsim.config.model import Scenario
from chordsim.errors import ScenarioError, UserError
from chordsim.files import read_json
from chordsim.flower.fleet import Fleet
from chordsim.flower.phone_cost import PhoneCost
from chordsim.flower.recorder import PREFIX, TRIPS
from chordsim.flower.round import PhoneRound
from chordsim.ledger import parquet
from chordsim.ledger.damage import named
from chordsim.ledger.rows import Rows
from chordsim.ledger.summary import Summary
from chordsim.round.bindings import accounting
from chordsim.scenario.changed import changed_keys
from chordsim.scenario.load import load

#: Tables of a scenario, and a key, that an app's phones follow.
_READ = ("population.", "clock.", "seed")
_ONLY = "only population, clock and seed tell something of it"
#: Keys of these that say whom a scenario asks.
_ASKED = ("population.selected", "population.activity_tier")
#: What a phone whose reply nobody heard then is told to send and spend now: the median of those that were heard.
_HEARD = ("up_payload", "up_framing", "macs", "train_macs")


@dataclass(frozen=True)
class Told:
    """A run on other phones.

    Attributes:
        rows: Its rounds.
        guessed: Share of the device-rounds in which a phone replies now that was not heard then, so that the sizes of its
            reply are the median of the others'.
    """

    rows: tuple[Rows, ...]
    guessed: float


class Exchange:
    """One exchange of the recording: who was asked, what went down, what came up."""

    def __init__(self, columns: Columns) -> None:
        payload = {way: columns[f"{way}_arrays"] + columns[f"{way}_metrics"] + columns[f"{way}_configs"] for way in ("down", "up")}
        self.ids = columns["device_id"]
        self.down = payload["down"], columns["down_framing"]
        timeout_s = float(columns["timeout_s"][0])
        self.timeout_s = None if np.isinf(timeout_s) else timeout_s
        then = {"up_payload": payload["up"], **columns}
        self.errors = columns["failed"]
        self.heard = columns["reached"]
        sound = self.heard & ~columns["failed"]
        some = sound if sound.any() else self.heard
        usual = {name: int(np.median(then[name][some])) if some.any() else 0 for name in _HEARD}
        self.up = {name: np.where(self.heard, then[name], usual[name]).astype(np.int64) for name in _HEARD}

    def play(self, round: PhoneRound) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Play it; return who replies now and was not heard then, [D]."""
        trip = round.down(self.ids, *self.down)
        came = round.up(trip, self.up["up_payload"], self.up["up_framing"], self.up["macs"], self.up["train_macs"], self.errors)
        round.close(trip, came, self.ids.size, self.timeout_s)
        return np.asarray(trip.reached & ~self.heard)


def told(fleet: Fleet, method: str, rounds: Mapping[int, Sequence[Exchange]]) -> Told:
    """Play recorded rounds on a fleet.

    Args:
        fleet: The phones, all of them enrolled.
        method: Name of the method.
        rounds: Exchanges by round, from 1.
    """
    rows, guessed, free_s, clock = [], 0, 0.0, fleet.scenario.clock
    for number in sorted(rounds):
        scheduled_s = (clock.start_h + (number - 1) * clock.round_every_h) * 3600
        round = PhoneRound(fleet, number, max(scheduled_s, free_s))
        unheard: set[int] = set()
        for exchange in rounds[number]:
            unheard |= set(exchange.ids[exchange.play(round)].tolist())
        free_s = round.begins_s + round.round_s
        guessed += len(unheard)
        rows.append(Rows.of(method, number, round.columns(), tiers=fleet.tiers))
    return Told(tuple(rows), guessed / max(sum(map(len, rows)), 1))


def is_flower(run: Path) -> bool:
    """Return whether a run directory is a Flower app's."""
    return (run / TRIPS).is_file()


def recosted(run: Path, new: Scenario) -> dict[str, Told]:
    """Return a run on another scenario's phones and clock, by method.

    Raises:
        RunError: A damaged file.
    """
    method, cost, rounds = _recorded(run)
    return {method: told(_fleet(new, cost, rounds), method, rounds)}


def check_changed(command: str, keys: Iterable[str]) -> None:
    """Refuse overrides of what is the app's own.

    Args:
        command: Who tells the run again.
        keys: Which keys differ from the run's.

    Raises:
        ScenarioError: One that says nothing of an app's run.
    """
    for key in keys:
        why = "who is asked is its strategy's choice" if key in _ASKED else "" if key.startswith(_READ) else _ONLY
        if why:
            raise ScenarioError(f"{command} of a Flower app's run cannot change {key}: {why}")


def forecast(run: Path, overrides: Sequence[str] = (), rounds: int = 0) -> dict[str, Any]:
    """Return the summary of so many rounds like the run's first, by method: bytes, seconds and joules without the app.

    Args:
        run: The run directory; its first round is enough.
        overrides: ``key=value`` texts over the run's scenario.
        rounds: How many; 0 is as many as the run had.

    Raises:
        UserError: Not a Flower app's run.
        ScenarioError: An override of what is the app's own.
        RunError: A damaged file.
    """
    if not is_flower(run):
        raise UserError(f"{run}: no {TRIPS} in it: not the run of a Flower app, or it was cut off")
    parquet.check(run)
    method, cost, recorded = _recorded(run)
    first = recorded[min(recorded)]
    like_it = {number: first for number in range(1, (rounds or len(recorded)) + 1)}
    fleet = _fleet(_overridden(run, overrides), cost, recorded)
    return summed(told(fleet, method, like_it).rows, fleet.tiers, fleet.scenario)


def _overridden(run: Path, overrides: Sequence[str]) -> Scenario:
    new = load(run / "scenario.toml", overrides)
    check_changed("forecast", changed_keys(load(run / "scenario.toml"), new))
    return new


def summed(rows: Sequence[Rows], tiers: Sequence[str], scenario: Scenario) -> dict[str, Any]:
    """Return the summary of rows by method, on phones of a scenario."""
    users = max((int(part["user_id"].max(initial=0)) + 1 for part in rows), default=1)
    summary = Summary(users, list(tiers), scenario.seed, **accounting(scenario))
    for part in rows:
        summary.add(part)
    return summary.methods()


def _fleet(scenario: Scenario, cost: PhoneCost | None, rounds: Mapping[int, Sequence[Exchange]]) -> Fleet:
    fleet = Fleet(scenario, cost)
    most = max(int(exchange.ids.max()) for exchanges in rounds.values() for exchange in exchanges)
    fleet.enrol(range(most + 1))
    return fleet


def _recorded(run: Path) -> tuple[str, PhoneCost | None, dict[int, list[Exchange]]]:
    """Return the method, its cost, and its exchanges by round."""
    manifest = read_json(run / "manifest.json")
    if manifest.get("mode") == "buffered":
        raise UserError(f"{run}: a buffered run cannot be told again: on other phones others would come first; run the app anew")
    given = manifest.get("cost")
    with named(run / TRIPS, "damaged, or of another version"):
        cost = None if given is None else PhoneCost(**given)
        table = pq.read_table(run / TRIPS)
        columns = {name: np.asarray(table.column(name).to_numpy()) for name in table.column_names if name != "kind"}
        rounds: dict[int, list[Exchange]] = {}
        edges = np.flatnonzero(np.diff(columns["exchange"])) + 1
        for part in _cut(columns, edges):
            rounds.setdefault(int(part["round"][0]), []).append(Exchange(part))
        return f"{PREFIX}{manifest['app']}", cost, rounds


def _cut(columns: Columns, edges: Any) -> Iterator[Columns]:
    starts = [0, *edges.tolist()]
    for start, stop in zip(starts, [*edges.tolist(), columns["exchange"].size], strict=True):
        yield {name: column[start:stop] for name, column in columns.items()}
