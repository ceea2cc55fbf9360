"""RecBole's table against RecBole's two rules by hand: what is masked, and which item is the last one."""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chordsim import api
from chordsim.report.export import table

USERS, ITEMS, LENGTH = 60, 25, 12


def logs() -> list[list[int]]:
    """Return what each user had, in order of time; some items are far more popular, and every fifth user ends on what they had."""
    rng = np.random.default_rng(5)
    likely = 1 / np.arange(1, ITEMS + 1)
    out = [(1 + rng.choice(ITEMS, LENGTH, replace=False, p=likely / likely.sum())).tolist() for _ in range(USERS)]
    return [[*log[:-1], log[0]] if user % 5 == 0 else log for user, log in enumerate(out)]


def by_hand(masked: bool) -> dict[str, float]:
    """Return RecBole's metrics of popularity, counted where the cloud trains: without each user's last two items."""
    counts = Counter(item for log in logs() for item in log[:-2])
    ranks = []
    for *history, target in logs():
        if masked and target in history:
            ranks.append(math.inf)
            continue
        others = [item for item in range(1, ITEMS + 1) if item != target and not (masked and item in history)]
        above = sum(counts[item] > counts[target] for item in others)
        ranks.append(1 + above + sum(counts[item] == counts[target] for item in others) / 2)
    out = {}
    for cut in (5, 10):
        hits = [rank for rank in ranks if rank < cut + 1]
        out |= {f"{name}@{cut}": len(hits) / USERS for name in ("recall", "hit")} | {f"precision@{cut}": len(hits) / USERS / cut}
        out |= {
            f"mrr@{cut}": sum(1 / rank for rank in hits) / USERS,
            f"ndcg@{cut}": sum(1 / math.log2(rank + 1) for rank in hits) / USERS,
        }
    return out


def test_both_rules_give_what_counting_by_hand_gives(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    data = tmp_path / "log.csv"
    lines = [f"{user},{item},5,{at}" for user, log in enumerate(logs()) for at, item in enumerate(log)]
    data.write_text("\n".join(["user,item,rating,timestamp", *lines]) + "\n")
    found = {}
    for masked in (True, False):
        more = ('data.source="file"', f'data.path="{data}"', "rounds.count=1", f"protocol.mask_seen={str(masked).lower()}")
        run = api.run("offline", overrides=tiny(*more, methods=("popularity",)), out=tmp_path / str(masked), report=False)
        assert len(run.ledger) == USERS and (run.ledger.outcome == "served").all()
        found[masked] = json.loads(table(run.path, "recbole"))["popularity"]
        assert found[masked].pop("rule").startswith("history masked" if masked else "history not masked, as RecBole ranks")
        assert found[masked] == pytest.approx(by_hand(masked))
    assert found[True]["ndcg@10"] > 1.2 * found[False]["ndcg@10"], "the two are not one figure"


def last_items(users: np.ndarray, items: np.ndarray, times: np.ndarray) -> dict[int, int]:
    """Return each user's last item by a stable sort, as RecBole sorts, ties in the order of the file."""
    order = np.argsort(times, kind="stable")
    return dict(zip(users[order].tolist(), items[order].tolist(), strict=True))


def test_the_users_whose_test_item_is_another_are_as_many_as_the_table_says(real_data: Path) -> None:
    """Unix seconds need 30 bits, and float32 has 24."""
    with gzip.open(real_data / "ml-100k" / "ml-100k.inter.gz", "rt") as lines:
        users, items, _, times = np.loadtxt(lines, skiprows=1).astype(np.int64).T
    whole = last_items(users, items, times)
    scaled = (times - times.min()) / (times.max() - times.min())
    narrow, of_scaled = (last_items(users, items, values.astype(np.float32)) for values in (times, scaled))
    apart = [sum(found[user] != item for user, item in whole.items()) for found in (of_scaled, narrow)]
    assert apart == [4, 149] and len(whole) == 943
    said = (Path(__file__).parents[3] / "docs" / "ecosystem.md").read_text()
    assert "149 of 943 users" in said and "as RecBole's own settings for that set have it, 4." in said
