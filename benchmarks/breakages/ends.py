"""Ends: of Ray, of a first write, of a deployment and of a run; what is left and whether it goes on."""

from __future__ import annotations

import os
import shutil
import signal
import time

from benchmarks.breakages.ground import Ground, Seen, lines, manifest, wait

#: Rounds that are long enough for a signal to find one under way.
_LONG = ("data.synthetic.mean_length=300", "data.synthetic.items=400")


def lost_raylet(ground: Ground) -> Seen:
    """SIGKILL Ray's raylet in the third round, then resume: the run must be the one in process."""
    settings = (*_LONG, "rounds.count=200", "engine.workers=2", "engine.cells=3")
    ground.give(*ground.run(ground.folder / "here", *settings))
    run = ground.folder / "ray"
    process = ground.begin(*ground.run(run, *settings, more=("--engine", "ray")))
    played = wait(lambda: lines(run) >= 4 and bool(ground.processes("raylet")), process)
    at = lines(run) // 2 if played else 0
    for pid in ground.processes("raylet"):
        os.kill(pid, signal.SIGKILL)
    first = ground.over(process)
    before = manifest(run)
    told = f"killed after {at} rounds: {first.ended}, status {before.get('status')}, {len(before.get('errors', []))} errors"
    if before.get("status") != "complete":
        again = ground.give("run", "--resume", str(run))
        told += f"; resumed: {again.ended}, status {manifest(run).get('status')}"
    want, found = (manifest(path).get("ledger_sha256") for path in (ground.folder / "here", run))
    told += f"; ledger {'that of the run in process' if want and want == found else 'another, or none'}"
    return Seen(played and want is not None and want == found, told)


def torn_append(ground: Ground) -> Seen:
    """A run whose very first append to rounds.csv was cut off: by a kill or a full disk, at the head's seventh byte, or before any."""
    ground.give(*ground.run(ground.folder / "whole", "rounds.count=20"))
    want, told, held = manifest(ground.folder / "whole").get("ledger_sha256"), [], True
    for length in (0, 7):
        run = ground.folder / f"torn-{length}"
        process = ground.begin(*ground.run(run, "rounds.count=20"))
        wait(lambda run=run: lines(run) > 0, process)  # type: ignore[misc]
        process.kill()
        ground.over(process)
        (run / "rounds.csv").write_bytes((run / "rounds.csv").read_bytes()[:length])
        # It is written after the lines of its round.
        shutil.rmtree(run / "checkpoint", ignore_errors=True)
        (run / "checkpoint").mkdir()
        again = ground.give("run", "--resume", str(run))
        same = bool(want) and manifest(run).get("ledger_sha256") == want
        held &= same
        told.append(f"{length} bytes: {'goes on to the same ledger' if same else f'{again.ended}: {again.last}'}")
    return Seen(held, "; ".join(told))


def left_behind(ground: Ground) -> Seen:
    """SIGKILL a deployment of three nodes, and SIGTERM a run: no process and no key after 10 s, and the run says that it was cut off."""
    deploy = ground.run(ground.folder / "deployed", "rounds.count=2", "engine.chunk_size=", more=("--nodes", "3"), command="deploy")
    process = ground.begin(*deploy)
    up = wait(lambda: len(list(ground.temporary.rglob("*.key"))) >= 4 and len(ground.processes()) >= 6, process)
    time.sleep(5)
    process.kill()
    ended = ground.over(process)
    time.sleep(10)
    left, keys = len(ground.processes()), len(list(ground.temporary.rglob("*.key")))
    told = [f"deploy killed: {left} processes and {keys} keys after 10 s" if up else f"no deployment came up: {ended.last}"]
    ground.__exit__()
    run = ground.folder / "run"
    process = ground.begin(*ground.run(run, *_LONG, "rounds.count=2000"))
    wait(lambda: lines(run) > 0, process)
    process.terminate()
    code = ground.over(process).code
    table = ground.give("report", str(run), "--table", "markdown")
    status = manifest(run).get("status")
    told.append(f"run at SIGTERM: exit code {code}, status {status}{'' if table.code == 0 else '; no table'}")
    return Seen(up and not left and not keys and code == 130 and status == "interrupted", "; ".join(told))
