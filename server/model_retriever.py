"""`protocol.retriever = "model"`: a recommender of its own lists candidates, with another seed, never one that is compared.

It has the scenario's kind and shape of backbone at full precision, or what `[retriever]` says of its shape, is trained on the cloud's
logs as `fp32` is, and reads a user's logs, which end before the hold-out: a user's list is the same in every round. Users whom the
cloud does not know get the most popular items, and so do those of whom `retriever.aged` leaves nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from chordsim import seeds
from chordsim.arrays import Ints, State
from chordsim.config.model import BackboneConfig, TrainingConfig
from chordsim.data.split import TrainLogs
from chordsim.methods import MethodContext
from chordsim.nets.backbone import last_states
from chordsim.nets.recommender import Dense
from chordsim.nets.shapes import Shapes, shapes_of
from chordsim.progress import Progress
from chordsim.threads import one_thread_per_product
from server.half import Cloud
from server.training import dense
from server.training.fit import fit

TITLE = "retriever"
#: Users whose lists are made together, always the same ones, so that no last bit depends on who is asked for.
_ROWS = 256
#: Scores that are held at a time.
_SCORES = 1 << 24


def context_of(backbone: BackboneConfig, training: TrainingConfig, n_items: int, seed: int) -> MethodContext:
    """Return what the retriever is trained by: this backbone at full precision, under a seed of its own."""
    exact = backbone.model_copy(update={"embedding_bits": 32, "items": "owned"})
    return MethodContext(TITLE, {}, exact, training, n_items, seeds.key(seed, "protocol.retriever") >> 1)


class RetrieverModel:
    """The retriever as something that the cache can train or find."""

    def __init__(self, context: MethodContext) -> None:
        self.context = context

    def recipe(self) -> dict[str, Any]:
        """Return what the state depends on."""
        return {**dense.recipe(Cloud(self.context).recipe()), "trainer": TITLE}

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Train a dense backbone."""
        c = self.context
        model = Dense(shapes_of(c.backbone, c.n_items), c.seed, c.training.start_std)
        return fit(model, logs, c.training, c.backbone.max_len, c.seed, TITLE, progress)

    def about(self, state: State) -> dict[str, Any]:
        """Return what the manifest says of it."""
        told = {"kind": "model", "seed": self.context.seed, "backbone": self.context.backbone.model_dump(mode="json")}
        return {**told, "steps": int(state["trained.steps"]), "validation_ndcg_10": float(state["trained.ndcg_10"])}


class ModelLists:
    """Lists by user, made when they are first asked for."""

    def __init__(
        self, model: RetrieverModel, state: State, logs: TrainLogs, users: int, length: int, *, repeat: bool, aged: int = 0
    ) -> None:
        """Take a trained retriever.

        Args:
            model: What was trained.
            state: Its state.
            logs: What the cloud may see.
            users: How many users there are, known to the cloud or not.
            length: Of a list; shorter where the catalogue is.
            repeat: Whether an item that the user already had may be listed.
            aged: How many of each user's last items the lists do not know.
        """
        self._shapes: Shapes = shapes_of(model.context.backbone, logs.n_items)
        self._state, self._logs, self._repeat, self._aged = state, logs, repeat, aged
        self._row = np.full(users, -1, np.int64)
        playing = logs.user_ids < users
        self._row[logs.user_ids[playing]] = np.flatnonzero(playing)
        popular = np.lexsort((np.arange(1, logs.n_items + 1), -logs.popularity[1:])) + 1
        self._popular = popular[: min(length, logs.n_items)].astype(np.int32)
        self._lists = np.zeros((users, self._popular.size), np.int32)
        self._made = np.zeros(-(-users // _ROWS), np.bool_)

    def listed(self, user_ids: Ints) -> Ints:
        """Return each user's list, best first, item ids [D, n]; 0 pads at the end where fewer items are left."""
        blocks = np.unique(user_ids // _ROWS)
        for block in blocks[~self._made[blocks]].tolist():
            users = slice(block * _ROWS, (block + 1) * _ROWS)
            self._lists[users] = self._make(self._row[users])
            self._made[block] = True
        return self._lists[user_ids].astype(np.int64)

    def _make(self, rows: Ints) -> Ints:
        """Return the lists [D, n] of users by their row of the logs, -1 for whom the cloud does not know."""
        one_thread_per_product()
        known = np.flatnonzero(rows >= 0)
        then = np.diff(self._logs.offsets)[rows[known]] - self._aged
        known, then = known[then > 0], then[then > 0]
        out = np.repeat(self._popular[None].astype(np.int64), rows.size, 0)
        if not known.size:
            return out
        history, had = self._logs.earlier(rows[known], then, self._shapes.backbone.max_len)
        nothing = np.zeros(0, np.int64)
        out[known] = best(self._shapes, self._state, history, (nothing, nothing) if self._repeat else had, self._popular.size)
        return out


def best(shapes: Shapes, state: State, history: Ints, had: tuple[Ints, Ints], length: int) -> Ints:
    """Return what a trained retriever lists for histories, [D, n], best first; 0 pads at the end where fewer items are left.

    Args:
        shapes: Its backbone.
        state: As `RetrieverModel` trains it.
        history: The last items of each, [D, L], 0 pads on the left; of fewer than the backbone's window, no user has more.
        had: Index pairs (row, item) of what is not listed, rows ascending.
        length: Of a list; no longer than the catalogue.
    """
    table, out = state["item"], np.zeros((len(history), length), np.int64)
    width, position = history.shape[1], state["position"]
    with torch.inference_mode():
        # A window ends at the last item, so a narrower one has the last places.
        position = position[-width:] if width < shapes.backbone.max_len else position
        parts = torch.split(torch.from_numpy(history), _ROWS)
        states = torch.cat([last_states(one, table, position, dense.weights(shapes, state), shapes.backbone) for one in parts])
        step = max(_SCORES // len(table), 1)
        for at in range(0, len(history), step):
            scores = states[at : at + step] @ table.T
            scores[:, 0] = -torch.inf
            here = slice(*np.searchsorted(had[0], (at, at + step)))
            scores[torch.from_numpy(had[0][here] - at), torch.from_numpy(had[1][here])] = -torch.inf
            # A stable sort, so that equal scores keep the order of ids.
            order = torch.sort(scores, dim=1, descending=True, stable=True)
            out[at : at + step] = torch.where(order.values[:, :length] > -torch.inf, order.indices[:, :length], 0).numpy()
    return out
