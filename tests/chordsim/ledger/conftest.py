"""Ledger rows that hold every invariant, made from a seed, with any column overridden."""

import numpy as np
import pytest

from chordsim.ledger.columns import OUTCOMES, PER_ROW
from chordsim.ledger.invariants import DOWN_PARTS, UP_PARTS, Moved
from chordsim.ledger.rows import Rows

TIERS = ("low", "mid", "high")


def columns_of(count, seed=0, users=None):
    """Return valid columns: a mix of outcomes, ranks and bytes, as the round loop would hand them over."""
    rng = np.random.default_rng(seed)
    columns = {c.name: rng.integers(0, 1000, count) for c in PER_ROW if c.dtype == "int64"}
    columns |= {c.name: rng.random(count) for c in PER_ROW if c.dtype == "float64"}
    columns["device_id"] = np.cumsum(rng.integers(1, 5, count))
    columns["user_id"] = np.arange(count) if users is None else rng.integers(0, users, count)
    columns["tier"] = rng.integers(0, len(TIERS), count)
    outcome = rng.choice(len(OUTCOMES), count, p=[0.6, 0.15, 0.1, 0.05, 0.05, 0.05])
    served, refused = outcome == 0, outcome == 1
    columns["outcome"] = outcome
    columns["refused_by"] = np.where(refused, rng.integers(1, 3, count), 0)
    columns["binding"] = rng.integers(0, 4, count)
    columns["served_by"] = np.where(served, rng.integers(0, 2, count), 2)
    for part in ("cut_down_bytes", "cut_up_bytes"):
        columns[part] = np.where(served, 0, rng.integers(0, 3, count))
    columns["bootstrap_bytes"] = np.where(rng.random(count) < 0.5, 5000, 0)
    down, up = DOWN_PARTS, UP_PARTS
    for part in ("framing_down_bytes", "framing_up_bytes"):
        columns[part] += 3
    columns["down_bytes"] = sum(columns[part] for part in down) - columns["cut_down_bytes"]
    columns["up_bytes"] = sum(columns[part] for part in up) - columns["cut_up_bytes"]
    columns["wasted_bytes"] = np.where(served | (outcome == 2), 0, columns["down_bytes"])
    rank = np.where(served, rng.integers(2, 40, count) / 2, np.nan)
    columns["rank"], columns["fallback_rank"] = rank, rng.integers(2, 40, count) / 2
    for k in (5, 10):
        columns[f"hr_{k}"] = np.where(np.isnan(rank), np.nan, rank <= k)
        columns[f"ndcg_{k}"] = columns[f"hr_{k}"] / np.log2(1 + rank)
    columns["mrr"] = 1 / rank
    fallback = (columns["fallback_rank"] <= 10) / np.log2(1 + columns["fallback_rank"])
    columns["ndcg_10_all"] = np.where(np.isnan(rank), fallback, columns["ndcg_10"])
    columns["bits_mean"] = np.where(served, 2 * columns["bits_mean"], np.nan)
    columns["plan_age_rounds"] = np.where(served, 1.0, np.nan)
    return columns


def moved_of(rows):
    """Return what an engine must have moved for these rows."""
    bootstrap = int(rows["bootstrap_bytes"].sum())
    return Moved(int(rows["down_bytes"].sum()) - bootstrap, int(rows["up_bytes"].sum()), bootstrap)


@pytest.fixture
def make_columns():
    return columns_of


@pytest.fixture
def make_rows():
    def make(count=50, seed=0, method="chord-plus", round=1, users=None, **overrides):
        return Rows.of(method, round, columns_of(count, seed, users) | overrides, tiers=TIERS)

    return make


@pytest.fixture
def moved():
    return moved_of


def sessions_of(frame):
    """Walk through each phone's life; return first contact, a session without bootstrap, and what came anew."""
    first, each, again = [], [], []
    for _, life in frame.sort_values("round").groupby("device_id"):
        owns = False
        for row in life.itertuples():
            if row.outcome == "served":
                each.append(row.down_bytes + row.up_bytes - row.bootstrap_bytes)
                if owns:
                    again.append(row.bootstrap_bytes)
            if row.bootstrap_bytes and not owns:
                first.append(row.bootstrap_bytes)
                owns = row.down_bytes >= row.bootstrap_bytes
    return (float(np.mean(part)) if part else 0.0 for part in (first, each, again))


@pytest.fixture
def naive_sessions():
    return sessions_of
