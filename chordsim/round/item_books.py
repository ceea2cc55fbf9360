"""Who keeps book of the item rows on phones: the ids themselves in live rounds, numbers of them in sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chordsim.arrays import Columns, Ints
from chordsim.config.model import BackboneConfig
from chordsim.kernels.choose import NATIVE
from chordsim.methods import ITEM_TABLE, MethodSpec
from chordsim.round.book import Book
from chordsim.round.candidates import Asked, asks, row_sizes
from chordsim.round.enrolled import Enrolled
from chordsim.round.item_cache import Held, compiled, held_dtype, session
from chordsim.world import World

#: Names of the columns: ids that a phone holds, and the version of the table that they are of.
HELD, VERSION = "items", "items_version"
#: Phones whose sessions are worked out together, which bounds the memory that it takes.
_ROWS = 4096


def columns_for(world: World, spec: MethodSpec, devices: int) -> Columns:
    """Return the columns of a live run: 2 or 4 bytes for each row that a phone has room for, 4 more for a phone."""
    if not asks(world.scenario, spec):
        return {}
    held = np.zeros((devices, world.scenario.backbone.cache_rows), held_dtype(world.n_items))
    return {HELD: held, VERSION: np.zeros(devices, np.int32)}


def window_of(backbone: BackboneConfig, spec: MethodSpec) -> int:
    """Return how many items of its user's history a phone of this method reads."""
    return spec.history_length(backbone.max_len)


@dataclass(frozen=True)
class Sessions:
    """The sessions of the phones that take part.

    Attributes:
        rows: Which of the book's rows these are, [D].
        held: What they hold once their rows have come, [D, R].
    """

    rows: Ints
    held: Held


def open_sessions(method: Enrolled, world: World, book: Book) -> tuple[Asked, Sessions]:
    """Return what phones ask for: those that take part, for their history before this round's target and the cloud's list."""
    scene, backbone, remembered = book.scene, world.scenario.backbone, method.remembered
    fresh = remembered[VERSION][scene.ids] >= method.introduced.get(ITEM_TABLE, 0)
    window, sizes = window_of(backbone, method.spec), row_sizes(backbone, world.popularity)
    serve = compiled if world.kernel == NATIVE else session
    out = Asked(*(np.zeros(scene.ids.size, np.int64) for _ in range(4)))
    held_after = np.empty((int(book.active.sum()), backbone.cache_rows), remembered[HELD].dtype)
    first = 0
    for at in range(0, scene.ids.size, _ROWS):
        some = np.arange(at, min(at + _ROWS, scene.ids.size))
        active = book.active[some]
        held = remembered[HELD][scene.ids[some]]
        # Rows of another version of the table are worth nothing to who takes part.
        held[active & ~fresh[some]] = 0
        out.before[some] = out.after[some] = (held > 0).sum(1)
        if not active.any():
            continue
        some = some[active]
        listed = world.candidates(scene.users[some])
        assert listed is not None
        told = serve(held[active], world.split.history(scene.users[some], scene.round, window).items, listed)
        out.consumed[some] = (told.consumed > 0).sum(1)
        out.row_bytes[some] = np.where(told.lacks, sizes[listed], 0).sum(1) + sizes[told.consumed].sum(1)
        out.after[some] = (told.held > 0).sum(1)
        held_after[first : first + some.size] = told.held
        first += some.size
    return out, Sessions(np.flatnonzero(book.active), held_after)


def close_sessions(method: Enrolled, book: Book, sessions: Sessions) -> None:
    """Keep what phones hold whose rows came."""
    came = book.rows_came[sessions.rows]
    ids = book.scene.ids[sessions.rows[came]]
    method.remembered[HELD][ids] = sessions.held[came]
    method.remembered[VERSION][ids] = method.version
