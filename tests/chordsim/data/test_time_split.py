"""One cut for everybody: nothing that the cloud sees happened after it, and who plays is who a loop over users says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from chordsim.config.model import DataConfig, Scenario
from chordsim.data.interactions import Interactions, SourceInfo
from chordsim.data.load import load
from chordsim.data.raw import RawLog
from chordsim.data.retriever import Retriever
from chordsim.data.split import Split, split
from chordsim.data.time_split import at_one_time
from chordsim.errors import DataError
from chordsim.evaluate import describe


def made(rows: list[tuple[int, int, int]]) -> Interactions:
    users, items, times = (np.array(column) for column in zip(*rows, strict=True))
    names, codes = np.unique(users.astype(str), return_inverse=True)
    words, ids = np.unique(items.astype(str), return_inverse=True)
    return RawLog(codes, names, ids, words, None, times.astype(np.float64)).to_interactions(SourceInfo("made", "", "file", "", 0, 0))


def told(log: Interactions) -> dict[str, list[tuple[int, str]]]:
    """Each user's (time, item) by names, in order."""
    names = log.item_tokens[log.items]
    cut = log.offsets[1:-1]
    assert log.timestamps is not None
    return {
        str(user): list(zip(times.tolist(), items.tolist(), strict=True))
        for user, times, items in zip(log.user_tokens, np.split(log.timestamps, cut), np.split(names, cut), strict=True)
    }


def held_of(rows: list[tuple[int, int, int]], cloud_share: float = 1.0) -> Split:
    played, past = at_one_time(made(rows), 2, 0.7)
    return split(played, 2, cloud_share, 1, past)


logs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 9), st.integers(0, 30)), min_size=25, max_size=90)


@given(logs, st.integers(1, 3), st.sampled_from([0.3, 0.5, 0.8]))
@settings(max_examples=150)
def test_who_plays_what_is_the_naive_loop(rows: list[tuple[int, int, int]], rounds: int, share: float) -> None:
    log = made(rows)
    cut = sorted(time for _, _, time in rows)[int(share * len(rows))]
    players, past = {}, {}
    for user, events in told(log).items():
        early, late = [e for e in events if e[0] < cut], [e for e in events if e[0] >= cut]
        if len(early) >= 3 and len(late) >= rounds:
            players[user] = [*early, *late[:rounds]]
        elif len(early) >= 3:
            past[user] = early
    if not players:
        with pytest.raises(DataError, match="leaves nobody"):
            at_one_time(log, rounds, share)
        return
    played, alone = at_one_time(log, rounds, share)
    assert told(played) == players and (told(alone) if alone else {}) == past
    if alone is not None:
        assert np.array_equal(played.item_tokens, alone.item_tokens)
    held = split(played, rounds, 1.0, 1, alone)
    everyone, order = np.arange(played.n_users), list(players.values())
    for round in range(1, rounds + 1):
        assert played.item_tokens[held.targets(everyone, round)].tolist() == [e[len(e) - rounds - 1 + round][1] for e in order]
    # The cloud sees, of everybody, what came before the cut; the last of it is for validation.
    known = held.train_logs()
    seen = [played.item_tokens[known.items[a:b]].tolist() for a, b in zip(known.offsets[:-1], known.offsets[1:], strict=True)]
    asked = played.item_tokens[known.validation_targets].tolist()
    early = [[item for time, item in e if time < cut] for e in (*order, *past.values())]
    assert [[*s, a] for s, a in zip(seen, asked, strict=True)] == early
    assert len(set(known.user_ids.tolist())) == len(known) and (known.user_ids[: played.n_users] == everyone).all()


def test_nothing_after_the_cut_moves_what_the_cloud_sees() -> None:
    draw = np.random.default_rng(5)
    rows = [(int(u), int(i), int(t)) for u, i, t in draw.integers(0, (30, 20, 99), (900, 3))]
    cut = sorted(t for _, _, t in rows)[int(0.7 * 900)]
    moved = [(u, (i + 1) % 20 if t >= cut else i, t) for u, i, t in rows]
    one, two = held_of(rows), held_of(moved)
    assert one.train_logs().digest() == two.train_logs().digest()
    assert one.digest() != two.digest()
    users = np.arange(one.log.n_users)
    lists = [Retriever(held.train_logs(), users.size, 100, repeat=False).listed(users) for held in (one, two)]
    assert np.array_equal(*lists)


def test_a_share_of_all_users_stays_unknown_to_the_cloud() -> None:
    draw = np.random.default_rng(6)
    # Half of them stop before the cut.
    rows = [(int(u), int(i), int(t + 60 * (u % 2))) for u, i, t in draw.integers(0, (200, 20, 60), (6000, 3))]
    held, whole = held_of(rows, 0.5), held_of(rows)
    assert held.past is not None and 0.3 < len(held.train_logs()) / len(whole.train_logs()) < 0.7
    assert 0 < held.cloud_users.sum() < held.log.n_users


def test_the_digest_tells_who_is_trained_on_alone() -> None:
    rows = [(u, i, 10 * i + u) for u in range(4) for i in range(9)]
    quiet = [(9, i, i) for i in range(5)]
    one, two = held_of([*rows, *quiet]), held_of([*rows, *[(9, 4 - i, t) for _, i, t in quiet]])
    assert one.log.digest() == two.log.digest() and one.digest() != two.digest()


def test_data_without_time_stamps_say_what_would_do(tmp_path: Path, log_of: Callable[..., Interactions]) -> None:
    with pytest.raises(DataError, match=r'made: data.split = "global-time" needs time stamps.*data.split = "last"'):
        at_one_time(log_of([("a", n) for n in range(9)]), 1, 0.8)
    with pytest.raises(DataError, match="needs time stamps"):
        load(DataConfig(source="synthetic", split="global-time"), 1, 1)
    path = tmp_path / "walk.txt"
    path.write_text("\n".join(f"{u} {' '.join(str(n) for n in range(1, 9))}" for u in range(1, 8)))
    with pytest.raises(DataError, match=r"walk\.txt: data\.split"):
        load(DataConfig(source="file", path=str(path), format="seq", split="global-time"), 1, 1)


def test_one_second_for_all_leaves_nobody(tmp_path: Path) -> None:
    path = tmp_path / "now.csv"
    path.write_text("user,item,rating,timestamp\n" + "\n".join(f"{u},{i},1,7" for u in range(9) for i in range(9)))
    with pytest.raises(DataError, match="leaves nobody with 3 before it and 1 after"):
        load(DataConfig(source="file", path=str(path), split="global-time"), 1, 1)


@pytest.mark.parametrize("values", [{"train_share": 0.5}, {"split": "global-time", "train_share": 1.0}, {"split": "time"}])
def test_settings_that_make_no_split(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DataConfig(**values)


def test_the_protocol_tells_the_splits_apart() -> None:
    words = [describe(Scenario(data=DataConfig(split=s, train_share=0.8)))["hold_out"] for s in ("last", "global-time")]
    assert words[0] != words[1] and "0.8 of the interactions" in words[1]


def test_ml_100k_has_users_on_both_sides(real: Path) -> None:
    log, held = load(DataConfig(source="ml-100k", split="global-time"), 3, 1)
    assert log.n_users == 93 and held.past is not None and held.past.n_users == 657
    known = held.train_logs()
    assert len(known) == 750
    assert any("users play" in note for note in log.source.notes)
