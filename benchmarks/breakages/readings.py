"""Figures: what readers show of an altered run, what the lowest versions take for damage, what a long run costs before it begins."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.breakages.ground import Ground, Seen, lines, manifest, wait

#: Reads a ledger file with a bit flipped or its end cut off, again and again; prints what was raised besides chordsim's own errors.
_DAMAGE = """
import collections, json, pathlib, random, sys
from chordsim.errors import ChordsimError
from chordsim.ledger.parquet import read_rows
import pyarrow
path, draw, found = pathlib.Path(sys.argv[1]), random.Random(26), collections.Counter()
whole = path.read_bytes()
for turn in range(600):
    data = bytearray(whole)
    if turn % 3:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    else:
        data = data[:draw.randrange(len(data))]
    path.write_bytes(data)
    try:
        read_rows(path)
    except ChordsimError:
        continue
    except Exception as error:
        found[type(error).__name__] += 1
print(json.dumps([pyarrow.__version__, found]))
"""
#: Rounds of a short and of a long run, and how much more the long one may take before its first. Histories are longer than both, since
#: made-up users have an item for every round.
_SHORT, _LONG, _MORE = 50, 600, 1.25


def altered(ground: Ground) -> Seen:
    """Give every phone of one round a perfect rank, and ask for the table."""
    run = ground.folder / "run"
    ground.give(*ground.run(run, "rounds.count=2"))
    before = ground.give("report", str(run), "--table", "markdown")
    path = run / "ledger" / "fp32.round-00001.parquet"
    rows = pq.read_table(path)
    for name in ("ndcg_10_all", "ndcg_10"):
        best = pa.array([1.0] * len(rows)).cast(rows.schema.field(name).type)
        rows = rows.set_column(rows.column_names.index(name), rows.schema.field(name), best)
    pq.write_table(rows, path)
    after = ground.give("report", str(run), "--table", "markdown")
    page = ground.give("report", str(run))
    cited = str(manifest(run).get("ledger_sha256"))[:12]
    hash_shown = any(cited in text for text in (after.out, (run / "report.html").read_text()))
    other = "another table" if after.out != before.out else "the old table"
    told = f"table: {after.ended}, {other if after.code == 0 else after.last}; page: {page.ended}"
    return Seen(after.code == 1 and page.code == 1, f"{told}{', with the hash to cite' if page.code == 0 and hash_shown else ''}")


def lowest(ground: Ground) -> Seen:
    """Read damaged ledger files with the lowest pyarrow that the checkout allows; and is there an upper bound for Python?"""
    needed = next(line for line in ground.checkout.project["dependencies"] if line.startswith("pyarrow"))
    version = re.findall(r">=([\d.]+)", needed)[0]
    exact = ".".join([*version.split("."), "0", "0"][:3])
    run = ground.folder / "run"
    ground.give(*ground.run(run, "rounds.count=1"))
    place = ground.folder / "lowest"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--target",
        str(place),
        f"pyarrow=={exact}",
    ]
    # Whoever runs this may hold pip to other versions.
    got = subprocess.run(pip, env={**os.environ, "PIP_CONSTRAINT": ""}, capture_output=True, text=True, check=False)
    if got.returncode:
        return Seen(False, f"pyarrow {exact} did not come: {got.stderr.strip()[-200:]}")
    environment = {**ground.environment, "PYTHONPATH": os.pathsep.join([str(place), ground.environment["PYTHONPATH"]])}
    words = [sys.executable, "-P", "-c", _DAMAGE, str(run / "ledger" / "fp32.round-00001.parquet")]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    python = str(ground.checkout.project["requires-python"])
    if done.returncode:
        return Seen(False, f"pyarrow {exact}: {done.stderr.strip().splitlines()[-1][:160]}; Python {python}")
    found, untyped = json.loads(done.stdout)
    told = ", ".join(f"{count} x {name}" for name, count in sorted(untyped.items())) or "chordsim's own errors alone"
    return Seen(not untyped and "<" in python, f"pyarrow {found}, 600 damaged files: {told}; Python {python}")


def start_up(ground: Ground) -> Seen:
    """What a run takes before its first round is told, for few rounds and for many."""
    users = ("data.synthetic.users=400", "data.synthetic.items=200", "data.synthetic.mean_length=2500")
    ground.give(*ground.run(ground.folder / "first", *users, "rounds.count=1"))  # trains
    took: dict[int, tuple[float, float]] = {}
    for count in (_SHORT, _LONG):
        run = ground.folder / f"of-{count}"
        process = ground.begin(*ground.run(run, *users, f"rounds.count={count}"))
        wait(lambda run=run: lines(run) > 0, process)  # type: ignore[misc]
        took[count] = _taken(process.pid)
        process.kill()
        ground.over(process)
    told = "; ".join(f"of {count} rounds: {seconds:.1f} s of processor, {peak:.0f} MiB" for count, (seconds, peak) in took.items())
    return Seen(all(long <= short * _MORE for short, long in zip(took[_SHORT], took[_LONG], strict=True)), f"before the first round {told}")


def _taken(pid: int) -> tuple[float, float]:
    """Return (seconds of processor time, peak MiB) of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    peak = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(peak.split()[1]) / 1024
