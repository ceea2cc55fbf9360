"""What a phone's sessions cost is what a walk through every phone's life finds, also where models are renewed."""

import numpy as np
import pandas as pd
import pytest

import chordsim
from chordsim.ledger.sessions import Sessions
from chordsim.report.gather import gather
from tests.plenty import PLENTY


def test_lives_by_hand():
    # Phone 0: cut at first, then whole, then a new version; phone 7: first contact late, in a round that was late.
    rounds = [
        # device, served, bootstrap, down, up
        [(0, False, 100, 40, 0), (3, True, 100, 110, 5)],
        [(0, True, 100, 112, 5), (3, True, 30, 40, 5), (7, False, 100, 110, 5)],
        [(0, True, 30, 44, 7), (3, False, 30, 40, 5), (7, True, 0, 10, 5)],
    ]
    made = Sessions()
    for rows in rounds:
        device, served, bootstrap, down, up = (np.array(c) for c in zip(*rows, strict=True))
        made.add(device, served, bootstrap, down, up)
    assert (made.contacts, made.first) == (4, 100)
    assert made.each == pytest.approx(np.mean([15, 17, 15, 21, 15]))
    assert made.again == pytest.approx(np.mean([30, 30, 0]))
    assert made.after(1) == pytest.approx(100 + made.each) and made.after(10) == pytest.approx(100 + 10 * made.each + 9 * 20)


def test_nobody():
    made = Sessions()
    made.add(*(np.zeros(0, np.int64),) * 5)
    assert (made.contacts, made.first, made.each, made.again, made.after(10)) == (0, 0.0, None, 0.0, None)


@pytest.mark.parametrize("seed", range(5))
def test_any_ledger_equals_the_walk_through_lives(seed, make_rows, naive_sessions):
    made, frames = Sessions(), []
    for round in range(1, 6):
        rows = make_rows(60, seed=100 * seed + round, round=round)
        names = ("device_id", "bootstrap_bytes", "down_bytes", "up_bytes")
        frames.append(pd.DataFrame({name: rows[name] for name in names} | {"outcome": rows.texts("outcome"), "round": round}))
        # In two parts, as a fleet comes block by block.
        for part in (slice(0, 25), slice(25, 60)):
            made.add(*(v[part] for v in (rows["device_id"], rows.is_word("outcome", "served"), *(rows[n] for n in names[1:]))))
    assert (made.first, made.each, made.again) == pytest.approx(tuple(naive_sessions(pd.concat(frames))))
    assert made.again > 0


@pytest.mark.parametrize("renewed", [0, 2])
def test_what_learning_methods_download_again_counts(renewed, tiny, tmp_path, naive_sessions):
    methods = ("fp32", "fedavg", "dccl", "chord-plus")
    overrides = tiny(*PLENTY, "rounds.count=4", "clock.loss=0.1", f"rounds.new_model_every={renewed}", methods=methods)
    run = chordsim.run("offline", overrides=overrides, out=tmp_path / "run")
    page = gather(run.path).methods
    for name, rows in run.ledger.groupby("method", observed=True):
        once, each, again = naive_sessions(rows)
        told = run.summary["methods"][name]
        assert told["bytes_after_sessions"] == pytest.approx({n: once + int(n) * each + (int(n) - 1) * again for n in ("1", "10", "100")})
        assert {n: page[name].after(int(n)) for n in ("1", "10", "100")} == pytest.approx(told["bytes_after_sessions"])
        # A model that is not renewed comes once; one that learns comes again in every session.
        assert (again > 0) == (name in ("fedavg", "dccl") or renewed > 0), name
        if name == "fedavg" and not renewed:
            assert told["bytes_after_sessions"]["100"] > 100 * each + 90 * again
