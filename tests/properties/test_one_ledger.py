"""One app, every engine, one ledger: threads, Ray workers, a Ray cluster and `flwr run` give the same bytes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import chordsim
from chordsim.engine import flower_env
from chordsim.files import read_json

ROOT = Path(__file__).parents[2]
THREE = ("fp32", "chord-plus", "cloud-only")
BYTES = (
    "bootstrap_bytes",
    "candidates_bytes",
    "prescription_bytes",
    "framing_down_bytes",
    "down_bytes",
    "cut_down_bytes",
    "profile_bytes",
    "update_bytes",
    "report_bytes",
    "framing_up_bytes",
    "up_bytes",
    "cut_up_bytes",
    "wasted_bytes",
)


def digest_of(run: chordsim.api.RunResult) -> str:
    assert run.manifest["status"] == "complete", run.manifest["errors"]
    return str(run.manifest["ledger_sha256"])


def test_neither_threads_nor_cells_move_a_ledger(tiny: Any, tmp_path: Path) -> None:
    shapes = [(1, 0), (2, 3), (3, 2)]
    # One of the six reads more than its backbone's window, and tells the backbone its user; one sends numbers of plans.
    long = ("settings.chord-shared.reads=[30,8]", "settings.chord-shared.user_input=true", "settings.chord-shared.delivery=bootstrap")
    book = ("settings.chord-plus.planner=codebook", "settings.chord-plus.plans=3")
    found = {
        digest_of(
            chordsim.run("offline", overrides=tiny(f"engine.cells={n}", *long, *book), workers=workers, out=tmp_path / f"{workers}-{n}")
        )
        for workers, n in shapes
    }
    assert len(found) == 1


def test_one_phone_per_client_moves_the_same_bytes(tiny: Any, tmp_path: Path) -> None:
    """As `textbook` does; a chunk of one row may differ from a chunk of many in the last bit of a score."""
    many = chordsim.run("offline", overrides=tiny("engine.chunk_size=256", methods=THREE), out=tmp_path / "many")
    alone = chordsim.run("offline", overrides=tiny("engine.chunk_size=1", "engine.cells=40", methods=THREE), out=tmp_path / "alone")
    assert alone.summary["engine"]["nodes"] >= 1
    same_bytes_and_ranks(many.ledger, alone.ledger)


def same_bytes_and_ranks(a: pd.DataFrame, b: pd.DataFrame) -> None:
    """Assert that ledgers agree in who, outcome and bytes moved, and but for a few rows, where scores all but tie, in plans and ranks."""
    key = ["method", "round", "device_id"]
    a, b = (frame.astype({"method": str}).sort_values(key).reset_index(drop=True) for frame in (a, b))
    for column in (*key, "outcome", "refused_by", "served_by", *BYTES):
        assert (a[column].astype(str) == b[column].astype(str)).all(), column
    other_rank = (a["rank"].fillna(0) - b["rank"].fillna(0)).abs()
    other_plan = (a["bits_mean"].fillna(0) - b["bits_mean"].fillna(0)).abs() > 1e-9
    # A channel whose utilities tie may get its neighbour's precision, which may move that phone's ranks by more than one.
    assert (a["model_bytes"] == b["model_bytes"])[~other_plan].all()
    assert other_rank[~other_plan].max() <= 1.0, f"{(other_rank > 0).sum()} ranks moved, by up to {other_rank.max()}"
    assert (other_rank > 0).mean() <= 0.005 and other_plan.mean() <= 0.005, (other_rank > 0).sum()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_quickstart_on_ray(workers: int, quickstart: chordsim.api.RunResult, tmp_path: Path) -> None:
    assert digest_of(chordsim.run("quickstart", engine="ray", workers=workers, out=tmp_path / "run")) == digest_of(quickstart)


@pytest.mark.slow
def test_quickstart_on_a_cluster_of_two_nodes(quickstart: chordsim.api.RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        run = chordsim.run("quickstart", engine="ray", ray_address=cluster.address, out=tmp_path / "run")
    finally:
        cluster.shutdown()
    assert run.summary["engine"]["nodes"] == 2
    assert digest_of(run) == digest_of(quickstart)


@pytest.mark.slow
def test_quickstart_under_flwr_run(quickstart: chordsim.api.RunResult, tmp_path: Path) -> None:
    flwr(ROOT, tmp_path, {"scenario": "quickstart", "out": str(tmp_path / "run")})
    assert read_json(tmp_path / "run" / "manifest.json")["ledger_sha256"] == digest_of(quickstart)


@pytest.mark.slow
def test_a_mistake_under_flwr_run_is_named(tmp_path: Path) -> None:
    said = flwr(ROOT, tmp_path, {"scenario": "quickstrat", "out": str(tmp_path / "run")})
    assert "no shipped scenario is called 'quickstrat'" in said


@pytest.mark.slow
def test_one_phone_per_client_on_real_data(quickstart: chordsim.api.RunResult, tmp_path: Path) -> None:
    alone = chordsim.run("quickstart", overrides=["engine.chunk_size=1", "rounds.count=3"], out=tmp_path / "run")
    same_bytes_and_ranks(quickstart.ledger, alone.ledger)


@pytest.fixture(scope="module")
def quickstart(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Play `quickstart` in process, on real data; its models serve all tests here."""
    cache = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_DATA", str(real_data))
        patch.setenv("CHORDSIM_CACHE", str(cache))
        yield chordsim.run("quickstart", out=tmp_path_factory.mktemp("quickstart") / "run")


def flwr(app: Path, folder: Path, config: dict[str, str]) -> str:
    """Run `flwr run` as a user does, with a home and a port of its own; return what it said."""
    # A short path, for Ray's sockets; outside the checkout, so that nothing of it is packed.
    home = folder / "flwr"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, **flower_env.switches(home), "FLWR_LOCAL_SUPERLINK_HTTP_API_PORT": str(port)}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    told = " ".join(f'{key}="{value}"' for key, value in config.items())
    federation = "num-supernodes=2 client-resources-num-cpus=1"
    command = ["flwr", "run", str(app), "--stream", "--federation-config", federation, "--run-config", told]
    assert shutil.which("flwr", path=environment["PATH"])
    try:
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=1500, check=False)
        return done.stdout + done.stderr
    finally:
        for pid in flower_env.superlinks(home):
            flower_env.stop(pid)
        assert not flower_env.superlinks(home)
