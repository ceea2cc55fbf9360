"""What is killed: each command, how it goes on, and what it must have made in the end."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path

import torch

from benchmarks.faults.plan import TINY
from benchmarks.kills.process import Forked, Spawned
from benchmarks.kills.site import Site
from chordsim.engine import flower_env
from chordsim.errors import ChordsimError
from chordsim.files import read_json
from chordsim.store.verify import verify
from server.training import sealed

ROOT = Path(__file__).resolve().parents[2]
_METHODS = 'methods=["fp32", "chord-plus", "cloud-only"]'
SETTINGS = (
    _METHODS,
    *TINY,
    "settings.chord-plus.profile_dim=8",
    "rounds.count=6",
    "clock.loss=0.2",
    "engine.chunk_size=16",
    'engine.kernel="torch"',
)
#: What `flwr run` says where its SuperLink ends at once.
LINK_EXITED = "`flower-superlink` exited with code"
#: Trained for a while, with a checkpoint at every tenth of it.
LONG = ("training.max_steps=40", "training.eval_every=4", "training.patience=10", "rounds.count=1")


@dataclass(frozen=True)
class Case:
    """One command.

    Attributes:
        name: What the issue of kills calls it.
        kills: How many of sixty.
        begin: Start it in a folder; the same again after a kill.
        made: What stands there in the end, by name, as digests.
        prepare: Put into a fresh folder what the command needs.
        resumed: Whether it makes a run, which is resumed.
    """

    name: str
    kills: int
    begin: Callable[[Path], Forked | Spawned]
    made: Callable[[Path], dict[str, str]]
    prepare: Callable[[Path], object] = Path.mkdir
    resumed: bool = False


def cases(made: ForkServerContext, whole: Path, site: Site) -> list[Case]:
    """Return all cases.

    Args:
        made: Where processes come from.
        whole: A run that is there already, for the commands that read one.
        site: A server of a data set.
    """
    shared = str(whole.parent / "cache")

    def command(argv: Sequence[str], folder: Path, cache: str = shared) -> Forked:
        return Forked(made, chordsim, (list(argv), cache), folder / "log")

    def run(*more: str) -> Callable[[Path], Forked]:
        return lambda folder: command(_run_or_resume(folder / "run", more), folder)

    def copied(folder: Path) -> None:
        folder.mkdir()
        shutil.copytree(whole, folder / "run")

    def again(folder: Path) -> Forked:
        settings = ("--set", 'population.era="2025"', "--json", str(folder / "recost.json"))
        return command(["recost", str(folder / "run"), *settings], folder)

    grid = ("--over", "settings.chord-plus.profile_dim=4,8", "--seeds", "2", "--set", "rounds.count=2")
    sweep = ("sweep", "offline", *_sets(SETTINGS), *grid)
    return [
        Case("run", 14, run(), of_run, resumed=True),
        Case("sweep", 9, lambda f: command([*sweep, "--out", str(f / "sweep")], f), of_sweep),
        Case("recost", 7, again, lambda f: {**of_run(f), **_files(f, "recost.json")}, copied),
        Case("report", 7, lambda f: command(["report", str(f / "run")], f), of_run_and_page, copied),
        Case("download", 6, lambda f: Forked(made, site.fetch, (str(f / "cache"),), f / "log"), lambda f: _files(f, "cache/data/*")),
        Case("training", 6, lambda f: command(_run_or_resume(f / "run", _sets(LONG)), f, str(f / "cache")), of_training, resumed=True),
        Case("run --engine ray", 8, run("--engine", "ray", "--workers", "1"), of_run, resumed=True),
        Case("flwr run .", 3, _flwr, of_run, resumed=True),
    ]


def chordsim(argv: list[str], cache: str) -> int:
    """Be the command."""
    from chordsim.cli.guard import guarded

    os.environ["CHORDSIM_CACHE"] = cache
    return guarded(argv)


def status(folder: Path) -> str:
    """Return what a run says of itself, "" where there is none yet."""
    path = folder / "run" / "manifest.json"
    return str(read_json(path).get("status")) if path.exists() else ""


def of_run(folder: Path) -> dict[str, str]:
    """Return what a run is: status, ledger, listing, phones, plans and sums."""
    run = folder / "run"
    manifest = read_json(run / "manifest.json")
    told = {key: str(manifest.get(key)) for key in ("status", "ledger_sha256", "errors", "quarantine")}
    try:
        verify(run)
    except ChordsimError as error:
        told["verify"] = str(error)
    sums = json.dumps(read_json(run / "summary.json")["methods"], sort_keys=True)
    return {**told, **_files(folder, "run/*.csv", "run/*.parquet"), "sums": hashlib.sha256(sums.encode()).hexdigest()}


def of_run_and_page(folder: Path) -> dict[str, str]:
    """Return what a run is, and its page."""
    return {**of_run(folder), **_files(folder, "run/report.html")}


def of_sweep(folder: Path) -> dict[str, str]:
    """Return what a sweep is: its tables and the ledgers of its points."""
    points = sorted((folder / "sweep" / "points").iterdir())
    ledgers = {point.name: str(read_json(point / "manifest.json")["ledger_sha256"]) for point in points}
    return {**ledgers, **_files(folder, "sweep/*.csv", "sweep/sweep.html")}


def of_training(folder: Path) -> dict[str, str]:
    """Return what a run is, and the states that were trained for it."""
    states = {}
    for path in sorted(folder.glob("cache/**/*.safetensors")):
        tensors, _ = sealed.read(path) or ({}, {})  # beside them stands how long it took
        whole = hashlib.sha256()
        for name in sorted(tensors):
            whole.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
            whole.update(tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes())
        states[path.relative_to(folder).as_posix()] = whole.hexdigest()
    return {**of_run(folder), **states}


def _files(folder: Path, *patterns: str) -> dict[str, str]:
    found = sorted(path for pattern in patterns for path in folder.glob(pattern) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def _sets(settings: Sequence[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def _run_or_resume(run: Path, more: Sequence[str]) -> list[str]:
    """Return the command that a person gives: begin, or go on with what a kill left."""
    if status(run.parent):
        engine = more if "--engine" in more else ()
        return ["run", "--resume", str(run), *engine]
    return ["run", "offline", *_sets(SETTINGS), *more, "--out", str(run)]


def _flwr(folder: Path) -> Spawned:
    """Start `flwr run .` of the checkout with a home of its own, which tells its processes."""
    # Once Flower did not start on the home that a kill had left; a new one is what a person would take.
    log = folder / "log"
    run, home = folder / "run", folder / f"flwr{log.read_text().count(LINK_EXITED) if log.exists() else 0}"
    scenario = folder / "scenario.toml"
    if not scenario.exists():
        from chordsim.scenario.load import load
        from chordsim.scenario.text import dump

        scenario.write_text(dump(load("offline", SETTINGS)))
    environment = {**os.environ, **flower_env.switches(home), "CHORDSIM_CACHE": str(folder.parent / "cache")}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    environment["FLWR_LOCAL_SUPERLINK_HTTP_API_PORT"] = str(_free_port())
    resumed = (run / "manifest.json").exists()
    told = {"scenario": str(run / "scenario.toml" if resumed else scenario), "out": str(run)}
    config = " ".join([*(f'{key}="{value}"' for key, value in told.items()), *(["resume=true"] if resumed else [])])
    federation = ("--federation-config", "num-supernodes=2 client-resources-num-cpus=1")
    argv = [shutil.which("flwr", path=environment["PATH"]) or "flwr", "run", str(ROOT), "--stream", *federation, "--run-config", config]
    return Spawned(argv, environment, flower_env.HOME_VARIABLE, folder / "log")


def _free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
