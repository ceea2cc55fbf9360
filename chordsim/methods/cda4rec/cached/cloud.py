"""Cloud half of `cda4rec` where the catalogue stays in the cloud: plan by the rule, and order what the protocol lists."""

from __future__ import annotations

import torch

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Batch, Blob, CloudTurn, Leg
from chordsim.methods.cda4rec.cached import net
from chordsim.methods.cda4rec.net import on_phone
from chordsim.nets import blobs, embeddings, footprint
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from chordsim.wire.ids import unpack_ids
from server.half import Cloud, Trained, answer
from server.item_tables import table_blobs
from server.retrieval import order_of, to_rank
from server.training import dense
from server.training.fit import fit
from server.training.rounding import WIDTHS


class Cda4RecCachedCloud(Trained):
    """Routes, and ranks the list with the large model."""

    def untrained(self) -> tuple[str, ...]:
        """Return what only serving uses."""
        return "list_length", "short_history"

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Train the phone's ranker over the rows of the cloud's, the shared reference."""
        c = self.context
        reference = to_rank(dense.cached(c, Cloud.recipe(self), logs, progress))
        rows = embeddings.rounded(reference["item"], c.backbone.embedding_bits, reference.get(WIDTHS))
        small = net.TrainedRowRanker(rows, int(c.settings["width"]), c.backbone.max_len, c.seed)
        phone = dense.without_notes(fit(small, logs, c.training, c.backbone.max_len, c.seed, c.name, progress))
        ranker = {f"phone.{name}": value for name, value in phone.items() if name != "item"}
        return {**{f"cloud.{name}": value for name, value in reference.items()}, **ranker}

    def bootstrap(self, state: State) -> list[Blob]:
        """Return the rows, of which phones ask for some, and the ranker that reads them."""
        return [*table_blobs(self.shapes, _part(state, "cloud")), Blob("ranker", blobs.save(_part(state, "phone")))]

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Send the plan, and the reference's order of what is listed."""
        c = self.context
        assert who.listed is not None
        history, sound = unpack_ids(inbox, c.backbone.max_len, c.n_items)
        phone = on_phone((history > 0).sum(1), int(c.settings["short_history"]))
        places = order_of(self.shapes, _part(state, "cloud"), history, who.listed)
        return answer(who, net.pack_order(phone, places), sound, footprint.dense_macs(self.shapes))


def _part(state: State, side: str) -> dict[str, torch.Tensor]:
    """Return one side's tensors of a state, by their own names."""
    return {name.removeprefix(f"{side}."): value for name, value in state.items() if name.startswith(f"{side}.")}
