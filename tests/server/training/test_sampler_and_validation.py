"""Windows show a plan nothing that the loss asks for; validation is the naive ranking of one item per user."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from chordsim import evaluate
from chordsim.arrays import Ints
from chordsim.config.model import ProtocolConfig, SyntheticConfig, TrainingConfig
from chordsim.data.retriever import VOTERS, Counts
from chordsim.data.split import TrainLogs, split
from chordsim.data.synthetic import generate
from chordsim.errors import RunError
from chordsim.nets.windows import Windows
from chordsim.progress import Silent
from clients.fusion import Fused
from server.training.fit import fit
from server.training.sampler import Sampler
from server.training.validation import Validation


@pytest.fixture(scope="module")
def logs() -> TrainLogs:
    made = generate(SyntheticConfig(users=30, items=40, groups=4, mean_length=18.0), 3, 6)
    return split(made, 3, 1.0, 3).train_logs()


@pytest.mark.parametrize(("length", "horizon", "reach"), [(8, 3, 0), (8, 8, 0), (4, 12, 0), (30, 1, 0), (8, 3, 30), (4, 12, 6)])
def test_windows_are_cut_as_a_loop_would_cut_them(logs: TrainLogs, length: int, horizon: int, reach: int) -> None:
    """Places of items are told apart by numbering them, so every window says where it was cut."""
    numbered = TrainLogs(np.arange(1, logs.items.size + 1), logs.offsets, logs.items.size, logs.user_ids, logs.validation_targets)
    got = Sampler(numbered, length, horizon, np.random.default_rng(1), reach=reach).draw(200)
    ends = set()
    for inputs, targets, history in zip(*(t.tolist() for t in (got.inputs, got.targets, got.history)), strict=True):
        last = targets[-1] - 1
        user = int(np.searchsorted(logs.offsets, last, side="right")) - 1
        first = int(logs.offsets[user])
        place = last - first
        sequence = list(range(first + 1, last + 2))
        assert place >= 1

        def cut(items: list[int], length: int = length) -> list[int]:
            return ([0] * length + items)[-length:]

        asked = min(horizon, place, length)
        assert inputs == cut(sequence[:-1])
        assert targets == [0] * (length - asked) + sequence[-asked:]
        before = sequence[: -min(horizon, place)]
        assert history == cut(before, reach or length)
        assert not set(history) & {t for t in targets if t}
        ends.add(last)
    assert len(ends) > 50


def test_windows_reach_every_place_and_no_validation_item(logs: TrainLogs) -> None:
    marked = TrainLogs(np.arange(1, logs.items.size + 1), logs.offsets, logs.items.size, logs.user_ids, logs.validation_targets)
    sampler = Sampler(marked, 6, 2, np.random.default_rng(2))
    seen = {int(t) for _ in range(60) for t in sampler.draw(64).targets.flatten() if t}
    assert seen == set(range(1, logs.items.size + 1)) - {int(o) + 1 for o in logs.offsets[:-1]}


@pytest.mark.parametrize("latest_of", [1, 2, 5, 1000])
def test_a_window_ends_at_the_latest_of_so_many_places_drawn_uniformly(latest_of: int) -> None:
    places, windows = 10, 20_000
    one = TrainLogs(np.arange(1, places + 2), np.array([0, places + 1]), places + 1, np.array([0]), np.array([1]))
    got = Sampler(one, 4, 2, np.random.default_rng(3), latest_of).draw(windows).targets[:, -1].numpy() - 1
    naive = np.random.default_rng(4).integers(1, places + 1, (windows, latest_of)).max(1)
    counts = [np.bincount(ends, minlength=places + 1)[1:] / windows for ends in (got, naive)]
    assert np.abs(counts[0] - counts[1]).max() < 0.015
    assert got.min() >= 1 and got.max() == places


def test_targets_may_change_without_moving_what_a_plan_sees(logs: TrainLogs) -> None:
    """Change every item that the loss asks for, and all that follow: histories stay as they were."""
    sampler = [Sampler(logs, 8, 3, np.random.default_rng(5)), None]
    first = sampler[0].draw(300)  # type: ignore[union-attr]
    changed = TrainLogs((logs.items + 7) % logs.n_items + 1, logs.offsets, logs.n_items, logs.user_ids, logs.validation_targets)
    other = Sampler(changed, 8, 3, np.random.default_rng(5)).draw(300)
    moved = {int(a): int(b) for a, b in zip(first.history.flatten(), other.history.flatten(), strict=True)}
    # The same places are cut whatever the items are: histories map item by item.
    assert all(b == ((a + 7) % logs.n_items + 1 if a else 0) for a, b in moved.items())


class Scorer(nn.Module):
    """A recommender whose state is the mean of its history's embeddings."""

    horizon = 4

    def __init__(self, n_items: int, spread: float = 1.0) -> None:
        super().__init__()
        made = torch.Generator().manual_seed(6)
        # Few distinct values make ties.
        self.item = nn.Parameter((torch.randint(-2, 3, (n_items + 1, 3), generator=made) * spread).float())

    def groups(self, lr: float, plan_lr: float) -> list[dict[str, Any]]:
        return [{"params": [self.item], "lr": lr}]

    def states(self, windows: Windows, dropout: float, noise: torch.Generator) -> Tensor:
        return self.item[windows.inputs]

    def last_states(self, items: Tensor) -> Tensor:
        return self.item[items[:, -1]]

    def item_as_shipped(self) -> Tensor:
        return self.item.detach()


