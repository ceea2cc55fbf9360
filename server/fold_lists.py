"""What the cloud lists for users in training, by retrievers that have not seen them: the lists that a plan may be learnt from.

Users are dealt into folds. A window's list is made for what its user had done before the window's first target, by a retriever of the
scenario's kind and shape that has the logs of all other folds and none of the user's own, so that neither a target nor what follows it
can have reached the list; a model's lists are made at some places of a history alone (`server.kept_lists`). Validation and serving have
the lists of the retriever that serves, whose logs end before both.
"""

from __future__ import annotations

import numpy as np

from chordsim import seeds
from chordsim.arrays import Bools, Ints
from chordsim.data.retriever import VOTERS, Counts
from chordsim.data.split import TrainLogs
from chordsim.errors import DataError
from chordsim.methods import ListForm, MethodContext
from chordsim.nets.shapes import shapes_of
from chordsim.progress import Progress
from server.kept_lists import MOST, KeptLists, Maker
from server.model_retriever import RetrieverModel, best, context_of
from server.training import cache
from server.training.sampler import LEAST

#: Folds by kind of retriever: each costs counting once more, or a training.
FOLDS = {"counts": 5, "model": 2}
#: Kinds of backbone that read a narrow window as they read its end of a wide one.
NARROWS = ("sasrec",)


class FoldLists:
    """Lists of windows, and of users as they are served."""

    def __init__(self, context: MethodContext, form: ListForm, logs: TrainLogs, progress: Progress) -> None:
        """Make the retrievers ready; those that are models are trained, or found in the cache.

        Args:
            context: The run; the method's own settings do not matter.
            form: Which lists the protocol ranks.
            logs: What the cloud may see.
            progress: Where training reports to.

        Raises:
            DataError: So few users that a fold leaves a model none to be trained on.
        """
        self._logs, self._repeat = logs, form.repeat
        backbone, counts = form.backbone or context.backbone, form.retriever == "counts"
        self._reads = VOTERS if counts else backbone.max_len
        self._fold = folds(logs, FOLDS[form.retriever], context.seed)
        # Users of two folds leave each fold somebody else.
        if not counts and np.unique(self._fold[np.diff(logs.offsets) >= LEAST]).size < 2:
            raise DataError(
                "training reads lists (sees, told or list_weight), and a user's come from a model that the logs of others train: of "
                f'{len(logs)} user(s) too few have {LEAST} items or more; set protocol.retriever = "counts", which trains none'
            )
        made = [_maker(context, form, without(logs, self._fold == fold), progress) for fold in range(FOLDS[form.retriever])]
        self._makers: list[Maker] = [*made, _maker(context, form, logs, progress)]
        length, narrow = min(form.length, logs.n_items), backbone.kind in NARROWS
        kept = (logs, made, self._fold, length, self._reads)
        self._kept = None if counts else KeptLists(*kept, repeat=form.repeat, narrow=narrow, most=MOST)

    def earlier(self, rows: Ints, known: Ints) -> Ints:
        """Return lists [D, N] for rows of the logs when they had done ``known`` [D] items, by who never saw them."""
        return self._listed(rows, known, self._fold[rows]) if self._kept is None else self._kept.of(rows, known)

    def now(self, rows: Ints) -> Ints:
        """Return lists [D, N] for rows of the logs at their end, by who serves."""
        return self._listed(rows, np.diff(self._logs.offsets)[rows], np.full(rows.size, len(self._makers) - 1))

    def _listed(self, rows: Ints, known: Ints, makers: Ints) -> Ints:
        history, (row, item) = self._logs.earlier(rows, known, self._reads)
        row, item = (part[: 0 if self._repeat else part.size] for part in (row, item))
        parts, places = [], []
        for number in np.unique(makers).tolist():
            mine = np.flatnonzero(makers == number)
            of_mine = makers[row] == number
            parts.append(self._makers[number](history[mine], (np.searchsorted(mine, row[of_mine]), item[of_mine])))
            places.append(mine)
        return np.asarray(np.concatenate(parts)[np.argsort(np.concatenate(places))], np.int64)


def folds(logs: TrainLogs, count: int, seed: int) -> Ints:
    """Return the fold of each row of the logs, [V]: drawn for each user by the seed, as equal in size as they go."""
    drawn = seeds.uniforms(seed, "train.lists.folds", logs.user_ids)[:, 0]
    place = np.empty(len(logs), np.int64)
    place[np.argsort(drawn, kind="stable")] = np.arange(len(logs))
    return np.asarray(place * count // max(len(logs), 1), np.int64)


def without(logs: TrainLogs, gone: Bools) -> TrainLogs:
    """Return the logs without some rows [V]."""
    kept, lengths = np.flatnonzero(~gone), np.diff(logs.offsets)
    offsets = np.zeros(kept.size + 1, np.int64)
    np.cumsum(lengths[kept], out=offsets[1:])
    return TrainLogs(logs.seen(kept)[1], offsets, logs.n_items, logs.user_ids[kept], logs.validation_targets[kept])


def _maker(context: MethodContext, form: ListForm, logs: TrainLogs, progress: Progress) -> Maker:
    """Return what lists for histories by what is in these logs."""
    if form.retriever == "counts":
        return Counts(logs, form.length).listed
    model = RetrieverModel(context_of(form.backbone or context.backbone, form.training or context.training, context.n_items, context.seed))
    state, _ = cache.trained(model, logs, progress)
    shapes, length = shapes_of(model.context.backbone, logs.n_items), min(form.length, logs.n_items)
    return lambda history, had: best(shapes, state, history, had, length)
