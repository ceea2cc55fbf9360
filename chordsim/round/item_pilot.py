"""What phones ask for in sizes: a few users are followed session by session, and every phone is like one of them.

A run in sizes has no histories, so how many rows a phone lacks is drawn: users of the scenario's own data, or of the same generator,
play the sessions that the cloud's logs hold, and a phone in its nth session since it last had a new table asks for what one of
them asked for then.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from chordsim import seeds
from chordsim.arrays import Columns, Ints
from chordsim.config.model import DataConfig, Scenario, SyntheticConfig
from chordsim.data.retriever import Retriever
from chordsim.data.split import TrainLogs, split
from chordsim.data.synthetic import generate
from chordsim.methods import ITEM_TABLE, MethodSpec
from chordsim.round.book import Book
from chordsim.round.candidates import Asked, asks, row_sizes
from chordsim.round.enrolled import Enrolled
from chordsim.round.item_books import window_of
from chordsim.round.item_cache import held_dtype, session
from chordsim.sized import SizedWorld

#: Users who are followed at most, and sessions of each; later ones are like the last.
USERS, SESSIONS = 528, 8
#: Parts of the users; the forecast has as many fleets.
PARTS = 24
#: Names of the columns: sessions since the table was new, rows held, and the version of the table.
SESSION, COUNT, VERSION = "items_session", "items_count", "items_version"


@dataclass(frozen=True)
class Pilot:
    """What P users asked for in S sessions, [S, P] each: ids, and the bytes of rows; and how many rows they held then."""

    consumed: Ints
    row_bytes: Ints
    held: Ints


def columns_for(scenario: Scenario, spec: MethodSpec, devices: int) -> Columns:
    """Return the columns of a run in sizes: 12 bytes a phone."""
    if not asks(scenario, spec):
        return {}
    return {name: np.zeros(devices, np.int32) for name in (SESSION, COUNT, VERSION)}


#: Pilots that were made, by the logs (held, so that no others take their place in memory) and all else that they follow from.
_MADE: OrderedDict[tuple[int, str, int], tuple[TrainLogs, Pilot]] = OrderedDict()
_KEPT = 4


def pilot(world: SizedWorld, spec: MethodSpec) -> Pilot:
    """Follow some users through sessions that the cloud's logs hold: each moves on by one item.

    Methods that read equally many items ask for the same, so they share one.
    """
    scenario = world.scenario
    logs = world.train_logs if world.train_logs is not None else _generated(scenario, world.n_items)
    steps, window = min(SESSIONS, max(scenario.rounds.count, 2)), window_of(scenario.backbone, spec)
    key = (id(logs), f"{steps} {scenario.backbone.model_dump_json()} {scenario.protocol.model_dump_json()}", window)
    made = _MADE.get(key)
    if made is None:
        made = _MADE[key] = logs, _followed(scenario, logs, steps, window)
        while len(_MADE) > _KEPT:
            _MADE.popitem(last=False)
    return made[1]


def _followed(scenario: Scenario, logs: TrainLogs, steps: int, window: int) -> Pilot:
    lengths = np.diff(logs.offsets)
    long = np.flatnonzero(lengths > steps + 1)
    chosen = (long if long.size else np.arange(lengths.size))[:USERS]
    protocol = scenario.protocol
    # What the cloud lists follows from what it saw before the sessions, as in a run.
    lists = Retriever(_before(logs, steps), int(logs.user_ids.max()) + 1, protocol.list_length, repeat=not protocol.mask_seen)
    listed = lists.listed(logs.user_ids[chosen])
    held = np.zeros((chosen.size, scenario.backbone.cache_rows), held_dtype(logs.n_items))
    whole = logs.history(chosen, window + steps).items
    found, sizes = [], row_sizes(scenario.backbone, logs.popularity)
    for step in range(steps):
        told = session(held, whole[:, step + 1 : step + 1 + window], listed)
        held = told.held
        weighs = np.where(told.lacks, sizes[listed], 0).sum(1) + sizes[told.consumed].sum(1)
        found.append(((told.consumed > 0).sum(1), weighs, (held > 0).sum(1)))
    return Pilot(*(np.stack([part[n] for part in found]).astype(np.int64) for n in range(3)))


def asked(pilot: Pilot, method: Enrolled, scenario: Scenario, book: Book) -> Asked:
    """Return what phones ask for: each as one of the pilot's users did in the same session, drawn once for each phone."""
    ids, remembered = book.scene.ids, method.remembered
    fresh = remembered[VERSION][ids] >= method.introduced.get(ITEM_TABLE, 0)
    number = np.minimum(np.where(fresh, remembered[SESSION][ids], 0), len(pilot.row_bytes) - 1)
    like = _like(scenario.seed, ids, pilot.row_bytes.shape[1])
    before = np.where(fresh, remembered[COUNT][ids], 0).astype(np.int64)
    return Asked(pilot.consumed[number, like], pilot.row_bytes[number, like], before, pilot.held[number, like])


def _like(seed: int, ids: Ints, users: int) -> Ints:
    """Return which of the users each phone is like, drawn among those of its own part of them.

    Phones whose ids leave the same rest are like the same part of the users: the forecast cuts its small fleets that way, so how much
    fleets differ tells how little so few users say, too.
    """
    unit = seeds.uniforms(seed, "items.pilot", ids)[:, 0]
    parts = PARTS if users >= PARTS else 1
    return np.asarray(ids % parts + parts * (unit * (users // parts)).astype(np.int64), np.int64)


def remember(method: Enrolled, book: Book) -> None:
    """Count the session of phones whose rows came."""
    ids, remembered = book.scene.ids[book.rows_came], method.remembered
    fresh = remembered[VERSION][ids] >= method.introduced.get(ITEM_TABLE, 0)
    remembered[SESSION][ids] = np.where(fresh, remembered[SESSION][ids], 0) + 1
    remembered[COUNT][ids] = book.cached_rows[book.rows_came]
    remembered[VERSION][ids] = method.version


def _before(logs: TrainLogs, steps: int) -> TrainLogs:
    """Return the logs without each user's last ``steps`` items; short ones keep one."""
    lengths = np.diff(logs.offsets)
    kept = np.maximum(lengths - steps, np.minimum(lengths, 1))
    inside = np.arange(logs.items.size) - np.repeat(logs.offsets[:-1], lengths) < np.repeat(kept, lengths)
    offsets = np.concatenate([[0], np.cumsum(kept)])
    return TrainLogs(logs.items[inside], offsets, logs.n_items, logs.user_ids, logs.validation_targets)


def _generated(scenario: Scenario, n_items: int) -> TrainLogs:
    """Return logs of a few users of the scenario's generator, over its whole catalogue."""
    assert scenario.data.source == DataConfig(source="synthetic").source
    few = scenario.data.synthetic.model_copy(update={"users": min(scenario.data.synthetic.users, USERS), "items": n_items})
    return _logs(few.model_dump_json(), scenario.seed, scenario.rounds.count)


@lru_cache(maxsize=2)
def _logs(synthetic: str, seed: int, rounds: int) -> TrainLogs:
    """Return the logs that a generator's settings and a seed give; every method of a run asks for the same."""
    return split(generate(SyntheticConfig.model_validate_json(synthetic), seed, rounds + 4), 1, 1.0, seed).train_logs()
