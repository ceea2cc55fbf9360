"""Who keeps book of the item rows on phones: the ids themselves in live rounds, numbers of them in sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chordsim.arrays import Columns, Ints
from chordsim.config.model import BackboneConfig, Scenario
from chordsim.methods import ITEM_TABLE, MethodSpec
from chordsim.round.book import Book
from chordsim.round.candidates import Asked, asks, row_sizes
from chordsim.round.enrolled import Enrolled
from chordsim.round.item_cache import HELD_DTYPE, Session, session
from chordsim.world import World

#: Names of the columns: ids that a phone holds, and the version of the table that they are of.
HELD, VERSION = "items", "items_version"
#: Phones whose sessions are worked out together, which bounds the memory that it takes.
_ROWS = 4096


def columns_for(scenario: Scenario, spec: MethodSpec, devices: int) -> Columns:
    """Return the columns of a live run: 4 bytes for each row that a phone has room for, 4 more for a phone."""
    if not asks(scenario, spec):
        return {}
    return {HELD: np.zeros((devices, scenario.backbone.cache_rows), HELD_DTYPE), VERSION: np.zeros(devices, np.int32)}


def window_of(backbone: BackboneConfig, spec: MethodSpec) -> int:
    """Return how many items of its user's history a phone of this method reads."""
    return backbone.max_len + spec.extra_history


@dataclass(frozen=True)
class Sessions:
    """The sessions of the phones that take part.

    Attributes:
        rows: Which of the book's rows these are, [D].
        told: What they ask for and hold afterwards.
    """

    rows: Ints
    told: Session


def open_sessions(method: Enrolled, world: World, book: Book) -> tuple[Asked, Sessions]:
    """Return what phones ask for: those that take part, for their history before this round's target and the cloud's list."""
    scene, backbone = book.scene, world.scenario.backbone
    rows = np.flatnonzero(book.active)
    ids, users = scene.ids[rows], scene.users[rows]
    # Rows of another version of the table are worth nothing.
    fresh = method.remembered[VERSION][ids] >= method.introduced.get(ITEM_TABLE, 0)
    held = method.remembered[HELD][ids] * fresh[:, None]
    window = window_of(backbone, method.spec)
    parts, weighs = [], []
    sizes = row_sizes(backbone, world.popularity)
    for at in range(0, max(rows.size, 1), _ROWS):
        some = slice(at, at + _ROWS)
        listed = world.candidates(users[some])
        assert listed is not None
        part = session(held[some], world.split.history(users[some], scene.round, window).items, listed)
        parts.append(part)
        weighs.append(np.where(part.lacks, sizes[listed], 0).sum(1) + sizes[part.consumed].sum(1))
    told = Session(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("lacks", "consumed", "held")))
    before = np.zeros(scene.ids.size, np.int64)
    idle = ~book.active
    before[idle] = (method.remembered[HELD][scene.ids[idle]] > 0).sum(1)

    def spread(values: Ints, otherwise: Ints | int = 0) -> Ints:
        out = np.zeros(scene.ids.size, np.int64) + otherwise
        out[rows] = values
        return out

    consumed, kept = (told.consumed > 0).sum(1), (told.held > 0).sum(1)
    asked = Asked(spread(consumed), spread(np.concatenate(weighs)), spread((held > 0).sum(1), before), spread(kept, before))
    return asked, Sessions(rows, told)


def close_sessions(method: Enrolled, book: Book, sessions: Sessions) -> None:
    """Keep what phones hold whose rows came."""
    came = book.rows_came[sessions.rows]
    ids = book.scene.ids[sessions.rows[came]]
    method.remembered[HELD][ids] = sessions.told.held[came]
    method.remembered[VERSION][ids] = method.version
