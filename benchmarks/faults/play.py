"""Plays a seed: once without faults, and once with them, resumed until it is whole; then both are held against one another."""

from __future__ import annotations

import contextlib
import json
import random
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.faults.disk import Killed, Process
from benchmarks.faults.kinds import REST
from benchmarks.faults.line import FaultyGrid
from benchmarks.faults.plan import Fault, Plan
from chordsim.engine.grid import GridCarrier
from chordsim.engine.inprocess import InProcessGrid
from chordsim.errors import ChordsimError, UserError
from chordsim.files import read_json
from chordsim.progress import Silent
from chordsim.scenario.load import load
from chordsim.store.resume import Resume
from chordsim.store.torn import scenario_file
from chordsim.store.verify import verify

#: Attempts after the faults are used up; one is enough where all is right.
MOST_ATTEMPTS = 4
#: No fault makes a cell hang, so this is for machines that are busy.
TIMEOUT_S = 600.0


def play(plan: Plan, folder: Path) -> tuple[list[str], Counter[str]]:
    """Play a seed.

    Args:
        plan: What it decides.
        folder: An empty one.

    Returns:
        What differs between the run with faults and the one without, and the faults that came, by kind.
    """
    whole, broken = folder / "whole", folder / "broken"
    met = Counter[str]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Without faults and in process, whatever the engine: the same bytes are promised.
        _attempt(replace(plan, engine="inprocess"), whole, None, met, resume=False)
        for number, fault in enumerate((*plan.faults, *[None] * MOST_ATTEMPTS)):
            # One that was killed before its first manifest is begun again in the same folder.
            resume = number > 0 and (broken / "manifest.json").exists()
            if _attempt(plan, broken, fault, met, resume=resume):
                break
    return differences(whole, broken), met


def differences(whole: Path, broken: Path) -> list[str]:
    """Return in what a run differs from another: its end, ledger, books, listing, phones, sums and files."""
    out = []
    manifests = [read_json(run / "manifest.json") for run in (whole, broken)]
    for key in ("status", "ledger_sha256", "quarantine", "errors", "budgets", "trained"):
        one, two = (manifest.get(key) for manifest in manifests)
        if one != two:
            out.append(f"manifest {key}: {one!r} and {two!r}"[:400])
    for name in ("rounds.csv", "devices.parquet", "plans.parquet", "scenario.toml"):
        one, two = ((run / name).read_bytes() if (run / name).exists() else None for run in (whole, broken))
        if one != two:
            out.append(f"{name} differs")
    if len({json.dumps(read_json(run / "summary.json")["methods"], sort_keys=True) for run in (whole, broken)}) > 1:
        out.append("summary.json differs")
    files = [{p.relative_to(run).as_posix() for p in run.rglob("*") if p.is_file()} for run in (whole, broken)]
    if files[0] != files[1]:
        out.append(f"files differ: {sorted(files[0] ^ files[1])}")
    try:
        if manifests[1]["status"] != "failed":
            verify(broken)
    except ChordsimError as error:
        out.append(f"verify: {error}")
    return out


def _attempt(plan: Plan, out: Path, fault: Fault | None, met: Counter[str], *, resume: bool) -> bool:
    """Play until the end or until the fault ends it; return whether the run is whole."""
    from server import rounds

    process = Process(out, fault)
    try:
        with process.on_disk(), _grid(plan, fault, met) as inner:
            scenario = load(scenario_file(out)) if resume else load("offline", plan.overrides)
            carrier = GridCarrier(FaultyGrid(inner, process, fault, plan.liars), cells_per_node=1, timeout_s=TIMEOUT_S)  # type: ignore[arg-type]
            rounds.run(scenario, out, carrier, Silent(), Resume() if resume else None)
    except Killed:
        pass
    except UserError as error:
        if "complete: there is nothing to resume" not in str(error):
            raise
        return True
    except ChordsimError:
        if not process.met["full disk"]:
            raise
    met.update(process.met)
    done = not process.dead and (out / "manifest.json").exists() and _status(out) in ("complete", "failed")
    if fault is not None and fault.kind in REST and _harm(out, process.written, fault):
        met[fault.kind] += 1
        return False
    # A run in which nobody was ranked is failed whatever happens; one whose disk was full or that lost a cell, too, is failed for now.
    return done and not process.met["full disk"] and not (process.met["lost cell"] and _status(out) == "failed")


def _status(out: Path) -> str:
    with contextlib.suppress(ChordsimError):
        return str(read_json(out / "manifest.json").get("status"))
    return "torn"


def _harm(out: Path, written: list[Path], fault: Fault) -> bool:
    """Damage one of the files that were written last; return whether there was one."""
    some = [path for path in dict.fromkeys(reversed(written)) if path.exists() and path.stat().st_size > 1][:12]
    if not some or _status(out) == "failed":
        return False
    path = some[int(fault.part * len(some))]
    data, draw = bytearray(path.read_bytes()), random.Random(fault.part)
    if fault.kind == "flipped bit":
        # A manifest or scenario that was edited is for its owner to refuse; here only what a disk does to data.
        if path.suffix not in (".parquet", ".safetensors"):
            return False
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    else:
        del data[0 if fault.kind == "emptied file" else draw.randrange(1, len(data)) :]
    path.write_bytes(data)
    return True


@contextlib.contextmanager
def _grid(plan: Plan, fault: Fault | None, met: Counter[str]) -> Iterator[Any]:
    """Yield the real grid."""
    from clients.app import app

    if plan.engine == "inprocess":
        yield InProcessGrid(app, plan.workers)
        return
    from benchmarks.faults.on_ray import harassed

    with harassed(plan.workers, fault, met) as grid:
        yield grid
