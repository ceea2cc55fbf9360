"""Plans from the user and the session's list: whose lists training reads, what plans follow, what a run charges, what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import chordsim
from chordsim.api import RunResult
from chordsim.arrays import Ints
from chordsim.data.retriever import CREDIT, VOTERS, ListForm
from chordsim.data.split import TrainLogs
from chordsim.errors import DataError, ScenarioError
from chordsim.methods import DOWN_PRESCRIPTION, UP_PROFILE
from chordsim.methods.chord.list_reader import ListReader
from chordsim.nets import terms
from chordsim.nets.recommender import Dense
from chordsim.nets.shapes import shapes_of
from chordsim.progress import Silent
from chordsim.scenario.load import load
from chordsim.testing.talk import Talk
from chordsim.wire.codes import decode_codes
from server.fold_lists import FOLDS, FoldLists, folds, without
from server.kept_lists import KeptLists
from server.model_retriever import best
from server.training.sampler import Sampler

SEES = {"sees": "candidates", "list_weight": 0.5}
LISTED = 10


def lists_of(talk: Talk, kind: str, logs: TrainLogs, *, repeat: bool = False) -> FoldLists:
    return FoldLists(talk.context, ListForm(kind, LISTED, repeat), logs, Silent())


def half_of(logs: TrainLogs) -> tuple[Ints, Ints]:
    """All rows, and half of the items of each, at least one."""
    return np.arange(len(logs)), np.maximum(np.diff(logs.offsets) // 2, 1)


def test_the_list_of_a_window_is_counted_in_the_logs_of_other_folds(talk: Callable[..., Talk]) -> None:
    t = talk("chord-plus", SEES)
    logs = t.world.logs
    fold, (rows, known) = folds(logs, FOLDS["counts"], t.context.seed), half_of(logs)
    assert np.bincount(fold, minlength=FOLDS["counts"]).min() >= len(logs) // FOLDS["counts"]
    got = lists_of(t, "counts", logs).earlier(rows, known)
    for row in range(0, len(logs), 11):
        others = [logs.items[logs.offsets[r] : logs.offsets[r + 1]].tolist() for r in rows[fold != fold[row]]]
        popular, near = Counter(item for one in others for item in one), Counter[tuple[int, int]]()
        for one in others:
            for place, credit in enumerate(CREDIT, 1):
                near.update({pair: 0 for pair in zip(one, one[place:], strict=False)})
                for a, b in zip(one, one[place:], strict=False):
                    near[a, b] += credit
                    near[b, a] += credit
        had = logs.items[logs.offsets[row] :][: known[row]].tolist()
        votes: Counter[int] = Counter()
        for back, voter in enumerate(reversed(had[-VOTERS:])):
            votes.update({item: (VOTERS - back) * credit for (before, item), credit in near.items() if before == voter})
        left = [item for item in range(1, logs.n_items + 1) if item not in had]
        assert got[row].tolist() == sorted(left, key=lambda i: (-votes[i], -popular[i], i))[:LISTED]


@pytest.mark.parametrize(("kind", "most"), [("counts", 0), ("model", 1 << 18), ("model", 100)])
def test_what_a_user_did_next_reaches_no_list_of_its_windows(
    kind: str, most: int, talk: Callable[..., Talk], shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Change all that users of one fold do from a window's first target on: their lists stay, and those that serve move.

    However few lists are made.
    """
    monkeypatch.setenv("CHORDSIM_CACHE", str(shared_cache))
    monkeypatch.setattr("server.fold_lists.MOST", most)
    t = talk("chord-plus", SEES)
    logs = t.world.logs
    rows, known = half_of(logs)
    mine = rows[folds(logs, FOLDS[kind], t.context.seed) == 1]
    place = np.arange(logs.items.size) - np.repeat(logs.offsets[:-1], np.diff(logs.offsets))
    later = place >= np.repeat(known, np.diff(logs.offsets))
    later &= np.isin(np.repeat(rows, np.diff(logs.offsets)), mine)
    moved = replace(logs, items=np.where(later, logs.items % logs.n_items + 1, logs.items))
    before, after = lists_of(t, kind, logs), lists_of(t, kind, moved)
    assert later.sum() > mine.size and np.array_equal(before.earlier(mine, known[mine]), after.earlier(mine, known[mine]))
    assert not np.array_equal(before.now(rows), after.now(rows))