@pytest.mark.parametrize("users", [1000, 11])
def test_validation_is_the_naive_mean_over_users(logs: TrainLogs, users: int) -> None:
    model = Scorer(logs.n_items)
    made = Validation.of(logs, 6, users, 1)
    got, total, count = made.ndcg_10(model), 0.0, 0
    chosen = range(len(logs)) if users > len(logs) else None
    rows = (
        list(chosen)
        if chosen is not None
        else [
            next(
                v
                for v in range(len(logs))
                if logs.items[logs.offsets[v] : logs.offsets[v + 1]].tolist() == made.seen_items[made.seen_rows == n].tolist()
            )
            for n in range(users)
        ]
    )
    for v in rows:
        had = logs.items[logs.offsets[v] : logs.offsets[v + 1]]
        scores = (model.item @ model.item[int(had[-1])]).detach().numpy()
        target = int(logs.validation_targets[v])
        left = [i for i in range(1, logs.n_items + 1) if i not in set(had.tolist()) and i != target]
        rank = 1 + sum(scores[i] > scores[target] for i in left) + 0.5 * sum(scores[i] == scores[target] for i in left)
        total += 0.0 if target in had else (1 / math.log2(rank + 1) if rank < 11 else 0.0)
        count += 1
    assert count == min(users, len(logs)) and got == pytest.approx(total / count, abs=1e-6)


def test_validation_and_the_evaluator_agree(logs: TrainLogs) -> None:
    model = Scorer(logs.n_items)
    scores = (model.item[logs.history(np.arange(len(logs)), 1).items[:, 0]] @ model.item.T).detach().numpy().copy()
    ranks = evaluate.rank_scores(scores, logs.validation_targets, logs.seen(np.arange(len(logs))), ProtocolConfig(), (1, logs.user_ids, 0))
    expected = evaluate.metrics(ranks, logs.n_items)["ndcg_10"].mean()
    assert Validation.of(logs, 6, 1000, 1).ndcg_10(model) == pytest.approx(expected, abs=1e-6)


def test_validation_compares_with_embeddings_as_shipped(logs: TrainLogs) -> None:
    class Shipped(Scorer):
        def item_as_shipped(self) -> Tensor:
            return torch.round(self.item.detach())

    model, plain = Shipped(logs.n_items, spread=0.37), Scorer(logs.n_items, spread=0.37)
    with torch.no_grad():
        model.item += torch.randn(model.item.shape, generator=torch.Generator().manual_seed(8))
        state = model.item.clone()
        plain.item.copy_(state)
    had = logs.history(np.arange(len(logs)), 1).items[:, 0]
    scores = (state[had] @ torch.round(state).T).numpy().copy()
    ranks = evaluate.rank_scores(scores, logs.validation_targets, logs.seen(np.arange(len(logs))), ProtocolConfig(), (1, logs.user_ids, 0))
    expected = evaluate.metrics(ranks, logs.n_items)["ndcg_10"].mean()
    made = Validation.of(logs, 6, 1000, 1)
    assert made.ndcg_10(model) == pytest.approx(expected, abs=1e-6) and made.ndcg_10(model) != made.ndcg_10(plain)


