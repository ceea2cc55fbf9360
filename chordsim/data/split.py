"""Hold-out of each user's last R items: round r asks for the next item after everything that the user did before it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from chordsim import seeds
from chordsim.arrays import Bools, Ints
from chordsim.data.history import History, Spans
from chordsim.data.interactions import Interactions, Items, digest_of
from chordsim.errors import DataError

#: The validation item and two items to train on (one step from one to the next) besides the R targets.
SHORTEST_BESIDES_TARGETS = 3


@dataclass(frozen=True)
class TrainLogs:
    """What the cloud may see: each known user's training items, and one validation item for model selection.

    Arrays are copies that end before the first test target, so no target can be reached from here. Row v is
    the cloud's v-th known user; users who do not play follow those who do.

    Attributes:
        items: Training items, int64, shape [N].
        offsets: Row v's items are ``items[offsets[v]:offsets[v + 1]]``, shape [V + 1].
        n_items: Size of the catalogue.
        user_ids: User id of each row, shape [V]; ids of users who do not play are beyond those of all who do.
        validation_targets: The item that follows each row's training items, shape [V]; for selection only,
            never for gradients.
    """

    items: Ints
    offsets: Ints
    n_items: int
    user_ids: Ints
    validation_targets: Ints

    def __len__(self) -> int:
        return self.user_ids.size

    @property
    def popularity(self) -> Ints:
        """How often each item occurs in the training part, shape [n_items + 1]; index 0 is 0."""
        return np.bincount(self.items, minlength=self.n_items + 1).astype(np.int64)

    def history(self, rows: Ints, length: int) -> History:
        """Return the last ``length`` training items of the given rows [D], as items [D, length]."""
        return _window(self.items, self.offsets[rows], self.offsets[rows + 1], length)

    def earlier(self, rows: Ints, known: Ints, length: int) -> tuple[Ints, tuple[Ints, Ints]]:
        """Return what rows [D] had done when they had done ``known`` [D] of their training items.

        Returns:
            The last ``length`` of those, [D, length], 0 pads on the left; and index pairs (position in ``rows``, item) of all.
        """
        starts = self.offsets[rows]
        return _window(self.items, starts, starts + known, length).items, Spans(self.items, starts, starts + known).pairs()

    def seen(self, rows: Ints) -> tuple[Ints, Ints]:
        """Return index pairs (position in ``rows``, item) of all training items of the given rows."""
        return Spans(self.items, self.offsets[rows], self.offsets[rows + 1]).pairs()

    def validation(self) -> tuple[Ints, Ints]:
        """Return (rows [V], targets [V]) for model selection; `history` and `seen` of the rows are the input."""
        return np.arange(len(self)), self.validation_targets

    def digest(self) -> str:
        """Return the sha256 of all that training can depend on."""
        return digest_of(self.n_items, self.items, self.offsets, self.user_ids, self.validation_targets)


@dataclass(frozen=True)
class Split:
    """Histories and targets as a function of (user, round). Round 0 is validation; rounds 1..R are test.

    A target that the user already had before stays a target. An evaluator that masks seen items counts it
    as a miss (it has no rank); `seen` lists such items like any other.

    Attributes:
        log: The whole log.
        rounds: R, the number of held-out items of each user.
        cloud_users: Whether the cloud trained on each user, shape [U].
        past: Users who do not play, whose last item is a validation item: the cloud trains on them too. Item ids are the log's.
        cloud_past: Whether the cloud trained on each of those.
    """

    log: Interactions
    rounds: int
    cloud_users: Bools
    past: Interactions | None = None
    cloud_past: Bools | None = None

    def history(self, user_ids: Ints, round: int, length: int) -> History:
        """Return what each user did before the round's target.

        Args:
            user_ids: Shape [D].
            round: 0 (validation) to R.
            length: Window; the most recent item stands last, 0 pads on the left.

        Returns:
            Items int64 [D, length] and how many are real [D].
        """
        starts, ends = self._span(user_ids, round)
        return _window(self.log.items, starts, ends, length)

    def targets(self, user_ids: Ints, round: int) -> Ints:
        """Return the item that each user of [D] chose next in this round, shape [D]."""
        _, ends = self._span(user_ids, round)
        return self.log.items[ends].astype(np.int64)

    def seen(self, user_ids: Ints, round: int) -> tuple[Ints, Ints]:
        """Return index pairs (row in ``user_ids`` [M], item [M]) of all items before the target, repeats included."""
        return self.spans(user_ids, round).pairs()

    def spans(self, user_ids: Ints, round: int) -> Spans:
        """Return where in the log all items of each user before the target stand."""
        return Spans(self.log.items, *self._span(user_ids, round))

    def known(self, user_ids: Ints) -> Bools:
        """Return whether the cloud trained on each user, shape [D]."""
        return self.cloud_users[user_ids]

    def train_logs(self) -> TrainLogs:
        """Return the training part of the users that the cloud may train on."""
        users = np.flatnonzero(self.cloud_users)
        starts, ends = self._span(users, 0)
        _, items = Spans(self.log.items, starts, ends).pairs()
        lengths, asked = ends - starts, self.targets(users, 0)
        if self.past is not None and self.cloud_past is not None:
            others = np.flatnonzero(self.cloud_past)
            starts, ends = self.past.offsets[others], self.past.offsets[others + 1] - 1
            items = np.concatenate([items, Spans(self.past.items, starts, ends).pairs()[1]])
            lengths, asked = np.concatenate([lengths, ends - starts]), np.concatenate([asked, self.past.items[ends].astype(np.int64)])
            users = np.concatenate([users, self.log.n_users + others])
        offsets = np.zeros(users.size + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        return TrainLogs(items, offsets, self.log.n_items, users, asked)

    def digest(self) -> str:
        """Return the sha256 of all interactions, of users who do not play too: equal for equal data from any source."""
        own = self.log.digest()
        return own if self.past is None else hashlib.sha256(f"{own} {self.past.digest()}".encode()).hexdigest()

    def _span(self, user_ids: Ints, round: int) -> tuple[Ints, Ints]:
        """Return where each user's history of the round begins and ends in the log; the target stands at the end."""
        if not 0 <= round <= self.rounds:
            raise ValueError(f"round {round} is not one of 0 to {self.rounds}")
        users = np.asarray(user_ids, np.int64)
        if users.size and (int(users.min()) < 0 or int(users.max()) >= self.log.n_users):
            raise ValueError(f"user ids must lie in 0 to {self.log.n_users - 1}")
        return self.log.offsets[users], self.log.offsets[users + 1] - self.rounds - 1 + round