@pytest.mark.parametrize("name", ["chord-plus", "chord-swapped"])
def test_a_model_of_others_needs_others(name: str, talk: Callable[..., Talk]) -> None:
    t = talk(name, SEES)
    one = without(t.world.logs, np.arange(len(t.world.logs)) > 0)
    with pytest.raises(
        DataError, match=r'^training reads lists .* of 1 user\(s\) too few have 2 items or more; set protocol\.retriever = "counts"'
    ):
        lists_of(t, "model", one)
    assert lists_of(t, "counts", one).now(np.zeros(1, np.int64)).shape == (1, LISTED)


@pytest.mark.parametrize(("most", "narrow"), [(1 << 18, True), (100, True), (100, False)])
def test_kept_lists_are_the_last_that_were_made_before_a_window(most: int, narrow: bool, talk: Callable[..., Talk]) -> None:
    """A maker that lists the last items it was given shows what each list was made of; whoever is asked for first."""
    logs = talk("chord-plus", SEES).world.logs
    fold, reads, asked = folds(logs, 2, 1), 9, []

    def maker(number: int) -> Any:
        def made(history: Ints, had: tuple[Ints, Ints]) -> Ints:
            asked.append(history.shape)
            wide = np.concatenate([np.zeros((len(history), reads), np.int64), history], 1)
            return np.concatenate([np.full((len(history), 1), number), wide[:, -reads:]], 1)

        return made

    def kept() -> KeptLists:
        return KeptLists(logs, [maker(0), maker(1)], fold, reads + 1, reads, repeat=False, narrow=narrow, most=most)

    one, other = kept(), kept()
    assert one.every == -(-logs.items.size // most)
    rows = np.repeat(np.arange(len(logs)), np.diff(logs.offsets))
    known = np.arange(rows.size) - logs.offsets[rows] + 1
    then = np.maximum(known // one.every * one.every, 1)
    expected = np.concatenate([fold[rows][:, None], logs.earlier(rows, then, reads)[0]], 1)
    assert np.array_equal(one.of(rows, known), expected)
    shapes, last = set(asked), len(asked)
    for row, count in zip(rows[::-7].tolist(), known[::-7].tolist(), strict=True):
        other.of(np.array([row]), np.array([count]))
    # Blocks are the same blocks, and none is made twice; of so few lists, a block holds a long history.
    assert set(asked[last:]) <= shapes and len(asked) - last <= last <= np.diff(logs.offsets).sum() // 64 + len(logs)
    assert (min(width for _, width in shapes) < reads) == (narrow and most > 100)


def test_a_narrow_window_is_the_end_of_a_wide_one(talk: Callable[..., Talk]) -> None:
    context = talk("chord-plus", SEES).context
    shapes, made = shapes_of(context.backbone, context.n_items), torch.Generator().manual_seed(1)
    state = dict(Dense(shapes, 1).state_dict())
    state["position"] = torch.randn(state["position"].shape, generator=made)
    history, nothing = np.zeros((6, context.backbone.max_len), np.int64), np.zeros(0, np.int64)
    history[:, -4:] = torch.randint(1, context.n_items, (6, 4), generator=made).numpy()
    wide, narrow = (best(shapes, state, one, (nothing, nothing), LISTED) for one in (history, history[:, -4:]))
    assert np.array_equal(wide, narrow)


def test_validation_and_serving_have_the_same_lists(talk: Callable[..., Talk]) -> None:
    t = talk("chord-plus", SEES)
    logs = t.world.logs
    served = t.world.listed(logs.user_ids)
    assert np.array_equal(lists_of(t, "counts", logs).now(np.arange(len(logs))), served)
    allowed = lists_of(t, "counts", logs, repeat=True).now(np.arange(len(logs)))
    row, item = logs.seen(np.arange(len(logs)))
    assert (allowed[row] == item[:, None]).any()


def test_training_plans_follow_history_and_list_alone(talk: Callable[..., Talk]) -> None:
    """Change what the loss asks for, and what stands between: plans stay; other lists move them."""
    t = loud(talk("chord-plus", SEES))
    logs, model, seen = t.world.logs, t.cloud._restore(t.state), list[torch.Tensor]()
    sampler = Sampler(logs, 20, model.horizon, np.random.default_rng(3), lists=lists_of(t, "counts", logs))
    windows, original = sampler.draw(32), model.codes
    assert windows.listed is not None

    def spy(utilities: torch.Tensor, bits: torch.Tensor) -> Any:
        seen.append(utilities)
        return original(utilities, bits)

    model.codes = spy
    moved = replace(windows, inputs=windows.inputs % 50 + 1, targets=torch.where(windows.targets > 0, windows.targets % 50 + 1, 0))
    for one in (windows, moved, replace(windows, listed=windows.listed.flip(0))):
        with torch.no_grad():
            model.states(one, 0.0, torch.Generator().manual_seed(1))
    assert torch.equal(seen[0], seen[1]) and not torch.allclose(seen[0], seen[2], atol=1e-4)


def loud(t: Talk) -> Talk:
    """Return the talk with a state that three steps of training have moved far: what starts near nothing does something."""
    made = torch.Generator().manual_seed(1)
    return replace(t, state={**t.state, "reader.head.weight": torch.randn(t.state["reader.head.weight"].shape, generator=made) / 8})


def codes(t: Talk, **changed: Any) -> Ints:
    legs = t.exchange(replace(t.who, **changed))
    sizes = t.spec.sizes(t.context, t.who)
    for leg in (UP_PROFILE, DOWN_PRESCRIPTION):
        assert (legs[leg].payload.lengths[t.who.active] == sizes[leg][t.who.active]).all()
    return decode_codes(legs[DOWN_PRESCRIPTION].payload, t.device.shapes.channels)[0][t.who.active].astype(np.int64)


@pytest.mark.parametrize("name", ["chord-plus", "chord"])
def test_a_plan_follows_its_own_list_and_nobody_elses(name: str, talk: Callable[..., Talk]) -> None:
    t = loud(talk(name, SEES))
    listed = t.who.listed
    assert listed is not None
    own, others = codes(t), codes(t, listed=listed[::-1].copy())
    assert (own != others).any()
    one = listed.copy()
    one[2] = listed[3]
    changed = codes(t, listed=one) != own
    assert changed[2].any() and not np.delete(changed, 2, 0).any()
    # A list is a set for the attention, whatever its order; a list of nothing is no crash.
    assert (codes(t, listed=listed[:, ::-1].copy()) == own).mean() > 0.99
    assert codes(t, listed=np.zeros_like(listed)).shape == own.shape


def test_what_reads_lists_is_the_equations(talk: Callable[..., Talk]) -> None:
    generator = torch.Generator().manual_seed(1)
    reader, table, user = ListReader(8, 6, generator), torch.randn(20, 8, generator=generator), torch.randn(2, 6, generator=generator)
    listed = torch.tensor([[3, 7, 1, 0], [5, 2, 0, 0]])
    got = reader(user, listed, table)
    for d in range(2):
        x = table[listed[d][listed[d] > 0]]
        x = (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
        pooled = torch.softmax(x @ reader.query.weight @ user[d] / 8**0.5, 0) @ x
        told = torch.cat([user[d], pooled, x.std(0, correction=0)])
        told = (told - told.mean()) / (told.var(correction=0) + 1e-5).sqrt()
        joined = user[d] + reader.head(torch.relu(reader.inner(told)))
        assert torch.allclose(got[d], (joined - joined.mean()) / (joined.var(correction=0) + 1e-5).sqrt(), atol=1e-4)


def test_the_order_of_a_list_is_learnt_from() -> None:
    """The term is a divergence: zero where scores have the wanted chances, and it falls along its gradient."""
    listed = torch.tensor([[3, 1, 2, 0]])
    item = torch.eye(4)[:, :3].roll(1, 0) * 0
    item[1:] = torch.eye(3)
    wanted = torch.tensor([1.0, 1 / 2, 1 / 3])
    states = torch.zeros(1, 2, 3)
    states[0, 1, [2, 0, 1]] = wanted.log()
    places = torch.tensor([1])
    assert terms.listed_order(states, item, places, listed).item() == pytest.approx(0, abs=1e-6)
    flat = torch.zeros(1, 2, 3, requires_grad=True)
    loss = terms.listed_order(flat, item, places, listed)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx((wanted / wanted.sum() * (wanted / wanted.sum() * 3).log()).sum().item(), abs=1e-6)
    assert flat.grad is not None and flat.grad[0, 0].abs().sum() == 0
    assert flat.grad[0, 1].argmin() == 2


HARD = (
    "backbone.items=cached",
    "backbone.embedding_bits=by-frequency",
    "protocol.ranking=candidates",
    f"protocol.candidates={LISTED}",
    "protocol.retriever=model",
    "clock.loss=0.1",
)
_RUNS: dict[str, RunResult] = {}


@pytest.fixture
def runs(tiny: Callable[..., list[str]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunResult]:
    """The same scenario with plans from the user, from lists too, and these with other cells, workers and shared work."""
    if not _RUNS:
        sees = ("settings.chord-plus.sees=candidates", "settings.chord-plus.list_weight=0.5")
        cut = ("engine.cells=3", "engine.workers=2", "engine.share_equal=true")
        for name, more in {"user": (), "candidates": sees, "cut": (*sees, *cut)}.items():
            overrides = tiny(*HARD, *more, methods=("chord-plus",))
            _RUNS[name] = chordsim.run("offline", overrides=overrides, out=tmp_path_factory.mktemp(name) / "run", report=False)
    return _RUNS


def test_a_run_has_one_ledger_and_costs_the_link_nothing(runs: dict[str, RunResult]) -> None:
    assert runs["candidates"].manifest["ledger_sha256"] == runs["cut"].manifest["ledger_sha256"]
    one, other = (runs[name].ledger.set_index(["round", "device_id"]).sort_index() for name in ("user", "candidates"))
    link = [name for name in one.columns if name.endswith("_bytes") and name not in ("peak_memory_bytes", "model_bytes")]
    assert len(link) > 8 and one[link].equals(other[link])
    served = other.outcome == "served"
    assert served.any() and (other.cloud_macs[served] > one.cloud_macs[served]).all()


@pytest.mark.slow
def test_the_engine_on_ray_changes_nothing(runs: dict[str, RunResult], tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    sees = ("settings.chord-plus.sees=candidates", "settings.chord-plus.list_weight=0.5")
    ray = chordsim.run("offline", overrides=tiny(*HARD, *sees, methods=("chord-plus",)), engine="ray", workers=2, out=tmp_path / "ray")
    assert ray.manifest["ledger_sha256"] == runs["candidates"].manifest["ledger_sha256"]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["settings.chord-plus.sees=candidates"], 'settings.chord-plus reads what the cloud lists, and protocol.ranking = "all"'),
        (["settings.chord-plus.list_weight=0.1"], 'protocol.ranking = "all" has no lists: set it to "candidates"'),
        (["settings.chord-shared.sees=candidates", "protocol.ranking=candidates"], 'not with planner = "shared"'),
        (["settings.chord-plus.sees=nobody"], 'settings.chord-plus.sees: must be "user" or "candidates"'),
    ],
)
def test_what_contradicts_is_one_line(overrides: list[str], words: str, tiny: Callable[..., list[str]]) -> None:
    with pytest.raises(ScenarioError) as caught:
        load("offline", tiny(*overrides, methods=("chord-plus", "chord-shared")))
    assert words in str(caught.value) and "\n" not in str(caught.value)
