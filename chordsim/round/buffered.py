"""Rounds of `rounds.mode = "buffered"`: a round is a version, made of the first K updates that the clock brings.

Source: FedBuff (Nguyen et al., AISTATS 2022): an update that is s versions behind counts (1 + s) to the power of minus
`rounds.staleness`. Ours (inference): updates also count by their number of examples, so that a buffer of everybody's fresh
updates is the synchronous round; and phones begin together with a version rather than one by one.

A phone computes when it is asked and is heard when the clock has brought its end, so nothing is used before it is there, and
nothing but the clock decides who comes first. Its row stands in the round that used it, with its rank on the target of the
round in which it was asked, and its staleness as `plan_age_rounds`.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Executor

import numpy as np

from chordsim import evaluate, seeds
from chordsim.arrays import Bools, Columns, Ints
from chordsim.engine.cell import Carrier
from chordsim.ledger.columns import LIST, OUTCOMES, SCORED, SERVED_BY
from chordsim.ledger.invariants import Moved, check
from chordsim.ledger.rows import Rows
from chordsim.methods import Batch
from chordsim.ragged import Ragged
from chordsim.round.book import Book
from chordsim.round.enrolled import Hosted
from chordsim.round.live import Live, take_in
from chordsim.round.scene import Scene, begins_s, scene_of
from chordsim.round.script import Played, closed, told
from chordsim.round.under_way import ASKED, ENDS, HEARD, UnderWay
from chordsim.world import World

_SERVED, _LATE = OUTCOMES.index("served"), OUTCOMES.index("late")
_FALLBACK = SERVED_BY.index("fallback")


class Begun(Live):
    """A round told live whose updates wait for the clock.

    Attributes:
        updates: What phones sent, [M]; None where nobody was visited.
    """

    updates: Ragged | None = None

    def heard(self, book: Book, updates: Ragged | None) -> None:
        """Keep what phones sent: it is taken in when it is there."""
        self.updates = updates


def play(method: Hosted, world: World, round: int, carrier: Carrier, text: str, threads: Executor) -> Played:
    """Ask phones that are free, let the clock go on to the K-th update, and make a version of what came.

    Args:
        method: Who plays; holds who is under way.
        world: The scenario with its data.
        round: The version to make, from 1.
        carrier: What moves messages.
        text: The resolved scenario, for clients.
        threads: Where the cloud half answers chunks.
    """
    scenario = world.scenario
    if method.under_way is None:
        method.under_way = UnderWay(begins_s(scenario, 1))
    under_way, quarantined = method.under_way, Counter[str]()
    began_s = under_way.now_s
    owed = _crossed(under_way.rows)
    moved, errors = _ask(method, world, round, carrier, text, threads, quarantined)
    columns, updates = _heard(under_way, scenario.rounds.buffer)
    if not (columns[HEARD].any() or len(under_way)):
        # Nobody is there: who is asked next is asked when the scenario's next round would begin.
        under_way.now_s += scenario.clock.round_every_h * 3600
    _learn(method, world, round, columns, updates, quarantined)
    if round == scenario.rounds.count:
        columns = _with_unheard(under_way, columns, world)
    rows = _rows(method, world, round, columns)
    left = _crossed(under_way.rows)
    # What crossed before and stands in no row yet, and what crossed now, is in this round's rows or under way.
    crossed = Moved(moved[0] + owed[0] - left[0], moved[1] + owed[1] - left[1], 0)
    under_way.forget()
    return Played(rows, under_way.now_s - began_s, crossed, tuple(errors), None, +quarantined)


def _ask(
    method: Hosted, world: World, round: int, carrier: Carrier, text: str, threads: Executor, quarantined: Counter[str]
) -> tuple[tuple[int, int], list[str]]:
    """Let free phones begin; return the bytes that crossed down and up, and the errors of lost cells."""
    under_way, scenario = method.under_way, world.scenario
    assert under_way is not None
    free = np.setdiff1d(world.population.select(round), under_way.ids)
    wanted = min(world.population.selected - len(under_way), free.size)
    if wanted <= 0:
        return (0, 0), []
    chosen = np.sort(seeds.generator(scenario.seed, "round.buffered", round=round).permutation(free)[:wanted])
    scene: Scene = scene_of(world, round, chosen, under_way.now_s)
    teller = Begun(method, world, carrier, text, threads)
    base = method.half.basis(method.state)
    book, before = told(method, world, scene, teller)
    deadline_s = scenario.clock.deadline_s or np.inf
    rows, _ = closed(method, world, teller, book, before, deadline_s)
    check(rows, Moved(teller.moved_down_bytes, teller.moved_up_bytes, book.charged_bytes["down"], book.charged_bytes["up"]))
    updates = (teller.updates or Ragged.empty(scene.ids.size)).slice(0, scene.count)
    heard = (rows["outcome"] == _SERVED) & (updates.lengths > 0)
    ends_s = under_way.now_s + np.minimum(rows["total_s"], deadline_s)
    under_way.begin(rows, round, ends_s, heard, updates.keep(heard), base)
    quarantined.update(+book.quarantined)
    return (int(rows["down_bytes"].sum()), int(rows["up_bytes"].sum())), list(teller.errors)


def _heard(under_way: UnderWay, buffer: int) -> tuple[Columns, Ragged]:
    """Let the clock go on to the K-th update, or to the last end if fewer come; return who has ended by then, by ascending id."""
    order = under_way.order()
    count = np.cumsum(under_way.rows[HEARD][order])
    ended = order[: int(np.searchsorted(count, buffer)) + 1]
    under_way.now_s = max(under_way.now_s, float(under_way.rows[ENDS][ended[-1]]))
    return under_way.take(ended)


def _learn(method: Hosted, world: World, round: int, columns: Columns, updates: Ragged, quarantined: Counter[str]) -> None:
    """Let the cloud take in what came, older updates as if they had been made from the version in force."""
    used = columns[HEARD]
    if not used.any():
        return
    under_way, rounds = method.under_way, world.scenario.rounds
    assert under_way is not None
    now, parts = method.half.basis(method.state), list(updates)
    for version in np.unique(columns[ASKED][used]).tolist():
        if version == round:
            continue
        places = np.flatnonzero(used & (columns[ASKED] == version))
        weight = (1.0 + round - version) ** -rounds.staleness
        old = Ragged.of_rows(parts[n] for n in places.tolist())
        for place, fresh in zip(places.tolist(), method.half.rebased(old, under_way.bases[version], now, weight), strict=True):
            parts[place] = fresh
    engine = world.scenario.engine
    take_in(method, _chunks(world, columns["device_id"], used, parts, round), quarantined, engine.timeout_s)


def _chunks(world: World, ids: Ints, used: Bools, parts: list[bytes], round: int) -> list[tuple[Batch, Ragged]]:
    """Return whole chunks, the last one padded with phones that are out."""
    size = world.scenario.engine.chunk_size
    padding = -ids.size % size
    padded = np.concatenate([ids, np.repeat(ids[-1:], padding)])
    active = np.concatenate([used, np.zeros(padding, np.bool_)])
    updates, users = [*parts, *[b""] * padding], world.population.users(padded)
    return [
        (
            Batch(padded[at : at + size], active[at : at + size], round, user_ids=users[at : at + size]),
            Ragged.of_rows(updates[at : at + size]),
        )
        for at in range(0, padded.size, size)
    ]


def _with_unheard(under_way: UnderWay, columns: Columns, world: World) -> Columns:
    """Return the last round's columns with those whom nobody waits for: they have cost what they have cost, and were late."""
    if not len(under_way):
        return columns
    rest, _ = under_way.take(np.arange(len(under_way)))
    late = rest["outcome"] == _SERVED
    seen = evaluate.metrics(rest["fallback_rank"], world.n_items)["ndcg_10"]
    ended: Columns = {
        "outcome": np.array(_LATE),
        "served_by": np.array(_FALLBACK),
        "wasted_bytes": rest["down_bytes"] + rest["up_bytes"],
        "ndcg_10_all": seen,
    }
    rest |= {name: np.where(late, value, rest[name]) for name, value in ended.items()}
    rest |= {name: np.where(late, np.nan, rest[name]) for name in (*SCORED, "bits_mean")}
    if LIST in rest:
        rest[LIST] = np.where(late[:, None], np.int32(0), rest[LIST])
    rest[HEARD] = np.zeros(late.size, np.bool_)
    return {name: np.concatenate([columns[name], value]) for name, value in rest.items()}


def _rows(method: Hosted, world: World, round: int, columns: Columns) -> Rows:
    """Return the round's rows by ascending id. A phone stands in it once: who begins in a round has ended before it."""
    tiers = list(world.scenario.population.tiers)
    heard = columns[HEARD]
    age = np.where(heard, (round - columns[ASKED]).astype(np.float64), np.nan)
    order = np.argsort(columns["device_id"])
    told = {**{name: value for name, value in columns.items() if name not in (ASKED, ENDS, HEARD)}, "plan_age_rounds": age}
    return Rows.of(method.spec.name, round, {name: value[order] for name, value in told.items()}, tiers=tiers)


def _crossed(columns: Columns) -> tuple[int, int]:
    """Return the bytes that crossed down and up for phones under way."""
    return (int(columns["down_bytes"].sum()), int(columns["up_bytes"].sum())) if columns else (0, 0)
