"""What `benchmarks.staleness` puts together: every round once, of the model that was the latest then, and nothing of its future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.staleness import begins, lines, put_together
from chordsim.config.model import SyntheticConfig
from chordsim.data.split import split
from chordsim.data.synthetic import generate

ROUNDS = 10


def ledger(past: int, users: int = 40) -> pd.DataFrame:
    """Rows of a run that begins after so many rounds are past; its accuracy falls by its age."""
    rounds = np.repeat(np.arange(1, ROUNDS - past + 1), users)
    noise = np.tile(np.linspace(0, 0.1, users), ROUNDS - past)
    own = pd.DataFrame({"round": rounds, "user_id": np.tile(np.arange(users), ROUNDS - past), "ndcg_10_all": 0.5 - 0.01 * rounds + noise})
    return pd.concat([own.assign(method=method, past=past) for method in ("retriever", "fp32", "chord-plus")])


@pytest.mark.parametrize(("every", "versions"), [(0, [0]), (5, [0, 5]), (1, list(range(10))), (3, [0, 3, 6, 9])])
def test_every_round_is_of_the_latest_model(every: int, versions: list[int]) -> None:
    assert begins(ROUNDS, every) == versions
    rows = put_together({past: ledger(past) for past in range(ROUNDS)}, ROUNDS, every)
    assert (rows.groupby("round").past.nunique() == 1).all()
    for at, past in rows.groupby("round").past.first().items():
        assert past == max(version for version in versions if version < at)


def test_renewing_is_worth_what_age_costs() -> None:
    told = "\n".join(lines({past: ledger(past) for past in range(ROUNDS)}, ROUNDS, (0, 5, 1), 1))
    # Ages 1 to 10 cost 0.055 on average, 1 to 5 twice 0.03, always 1 costs 0.01.
    assert "| `fp32` | every 5 rounds | 0.5200 | +0.0250 |" in told and "| `fp32` | every 1 rounds | 0.5400 | +0.0450 |" in told


@pytest.mark.parametrize("past", [0, 4, 9])
def test_a_run_of_fewer_rounds_asks_for_the_same_targets_and_has_read_all_before_them(past: int) -> None:
    log = generate(SyntheticConfig(users=30, items=60, groups=3, mean_length=25.0), 1, ROUNDS + 3)
    whole, later = split(log, ROUNDS, 1.0, 1), split(log, ROUNDS - past, 1.0, 1)
    users = np.arange(log.n_users)
    for at in range(1, ROUNDS - past + 1):
        assert (later.targets(users, at) == whole.targets(users, at + past)).all()
    logs = later.train_logs()
    for user in users.tolist():
        read = np.append(logs.items[logs.offsets[user] : logs.offsets[user + 1]], logs.validation_targets[user])
        before = log.items[log.offsets[user] : log.offsets[user + 1]][: -(ROUNDS - past)]
        assert (read == before).all()
