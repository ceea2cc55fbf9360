"""Cloud half of `cda4rec`: plan by a rule, retrieve with the reference, rank for those whom the phone does not serve."""

from __future__ import annotations

import numpy as np

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Batch, Blob, CloudTurn, Leg
from chordsim.methods.cda4rec import net
from chordsim.nets import blobs, footprint
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from chordsim.wire.ids import pack_ids, unpack_ids
from server.half import Cloud, Trained, answer
from server.retrieval import ranked, to_rank
from server.training import dense
from server.training.fit import fit


class Cda4RecCloud(Trained):
    """Routes, retrieves, ranks."""

    def untrained(self) -> tuple[str, ...]:
        """Return what only serving uses."""
        return "list_length", "short_history"

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Train the phone's ranker; the cloud's is the shared reference."""
        c = self.context
        small = net.TrainedRanker(c.n_items, int(c.settings["width"]), c.backbone.max_len, c.seed)
        phone = fit(small, logs, c.training, c.backbone.max_len, c.seed, c.name, progress)
        reference = to_rank(dense.cached(c, Cloud.recipe(self), logs, progress))
        state = {f"cloud.{name}": value for name, value in reference.items()}
        return {**state, **{f"phone.{name}": value for name, value in dense.without_notes(phone).items()}}

    def bootstrap(self, state: State) -> list[Blob]:
        """Return the phone's ranker."""
        return [Blob("ranker", blobs.save({n.removeprefix("phone."): v for n, v in state.items() if n.startswith("phone.")}))]

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Send candidates to phones that rank, and the plan, with the list where the cloud ranks."""
        c, rows = self.context, len(who)
        history, sound = unpack_ids(inbox, c.backbone.max_len, c.n_items)
        phone = net.on_phone((history > 0).sum(1), int(c.settings["short_history"]))
        reference = {name.removeprefix("cloud."): value for name, value in state.items() if name.startswith("cloud.")}
        length = min(int(c.settings["list_length"]), c.n_items)
        best = pack_ids(ranked(self.shapes, reference, history, length, c.repeats), c.n_items)
        mine = phone if leg.kind == "candidates" else ~phone
        turn = answer(who, best, sound, 0)
        sent = turn.outbox.keep(mine)
        if leg.kind == "prescription":
            sent = Ragged.of_rows(bytes([int(p)]) + row if a else b"" for p, row, a in zip(phone, sent, who.active & sound, strict=True))
        macs = np.where(mine, footprint.dense_macs(self.shapes), 0).astype(np.int64)
        return CloudTurn(sent, macs, turn.refusal, np.zeros(rows, np.uint8))
