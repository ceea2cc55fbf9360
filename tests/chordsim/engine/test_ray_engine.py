"""The engine on Ray gives the ledger of the engine in process, whatever happens to its workers, and leaves nothing behind."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import chordsim
from chordsim.errors import UserError
from chordsim.progress import Silent


def test_two_workers_give_the_ledger_of_one_process(tiny: Any, tmp_path: Path, nothing_left: Callable[[], bool]) -> None:
    overrides = tiny("protocol.keep_lists=5", "settings.chord-plus.reads=[30,8]", "settings.chord-plus.user_input=true")
    here = chordsim.run("offline", overrides=overrides, out=tmp_path / "here")
    ray = chordsim.run("offline", overrides=overrides, engine="ray", workers=2, out=tmp_path / "ray")
    assert ray.manifest["status"] == "complete"
    assert ray.manifest["ledger_sha256"] == here.manifest["ledger_sha256"]
    assert ray.summary["engine"]["nodes"] == 2 and ray.summary["engine"]["worker_peak_rss_bytes"] > 2**26
    assert nothing_left()


def test_an_address_goes_with_ray_alone(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--ray-address goes with --engine ray"):
        chordsim.run("offline", overrides=tiny(), ray_address="auto", out=tmp_path / "run")


@pytest.mark.slow
def test_a_killed_worker_costs_time_only(tiny: Any, tmp_path: Path, strike: Any, nothing_left: Callable[[], bool]) -> None:
    more = ("engine.cells=3", "rounds.count=3")
    here = chordsim.run("offline", overrides=tiny(*more), out=tmp_path / "here")
    with strike(2) as hit:
        ray = chordsim.run("offline", overrides=tiny(*more), engine="ray", workers=2, out=tmp_path / "ray")
    assert len(hit) == 2
    assert ray.manifest["status"] == "complete" and ray.manifest["ledger_sha256"] == here.manifest["ledger_sha256"]
    assert nothing_left()


@pytest.mark.slow
def test_workers_killed_at_random_during_twenty_rounds_cost_time_only(
    tiny: Any, tmp_path: Path, harass: Any, nothing_left: Callable[[], bool]
) -> None:
    more = ("rounds.count=20", "data.synthetic.mean_length=40.0", "population.devices=240", "engine.cells=5", "clock.loss=0.1")
    overrides = tiny(*more, methods=("fp32", "chord-plus", "fedavg"))
    here = chordsim.run("offline", overrides=overrides, out=tmp_path / "here", report=False)
    with harass(6, seed=3, gap_s=(0.5, 3.0)) as hit:
        ray = chordsim.run("offline", overrides=overrides, engine="ray", workers=2, out=tmp_path / "ray", report=False)
    assert len(hit) >= 4, "the run was over before it could be disturbed"
    assert ray.manifest["status"] == "complete" and ray.manifest["ledger_sha256"] == here.manifest["ledger_sha256"]
    assert len(ray.rounds) == 60
    assert nothing_left()


@pytest.mark.slow
def test_a_stopped_worker_is_replaced(tiny: Any, tmp_path: Path, strike: Any, nothing_left: Callable[[], bool]) -> None:
    more = ("engine.timeout_s=15", "rounds.count=3")
    here = chordsim.run("offline", overrides=tiny(*more), out=tmp_path / "here")
    with strike(1, signal.SIGSTOP) as hit:
        ray = chordsim.run("offline", overrides=tiny(*more), engine="ray", workers=2, out=tmp_path / "ray")
    assert len(hit) == 1
    assert ray.manifest["status"] == "complete" and ray.manifest["ledger_sha256"] == here.manifest["ledger_sha256"]
    assert nothing_left()


def test_no_cluster_at_the_address(tiny: Any, tmp_path: Path, nothing_left: Callable[[], bool]) -> None:
    with pytest.raises(UserError, match="--ray-address 127.0.0.1:1: no Ray cluster can be joined there"):
        chordsim.run("offline", overrides=tiny(), engine="ray", ray_address="127.0.0.1:1", out=tmp_path / "run")
    assert nothing_left()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("orders", "reason"), [("exit 3", "worker died"), ("hang 3", "no answer within 8 s"), ("raise 3", "this phone makes trouble")]
)
def test_a_cell_that_cannot_be_played_degrades_the_run(
    orders: str, reason: str, tiny: Any, tmp_path: Path, trouble: Any, nothing_left: Callable[[], bool]
) -> None:
    trouble(orders)
    more = ("engine.cells=3", "engine.timeout_s=8" if "hang" in orders else "engine.timeout_s=600")
    run = chordsim.run("offline", overrides=tiny(*more, methods=("fp32", "trouble")), engine="ray", workers=2, out=tmp_path / "ray")
    degraded(run, reason)
    assert nothing_left()


def test_a_client_that_raises_degrades_the_run_in_process(tiny: Any, tmp_path: Path, trouble: Any) -> None:
    trouble("raise 3")
    more = ("engine.cells=3", "engine.workers=2")
    degraded(chordsim.run("offline", overrides=tiny(*more, methods=("fp32", "trouble")), out=tmp_path / "run"), "this phone makes trouble")


def degraded(run: chordsim.api.RunResult, reason: str) -> None:
    """Assert that the cell of device 3 failed in round 1, and nothing else."""
    assert run.manifest["status"] == "degraded" and run.manifest["ledger_sha256"] is None
    assert len(run.manifest["errors"]) == 1 and reason in run.manifest["errors"][0], run.manifest["errors"]
    assert run.manifest["errors"][0].startswith("trouble, round 1, cell 0:")
    ledger = run.ledger
    failed = ledger[ledger.outcome == "failed"]
    assert set(failed.method) == {"trouble"} and set(failed["round"]) == {1}
    assert 3 in set(failed.device_id) and len(failed) < 40 and not failed["rank"].notna().any()
    others = ledger[(ledger.method == "trouble") & (ledger["round"] == 1) & (ledger.outcome == "served")]
    assert len(others) > 0
    assert len(ledger[ledger["round"] == 2]) == 80


@pytest.mark.slow
def test_a_machine_that_leaves_the_cluster_costs_time_only(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", str(Path(chordsim.__file__).parents[1]))
    here = chordsim.run("offline", overrides=tiny("rounds.count=4"), out=tmp_path / "here")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        second = cluster.add_node(num_cpus=1)
        leaving = Leaving(lambda: cluster.remove_node(second, allow_graceful=False))
        run = chordsim.run(
            "offline", overrides=tiny("rounds.count=4"), engine="ray", ray_address=cluster.address, out=tmp_path / "ray", progress=leaving
        )
    finally:
        cluster.shutdown()
    assert leaving.left and run.summary["engine"]["nodes"] == 2
    assert run.manifest["status"] == "complete" and run.manifest["ledger_sha256"] == here.manifest["ledger_sha256"]


class Leaving(Silent):
    """Progress that takes a machine away once the first round of the second method is played."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self.leave, self.left = leave, False

    def advance(self, steps: int = 1, note: str = "") -> None:
        if note.startswith("round 1 uniform-2") and not self.left:
            self.left = True
            self.leave()
