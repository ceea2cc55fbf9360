"""The untrained rules: against plain counting, and against known figures of real data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chordsim.config.model import DataConfig
from chordsim.data.load import load
from chordsim.data.split import Split, TrainLogs
from tests.chordsim.data import rules


@given(st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=9), min_size=1, max_size=6), st.lists(st.integers(0, 6), max_size=5))
def test_rules_against_plain_counting(sequences: list[list[int]], last: list[int]) -> None:
    offsets = np.concatenate([[0], np.cumsum([len(s) for s in sequences])])
    users = np.arange(len(sequences))
    logs = TrainLogs(np.concatenate(sequences).astype(np.int64), offsets, 6, users, users)
    counts = Counter(i for s in sequences for i in s)
    popular = rules.popularity_scores(logs)
    assert popular[0] == -np.inf and list(popular[1:]) == [counts[i] for i in range(1, 7)]
    after = Counter(pair for s in sequences for pair in zip(s, s[1:], strict=False))
    scores = rules.markov_scores(logs, np.array(last, np.int64))
    for row, item in zip(scores, last, strict=True):
        assert row[0] == -np.inf
        assert [int(x) for x in row[1:]] == [after[item, i] for i in range(1, 7)]
        keys = [(after[item, i], counts[i]) for i in range(1, 7)]
        for i in range(6):
            for j in range(6):
                assert (row[1 + i] > row[1 + j]) == (keys[i] > keys[j]), "ties go by popularity, and only by that"


def full_ranking(held: Split, rule: str, round: int = 1) -> tuple[float, ...]:
    """HR@5, NDCG@5, HR@10 and NDCG@10 over all items: seen items masked, a seen target a miss, ties in the middle.

    The known figures count a target as a hit at k if its middle rank from 0 is below k, so a tie that ends at
    rank 10.5 from 1 is a hit at 10. That half rank is worth 2 of 943 users of ML-100K.
    """
    logs = held.train_logs()
    table = rules.Transitions.of(logs)
    ranks = []
    for users in np.array_split(np.arange(held.log.n_users), max(1, held.log.n_users // 500)):
        last = held.history(users, round, 1).items[:, 0]
        scores = rules.markov_scores(logs, last, table) if rule == "markov" else np.tile(table.popularity, (users.size, 1))
        targets = held.targets(users, round)
        rows, items = held.seen(users, round)
        scores[rows, items] = -np.inf
        own = scores[np.arange(users.size), targets][:, None]
        from_0 = (scores > own).sum(axis=1) + ((scores == own).sum(axis=1) - 1) / 2
        ranks.append(np.where(np.isfinite(own[:, 0]), from_0, np.inf))
    rank = np.concatenate(ranks)
    gain = 1 / np.log2(rank + 2)
    return tuple(float(figure.mean()) for k in (5, 10) for figure in (rank < k, np.where(rank < k, gain, 0)))


KNOWN = {
    "ml-100k": (943, 1682, 100_000, (0.0583, 0.0357, 0.0859, 0.0442), (0.0944, 0.0607, 0.1453, 0.0769)),
    "ml-1m": (6040, 3416, 999_611, (0.0219, 0.0138, 0.0394, 0.0194), (0.1364, 0.0944, 0.1919, 0.1122)),
    "yelp": (30_431, 20_033, 316_354, (0.0056, 0.0036, 0.0095, 0.0049), (0.0137, 0.0090, 0.0203, 0.0111)),
    "amazon-beauty": (40_226, 54_542, 353_962, (0.0042, 0.0023, 0.0078, 0.0035), (0.0341, 0.0260, 0.0426, 0.0287)),
    "amazon-cds": (17_052, 35_118, 472_265, (0.0028, 0.0018, 0.0053, 0.0026), (0.0282, 0.0201, 0.0388, 0.0235)),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in ("ml-100k", "ml-1m") else pytest.mark.slow) for n in KNOWN])
def test_known_figures_of_real_data(real: Path, name: str) -> None:
    users, items, rows, popular, markov = KNOWN[name]
    log, held = load(DataConfig(source=name), rounds=1, seed=1)
    assert (log.n_users, log.n_items, log.items.size) == (users, items, rows)
    assert full_ranking(held, "popular") == pytest.approx(popular, abs=5.1e-5)
    assert full_ranking(held, "markov") == pytest.approx(markov, abs=5.1e-5)


def test_the_publishers_form_of_ml_100k_is_the_same_log(real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    text = gzip.decompress((real / "ml-100k/ml-100k.inter.gz").read_bytes())
    (tmp_path / "ml-100k").mkdir()
    (tmp_path / "ml-100k/u.data").write_bytes(text.partition(b"\n")[2])
    digests = []
    for folder in (real, tmp_path):
        monkeypatch.setenv("CHORDSIM_DATA", str(folder))
        log, held = load(DataConfig(), rounds=3, seed=1)
        digests.append((log.digest(), held.train_logs().digest()))
    assert log.source.path == "ml-100k/u.data" and digests[0] == digests[1]


def test_structure_of_synthetic_data_can_be_learnt() -> None:
    _, held = load(DataConfig(source="synthetic"), rounds=1, seed=1)
    popular, markov = full_ranking(held, "popular"), full_ranking(held, "markov")
    assert markov[3] > 2 * popular[3] and popular[2] > 2 * 10 / 300
