"""How long a data file takes to become a log, and how much memory, here and in another checkout, side by side.

Run: python -m benchmarks.reading_data --against CHECKOUT [--rows N] [--repeats K] [--folder DIR]. Makes a log of N interactions (10^7) as
CSV with whole numbers for ids, as CSV with texts for ids, and as Parquet; reads each in a fresh process, the two checkouts by turns, and
prints the fastest and the median of K readings (wall and processor seconds), the peak memory, and the ratio to the other checkout's CSV
of the same kind. The logs must be equal by their digest. Exit code 1 where CSV is slower than there, or Parquet not three times faster
than CSV there.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from benchmarks.cut_off import ended
from benchmarks.parser import parser_of, positive
from benchmarks.same_ledgers.checkout import Checkout
from chordsim.errors import RunError

HERE = Path(__file__).resolve().parents[1]
PARQUET_GAIN = 3.0
_HEADS = ("file", "checkout", "fastest s", "median s", "processor s", "peak MiB (of it before)", "speed-up")
_CHILD = """
import json, re, sys, time
from pathlib import Path
import numpy, pyarrow.csv, pyarrow.compute
from chordsim.data.load import read_interactions

def peak_mib():
    # getrusage would also tell what the parent held before it became this process.
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

before, wall, cpu = peak_mib(), time.perf_counter(), time.process_time()
log = read_interactions(Path(sys.argv[1]))
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_mib": peak_mib(), "before_mib": before, "digest": log.digest()}))
"""


@dataclass(frozen=True)
class Read:
    """One reading of one file.

    Attributes:
        wall_s: Seconds by the clock, imports left out.
        cpu_s: Seconds of all processors.
        peak_mib: Most memory of the process.
        before_mib: The same before it read.
        digest: Of the log.
    """

    wall_s: float
    cpu_s: float
    peak_mib: float
    before_mib: float
    digest: str


def make(folder: Path, rows: int, seed: int = 1) -> dict[str, Path]:
    """Write the files of a log in which 50 interactions fall to a user, items by a power law; return them by name."""
    rng = np.random.default_rng(seed)
    users, items = rng.integers(0, max(rows // 50, 1), rows), np.minimum((rng.pareto(1.0, rows) * 200).astype(np.int64), 49_999)
    common = {"rating": rng.integers(1, 6, rows), "timestamp": 1_500_000_000 + rng.integers(0, 100_000_000, rows)}
    coded = {"user": users, "item": items}
    named = {"user": np.char.add("A", users.astype(str)), "item": np.char.add("B00", items.astype(str))}
    numbers, texts = (pa.table({name: pa.array(column) for name, column in (ids | common).items()}) for ids in (coded, named))
    out = {"csv, numbers": folder / "numbers.csv", "csv, texts": folder / "texts.csv", "parquet": folder / "numbers.parquet"}
    plain = arrow_csv.WriteOptions(quoting_style="none")
    arrow_csv.write_csv(numbers, out["csv, numbers"], plain)
    arrow_csv.write_csv(texts, out["csv, texts"], plain)
    pq.write_table(numbers, out["parquet"])
    return out


def read(checkout: Path, path: Path) -> Read:
    """Read a file with a checkout's code in a process of its own.

    Raises:
        RunError: The checkout cannot.
    """
    found = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(path)], cwd=checkout, env=found, capture_output=True, text=True, check=False, timeout=3600
    )
    if done.returncode:
        raise RunError(f"{checkout} does not read {path}: {(done.stderr.splitlines() or [f'exit code {done.returncode}'])[-1]}")
    return Read(**json.loads(done.stdout.splitlines()[-1]))


def measure(files: dict[str, Path], against: Path, repeats: int) -> dict[tuple[str, str], list[Read]]:
    """Return the readings by checkout ("here" or "there") and file, taken by turns so that both meet the same load."""
    out: dict[tuple[str, str], list[Read]] = {}
    for _ in range(repeats):
        for name, path in files.items():
            for side, checkout in (("there", against), ("here", HERE)):
                if side == "here" or name != "parquet":
                    out.setdefault((side, name), []).append(read(checkout, path))
    digests = {name: {one.digest for (_, of), reads in out.items() for one in reads if of == name} for name in files}
    if any(len(found) > 1 for found in digests.values()) or digests["csv, numbers"] != digests["parquet"]:
        raise SystemExit(f"the logs differ: {digests}")
    return out


def lines(reads: dict[tuple[str, str], list[Read]]) -> list[str]:
    """Return the table, one line for a checkout and a file."""
    out = [
        "| " + " | ".join(_HEADS) + " |",
        "| --- " * len(_HEADS) + "|",
    ]
    for (side, name), found in sorted(reads.items(), key=lambda item: (item[0][1], item[0][0] == "here")):
        fastest, peak = min(one.wall_s for one in found), max(one.peak_mib for one in found)
        cells = [f"{fastest:.2f}", f"{statistics.median(one.wall_s for one in found):.2f}", f"{min(one.cpu_s for one in found):.2f}"]
        cells += [f"{peak:,.0f} ({found[0].before_mib:,.0f})", f"{gain(reads, name):.2f}" if side == "here" else ""]
        out.append(f"| {name} | {side} | {' | '.join(cells)} |")
    return out


def gain(reads: dict[tuple[str, str], list[Read]], name: str) -> float:
    """Return how many times faster a file is read here than the other checkout reads the CSV of the same log."""
    other = reads["there", "csv, numbers" if name == "parquet" else name]
    return min(one.wall_s for one in other) / min(one.wall_s for one in reads["here", name])


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and say by the exit code whether it is fast enough."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--against", type=Path, required=True, help="the other checkout")
    parser.add_argument("--rows", type=positive, default=10_000_000)
    parser.add_argument("--repeats", type=positive, default=5)
    parser.add_argument("--folder", type=Path, help="where the files are made; a temporary folder by default")
    given = parser.parse_args(argv)
    Checkout(given.against).check()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        reads = measure(make(Path(folder), given.rows), given.against.resolve(), given.repeats)
    print("\n".join(lines(reads)))
    slow = [name for name in ("csv, numbers", "csv, texts") if gain(reads, name) < 1]
    slow += ["parquet"] if gain(reads, "parquet") < PARQUET_GAIN else []
    print(f"not fast enough: {', '.join(slow)}" if slow else "fast enough")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(ended(main))
