"""What each carrier costs: wall seconds of whole commands on one scenario with cached models, which must all give one hash.

Run: python -m benchmarks.carriers [--scenario NAME] [--repetitions N]. Prints a Markdown table; exit code 1
if a hash differs. Carriers take turns, so that a repetition compares them under the same conditions.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.cut_off import ended
from benchmarks.parser import parser_of, positive
from chordsim.engine import flower_env
from chordsim.errors import RunError
from chordsim.files import read_json

ROOT = Path(__file__).parents[1]
CARRIERS = {
    "in process, 2 threads": ("--workers", "2"),
    "in process, 1 thread": ("--workers", "1"),
    **{f"Ray, {n} worker{'s' if n > 1 else ''}": ("--engine", "ray", "--workers", str(n)) for n in (1, 2, 3)},
}
CLUSTER, FLOWER = "Ray, cluster of 2 nodes, by address", "`flwr run .`, 2 nodes"


class Carriers:
    """Runs one scenario on each carrier, in folders of its own."""

    def __init__(self, scenario: str, folder: Path) -> None:
        self._scenario, self._folder, self._runs = scenario, folder, 0
        self._home = folder / "flwr"
        self._path = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}

    def play(self, carrier: str) -> tuple[float, str]:
        """Return wall seconds of a whole command, and the hash of its ledger.

        Raises:
            RunError: The command failed.
        """
        self._runs += 1
        out = self._folder / f"run-{self._runs}"
        if carrier == FLOWER:
            seconds = self._flower(out)
        elif carrier == CLUSTER:
            seconds = self._cluster(out)
        else:
            seconds = self._command(out, *CARRIERS[carrier])
        return seconds, str(read_json(out / "manifest.json")["ledger_sha256"])

    def _command(self, out: Path, *options: str) -> float:
        return self._timed(["chordsim", "run", self._scenario, "--out", str(out), *options], self._path)

    def _cluster(self, out: Path) -> float:
        from ray.cluster_utils import Cluster

        os.environ["PYTHONPATH"] = self._path["PYTHONPATH"] = str(ROOT)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        try:
            cluster.add_node(num_cpus=1)
            return self._command(out, "--engine", "ray", "--ray-address", cluster.address)
        finally:
            cluster.shutdown()  # type: ignore[no-untyped-call]

    def _flower(self, out: Path) -> float:
        told = f'scenario="{self._scenario}" out="{out}"'
        federation = "num-supernodes=2 client-resources-num-cpus=1"
        command = ["flwr", "run", str(ROOT), "--stream", "--federation-config", federation, "--run-config", told]
        try:
            return self._timed(command, {**self._path, **flower_env.switches(self._home)})
        finally:
            for pid in flower_env.superlinks(self._home):
                flower_env.stop(pid)
            shutil.rmtree(self._home, ignore_errors=True)

    def _timed(self, command: list[str], environment: dict[str, str]) -> float:
        began = time.monotonic()
        done = subprocess.run(command, env=environment, cwd=self._folder, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        if done.returncode:
            raise RunError(f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
        return seconds


def main(arguments: list[str]) -> int:
    """Run, print the table, and return 1 if carriers disagree."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--scenario", default="quickstart")
    parser.add_argument("--repetitions", type=positive, default=3)
    given = parser.parse_args(arguments)
    names = [*CARRIERS, CLUSTER, FLOWER]
    seconds: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        carriers = Carriers(given.scenario, Path(folder))
        carriers.play(names[0])  # models into the cache
        hashes = set()
        for _ in range(given.repetitions):
            for name in names:
                took, digest = carriers.play(name)
                seconds[name].append(took)
                hashes.add(digest)
                print(f"{name}: {took:.1f} s", file=sys.stderr, flush=True)
    print(f"| carrier | {given.scenario}: median of {given.repetitions} (least to most) |\n| --- | ---: |")
    for name in names:
        print(f"| {name} | {statistics.median(seconds[name]):.1f} s ({min(seconds[name]):.1f} to {max(seconds[name]):.1f}) |")
    print(f"\nledgers: {', '.join(sorted(hashes))}")
    return int(len(hashes) != 1)


if __name__ == "__main__":
    sys.exit(ended(lambda: main(sys.argv[1:])))
