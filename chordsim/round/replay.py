"""Old prescriptions made again: what unserved phones show is recomputed, not stored.

A prescription is a function of (user, the round it was made in, budgets), so the cloud and the phones make it again. One that
hangs on others too is made among all who are selected, since who was away in that round is not remembered. These
messages never crossed a simulated link in this round, and no one counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chordsim.arrays import Bools, Ints, State
from chordsim.engine.cell import CellCall, CellReply
from chordsim.ledger.columns import LIST
from chordsim.methods import SPENT, Batch, CloudHalf, Leg, MethodSpec
from chordsim.methods.blame import blamed
from chordsim.ragged import Ragged
from chordsim.round.candidates import told_lists
from chordsim.round.scene import Scene
from chordsim.round.shown import Shown
from chordsim.wire.frame import decode_rows, encode_rows
from chordsim.world import World


@dataclass(frozen=True)
class Replay:
    """One method's way to its old prescriptions.

    Attributes:
        spec: The method.
        half: Its cloud half.
        state: Its trained state.
        header: What every call says, but legs and round.
        exchange: Sends calls to phones and yields their replies.
        world: The scenario with its data.
    """

    spec: MethodSpec
    half: CloudHalf
    state: State
    header: dict[str, Any]
    exchange: Callable[[list[CellCall]], Iterator[CellReply]]
    world: World

    def shown(self, scene: Scene, who: Bools, made: Ints) -> Shown:
        """Return what phones show that were not served.

        Args:
            scene: The round.
            who: Phones that hold something and were not served, [M].
            made: The round in which each made what it holds, [M].
        """
        rows = scene.ids.size
        nothing, spent = np.full(rows, np.nan), {name: np.zeros(rows, np.int64) for name in SPENT}
        lists = np.zeros((rows, self.world.scenario.protocol.keep_lists), np.int32)
        out = Shown(nothing.copy(), nothing.copy(), nothing.copy(), spent, lists if lists.size else None)
        for round in np.unique(made[who]).tolist():
            mine = who & (made == round)
            chunks = np.flatnonzero(mine.reshape(-1, scene.chunk_size).any(1))
            index = (chunks[:, None] * scene.chunk_size + np.arange(scene.chunk_size)).reshape(-1)
            asked = (scene.real if self.spec.by_others else mine)[index]
            found = self._play(scene, scene.ids[index], mine[index], asked, round)
            ranked = mine[index] & ~np.isnan(found["rank"])
            where = index[ranked]
            out.rank[where], out.age[where] = found["rank"][ranked], scene.round - round
            out.bits[where] = found["bits"][ranked]
            if out.lists is not None:
                out.lists[where] = found[LIST][ranked]
            for name in SPENT:
                out.spent[name][where] = found[name][ranked]
        return out

    def _play(self, scene: Scene, ids: Ints, active: Bools, asked: Bools, made: int) -> dict[str, np.ndarray[Any, Any]]:
        """Let phones use the prescription of an earlier round on today's history; return their columns, [len(ids)]."""
        wire: dict[str, Ragged] = {}
        for leg in self.spec.exchange:
            if leg == Leg("up", "profile"):
                profiles = self._visit(scene, ids, asked, made, [leg], {})["profile"]
                wire["profile"] = decode_rows("profile", self.spec.name, made, profiles)[0]
            elif leg.kind == "prescription":
                told = wire["profile"] if "profile" in wire else Ragged.empty(ids.size)
                prescribed = self._prescriptions(scene, ids, asked, made, leg, told)
                frames = encode_rows("prescription", self.spec.name, scene.round, prescribed, active)
                return self._columns(scene, ids, active, scene.round, [leg], {"prescription": frames})
        return self._columns(scene, ids, active, scene.round, [Leg("up", "report")], {})

    def _prescriptions(self, scene: Scene, ids: Ints, active: Bools, made: int, leg: Leg, inbox: Ragged) -> Ragged:
        size = scene.chunk_size
        out = []
        for at in range(0, ids.size, size):
            users = self.world.population.users(ids[at : at + size])
            who = told_lists(Batch(ids[at : at + size], active[at : at + size], made), self.spec, self.world, users)
            with blamed(self.spec.name, f"cloud half, leg {leg.direction} {leg.kind}, round {made} made again"):
                out.append(self.half.respond(self.state, leg, who, inbox.slice(at, at + size)).outbox)
        return Ragged.concat(out)

    def _replies(self, scene: Scene, ids: Ints, active: Bools, round: int, legs: list[Leg], wire: dict[str, Ragged]) -> list[CellReply]:
        size = scene.chunk_size
        header = {**self.header, "round": round, "legs": [[leg.direction, leg.kind] for leg in legs]}
        columns = {"device_id": ids, "active": active, "up_fraction": np.ones((ids.size, sum(leg.direction == "up" for leg in legs)))}
        columns |= self.world.told(self.world.population.users(ids))
        calls = [
            CellCall(
                n,
                header,
                {name: np.ascontiguousarray(value[at : at + size]) for name, value in columns.items()},
                {kind: rows.slice(at, at + size) for kind, rows in wire.items()},
            )
            for n, at in enumerate(range(0, ids.size, size))
        ]
        return sorted(self.exchange(calls), key=lambda reply: reply.cell)

    def _visit(self, scene: Scene, ids: Ints, active: Bools, round: int, legs: list[Leg], wire: dict[str, Ragged]) -> dict[str, Ragged]:
        empty = Ragged.empty(scene.chunk_size)
        replies = self._replies(scene, ids, active, round, legs, wire)
        return {leg.kind: Ragged.concat([r.wire.get(leg.kind, empty) for r in replies]) for leg in legs}

    def _columns(
        self, scene: Scene, ids: Ints, active: Bools, round: int, legs: list[Leg], wire: dict[str, Ragged]
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Return columns of all replies; a lost cell has shown nothing."""
        size = scene.chunk_size
        replies = self._replies(scene, ids, active, round, legs, wire)
        lost = {"rank": np.full(size, np.nan), "bits": np.full(size, np.nan), **{name: np.zeros(size, np.int64) for name in SPENT}}
        kept = self.world.scenario.protocol.keep_lists
        lost |= {LIST: np.zeros((size, kept), np.int32)} if kept else {}
        return {name: np.concatenate([r.columns.get(name, blank) for r in replies]) for name, blank in lost.items()}
