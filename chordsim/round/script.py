"""One round of one method, as it is played whoever tells it: live, in sizes, or from what a run recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from chordsim.arrays import Codes, Ints
from chordsim.ledger.invariants import Moved
from chordsim.ledger.rows import Rows
from chordsim.methods import DOWN_CANDIDATES, Budgets, MethodContext, MethodSpec
from chordsim.methods.blame import blamed
from chordsim.ragged import Ragged
from chordsim.round.book import Book
from chordsim.round.candidates import Asked, ask_for_rows, asks, sent_bytes, transfers
from chordsim.round.close import close, settle
from chordsim.round.enrolled import Enrolled
from chordsim.round.held import flat, spend
from chordsim.round.scene import Scene
from chordsim.round.shown import Shown
from chordsim.sized import SizedWorld
from chordsim.world import World


class Teller(Protocol):
    """Who tells what happens between the bootstrap and the close."""

    def admit(self, book: Book) -> Codes:
        """Return who is refused before any byte, as codes into `BINDINGS`, [M]; 0 for nobody."""
        ...

    def asked(self, method: Enrolled, book: Book) -> Asked:
        """Return what phones ask for whose catalogue stays in the cloud."""
        ...

    def exchange(self, book: Book, first: int) -> None:
        """Play the legs of the method's exchange into the book; the first leg is transfer number ``first``."""
        ...

    def shown(self, book: Book, before: Ints) -> Shown | None:
        """Return what unserved phones show of what they held; ``before`` holds the rounds it was made in, 0 for nothing, [M]."""
        ...

    def after(self, book: Book) -> None:
        """Do what comes after the close: the cloud does not wait for who is late."""
        ...


@dataclass(frozen=True)
class Played:
    """A closed round of one method, or of some of its phones.

    Attributes:
        rows: Its part of the ledger.
        round_s: When the round closed, in seconds after its begin.
        moved: What the carrier moved, where one did.
        errors: Errors of lost cells.
        prescriptions: The prescriptions that crossed, [M].
        quarantined: What was set aside because it made no sense, by what it was.
    """

    rows: Rows
    round_s: float
    moved: Moved | None = None
    errors: tuple[str, ...] = ()
    prescriptions: Ragged | None = None
    quarantined: Mapping[str, int] = field(default_factory=dict)


def told(method: Enrolled, world: World | SizedWorld, scene: Scene, teller: Teller) -> tuple[Book, Ints]:
    """Play a round up to its close; return its book, and the rounds in which what phones held before was made, [M].

    Args:
        method: Who plays.
        world: The scenario.
        scene: Who was selected.
        teller: Who tells what happens.
    """
    scenario, ids = world.scenario, scene.ids
    listed_bytes, before = sent_bytes(scenario, method.spec, world.n_items), transfers(scenario, method.spec, world.n_items)
    book = Book(scenario, scene, len(method.spec.exchange) + before, method.outdated(ids))
    book.end(book.active & (scene.away | flat(method.remembered, scenario, ids, scene.at_s)), "offline")
    refusal = teller.admit(book)
    if scenario.protocol.admission == "before":
        refusal = np.where(refusal > 0, refusal, turned_away(method.spec, world.context(method.spec.name), scene.profiles.budgets))
    book.refuse(book.active & (refusal > 0), refusal, "cloud")
    book.transfer_bootstrap(method.missing_bytes(ids))
    if listed_bytes:
        book.transfer_charged(DOWN_CANDIDATES, listed_bytes, book.active, 1)
    if asks(scenario, method.spec):
        ask_for_rows(book, scenario, world.n_items, teller.asked(method, book), 2)
    teller.exchange(book, 1 + before)
    return book, method.remembered["plan_round"][ids].astype(np.int64)


def turned_away(spec: MethodSpec, context: MethodContext, budgets: Budgets) -> Codes:
    """Return who could not bear a method whoever the user is, as codes into `BINDINGS`, [D]; 0 for nobody.

    The size of what is shipped is known before it is sent. What a phone takes may depend on its user, which the cloud does not
    know yet; the phone's own check after the download stays. Methods whose cloud decides by itself are left to it.
    """
    with blamed(spec.name, "needs"):
        least = spec.ends(context)[0].needs(context, budgets)
    if least is None or least.side == "cloud":
        return np.zeros(budgets.memory_bytes.size, np.uint8)
    return least.refusal


def closed(
    method: Enrolled, world: World | SizedWorld, teller: Teller, book: Book, before: Ints, ends_s: float | None = None
) -> tuple[Rows, float]:
    """Close a round: who was late, what everybody saw, what phones hold from now on. Return its rows, and when it closed.

    Args:
        method: Who plays; takes in what its phones hold afterwards.
        world: The scenario.
        teller: Who tells what happens.
        book: The book of `told`.
        before: The rounds of `told`.
        ends_s: When the round closes, where the book holds only some of its phones.
    """
    round_s = settle(book, world, ends_s)
    # Where the catalogue stays in the cloud, a phone that was not served has no list of today to show an old plan on.
    shown = teller.shown(book, before) if method.replays and world.scenario.backbone.items == "owned" else None
    method.remember(book)
    rows = close(book, method.spec, world, shown)
    spend(method.remembered, world.scenario, rows["device_id"], book.scene.at_s, rows["compute_j"] + rows["radio_j"])
    teller.after(book)
    return rows, round_s