def test_validation_of_lists_is_what_phones_show_of_them(logs: TrainLogs) -> None:
    class Reads(Scorer):
        def last_states(self, items: Tensor, listed: Tensor | None = None) -> Tensor:
            return super().last_states(items)

    class Lists:
        def earlier(self, rows: Ints, known: Ints) -> Ints:
            history, had = logs.earlier(rows, known, VOTERS)
            return Counts(logs, 15).listed(history, had)

        def now(self, rows: Ints) -> Ints:
            return self.earlier(rows, np.diff(logs.offsets)[rows])

    model, everybody = Reads(logs.n_items), np.arange(len(logs))
    with torch.no_grad():
        model.item += torch.randn(model.item.shape, generator=torch.Generator().manual_seed(8))
    listed = Lists().now(everybody)
    scores = (model.item[logs.history(everybody, 1).items[:, 0]] @ model.item.T).detach().numpy().copy()

    class Own:
        def of(self, items: Ints) -> npt.NDArray[np.float32]:
            return np.asarray(np.take_along_axis(scores, items, 1))

    def ndcg(shown: npt.NDArray[np.float32]) -> float:
        spread = np.full_like(scores, -1e9)
        np.put_along_axis(spread, listed, shown, 1)
        ways = (ProtocolConfig(ranking="candidates"), (1, logs.user_ids, 0), listed)
        ranks = evaluate.rank_scores(spread, logs.validation_targets, logs.seen(everybody), *ways)
        return float(evaluate.metrics(ranks, logs.n_items)["ndcg_10"].mean())

    got = Validation.of(logs, 6, 1000, 1, Lists()).orders(model)
    assert got["listed"] == pytest.approx(ndcg(Own().of(listed)), abs=1e-6) and got["listed"] > 0
    assert got["fused"] == pytest.approx(ndcg(Fused(Own()).of(listed)), abs=1e-6) and got["fused"] != got["listed"]


def test_scores_that_are_no_numbers_do_not_win(logs: TrainLogs) -> None:
    model = Scorer(logs.n_items)
    with torch.no_grad():
        model.item.fill_(torch.nan)
    assert Validation.of(logs, 6, 1000, 1).ndcg_10(model) == 0.0


def _fit(logs: TrainLogs, model: Scorer, **config: object) -> dict[str, Tensor]:
    settings = {"max_steps": 6, "batch": 8, "eval_every": 2, "threads": 1, **config}
    return fit(model, logs, TrainingConfig(**settings), 6, 1, "toy", Silent())  # type: ignore[arg-type]


def test_a_training_that_diverges_stops_with_one_clear_line(logs: TrainLogs) -> None:
    with pytest.raises(RunError, match=r"training of toy diverged at step \d+: use a smaller training.lr"):
        _fit(logs, Scorer(logs.n_items, spread=1e30))


def test_training_is_a_function_of_its_seed_and_keeps_the_best_state(logs: TrainLogs) -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(1)
    first = _fit(logs, Scorer(logs.n_items))
    torch.manual_seed(2)
    again = _fit(logs, Scorer(logs.n_items))
    assert torch.get_num_threads() == threads
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert int(first["trained.steps"]) == 6
    kept = Scorer(logs.n_items)
    kept.load_state_dict({"item": first["item"]})
    assert Validation.of(logs, 6, 2000, 1).ndcg_10(kept) == pytest.approx(float(first["trained.ndcg_10"]), abs=1e-9)


def test_patience_ends_training_early(logs: TrainLogs) -> None:
    stuck = _fit(logs, Scorer(logs.n_items), max_steps=100, lr=1e-9, patience=2)
    assert int(stuck["trained.steps"]) == 6


def test_no_steps_keep_the_first_state(logs: TrainLogs) -> None:
    start = Scorer(logs.n_items)
    before = start.item.detach().clone()
    assert torch.equal(_fit(logs, start, max_steps=0)["item"], before)


def test_a_log_without_a_single_step_cannot_be_sampled() -> None:
    one = TrainLogs(np.array([1, 2]), np.array([0, 1, 2]), 3, np.array([0, 1]), np.array([3, 3]))
    with pytest.raises(ValueError, match="no user has two items"):
        Sampler(one, 4, 2, np.random.default_rng(0))
