"""Run directories made by hand: any users, methods and accuracies, without playing a round."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chordsim.ledger.columns import PER_ROW, SCHEMA_VERSION
from chordsim.ledger.digest import rows_digest
from chordsim.ledger.parquet import write_rows
from chordsim.ledger.rows import Rows

TIERS = ("low", "mid", "high")
SCENARIO = 'name = "made"\nseed = 1\nmethods = [{methods}]\n[population.tiers.low]\n[population.tiers.mid]\n[population.tiers.high]\n'


def columns_of(users: np.ndarray, ndcg: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Return columns of one method's round: `ndcg` by row, NaN for a phone that was refused."""
    count, rng = users.size, np.random.default_rng(seed)
    columns = {c.name: rng.integers(1, 100, count) for c in PER_ROW if c.dtype == "int64"}
    columns |= {c.name: rng.random(count) + 0.1 for c in PER_ROW if c.dtype == "float64"}
    served = ~np.isnan(ndcg)
    for name in ("ndcg_10", "hr_10", "hr_5", "ndcg_5", "mrr", "bits_mean"):
        columns[name] = np.where(served, ndcg, np.nan)
    columns["rank"] = np.where(served, rng.integers(1, 30, count), np.nan)
    columns["ndcg_10_all"] = np.where(served, ndcg, 0.01)
    columns["plan_age_rounds"] = np.where(served, 0.0, np.nan)
    columns |= {
        "device_id": np.arange(count),
        "user_id": users,
        "tier": np.array(TIERS)[np.arange(count) % 3],
        "outcome": np.where(served, "served", "refused"),
        "served_by": np.where(served, "fresh", "fallback"),
        "refused_by": np.where(served, "none", "cloud"),
        "binding": np.where(served, "none", "memory"),
    }
    return columns


def write_run(
    path: Path,
    methods: dict[str, list[np.ndarray]],
    *,
    users: np.ndarray | None = None,
    digest: str = "d" * 16,
    ranking: str = "all items",
    status: str = "complete",
    schema: int = SCHEMA_VERSION,
) -> Path:
    """Write a run directory.

    Args:
        path: Where.
        methods: Per method one array of NDCG@10 by user for each round, NaN where the user was refused.
        users: Whose rows these are; by default 0, 1, 2 and so on.
        digest: Of the data, for the manifest.
        ranking: Of the protocol, for the manifest.
        status: For the manifest.
        schema: For the manifest.
    """
    (path / "ledger").mkdir(parents=True)
    for method, rounds in methods.items():
        for number, ndcg in enumerate(rounds, 1):
            ids = np.arange(ndcg.size) if users is None else users
            rows = Rows.of(method, number, columns_of(ids, ndcg, number))
            write_rows(path / "ledger", rows, rows_digest(rows))
    manifest = {
        "schema_version": schema,
        "scenario": "made",
        "seed": 1,
        "status": status,
        "data": {"name": "made", "digest": digest},
        "protocol": {"ranking": ranking, "rounds": max(len(r) for r in methods.values())},
        "versions": {"chordsim": "0.1.0"},
    }
    (path / "manifest.json").write_text(json.dumps(manifest))
    (path / "scenario.toml").write_text(SCENARIO.format(methods=", ".join(f'"{m}"' for m in methods)))
    return path


@pytest.fixture(scope="session")
def made_run() -> Callable[..., Path]:
    """Return the maker of run directories."""
    return write_run


@pytest.fixture(scope="session")
def played_run(tiny_overrides: Callable[..., list[str]], shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a real run of the six methods, tiny, with its report; chord-shared has codes for groups. Not to be changed."""
    from chordsim.api import run

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_CACHE", str(shared_cache))
        out = tmp_path_factory.mktemp("played") / "offline-1"
        return run("offline", overrides=tiny_overrides("clock.loss=0.2", "settings.chord-shared.group=4"), out=out).path