def shortest(rounds: int) -> int:
    """Return how many interactions a user needs for ``rounds`` rounds."""
    return rounds + SHORTEST_BESIDES_TARGETS


def drawn_for_cloud(users: int, cloud_share: float, seed: int) -> Bools:
    """Return whom the cloud may train on, [users]: each with probability ``cloud_share``, a pure function of (seed, user id)."""
    return np.asarray(seeds.uniforms(seed, "data.cloud_share", np.arange(users))[:, 0] < cloud_share)


def split(log: Interactions, rounds: int, cloud_share: float, seed: int, past: Interactions | None = None) -> Split:
    """Hold out each user's last ``rounds`` items, and draw which users the cloud may train on.

    Args:
        log: Every user needs ``shortest(rounds)`` interactions or more; `load` drops the others.
        rounds: R, at least 1.
        cloud_share: Probability that the cloud trains on a user, in (0, 1]; see `drawn_for_cloud`.
        seed: The scenario's seed.
        past: Users who do not play, with the log's item ids; the share is drawn among them too.

    Raises:
        DataError: A user is too short, or the share leaves the cloud with no user.
    """
    if rounds < 1:
        raise ValueError("a split needs at least one round")
    needed = shortest(rounds)
    short = np.flatnonzero(log.lengths < needed)
    if short.size or not log.n_users:
        who = f"user {log.user_tokens[short[0]]} has {log.lengths[short[0]]}" if short.size else "there is no user"
        raise DataError(f"{log.source.name}: {rounds} rounds need {needed} interactions of each user; {who}")
    everybody = log.n_users + (past.n_users if past is not None else 0)
    drawn = drawn_for_cloud(everybody, cloud_share, seed)
    cloud_users, cloud_past = drawn[: log.n_users], drawn[log.n_users :]
    if not drawn.any():
        raise DataError(f"data.cloud_share = {cloud_share:g} leaves the cloud none of {everybody} users: raise it")
    return Split(log, rounds, cloud_users, past, cloud_past if past is not None else None)


def _window(items: Items | Ints, starts: Ints, ends: Ints, length: int) -> History:
    """Return the last ``length`` items of each span, left padded with 0."""
    if length < 1:
        raise ValueError("a history window holds at least one item")
    positions = ends[:, None] - length + np.arange(length)
    real = positions >= starts[:, None]
    window = np.where(real, items[np.where(real, positions, 0)], 0).astype(np.int64) if items.size else np.zeros(real.shape, np.int64)
    return History(window, real.sum(axis=1))
