"""One round of a Flower app, one message to each phone: chordsim's engine with `PhoneGrid` against Flower's own simulation, side by side.

Run: python -m benchmarks.flower_apps.speed [ECHO_PHONES] [TRAINING_PHONES] [OUT.csv]. Flower's simulation has two Ray actors,
chordsim's engine two threads; both are warm: what is timed is `send_and_receive`, after a first exchange with 64 phones.
"""

from __future__ import annotations

import csv
import gc
import importlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from flwr.app import Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp
from flwr.simulation import run_simulation

from benchmarks.cut_off import ended
from benchmarks.flower_apps import echo, small
from benchmarks.parser import parser_of, positive
from chordsim.flower import PhoneGrid
from chordsim.flower.engines import PhonesInProcess

WORKERS = 2
_WARM = 64
_PATIENCE_S = 3000.0
FIELDS = ("app", "engine", "phones", "seconds", "app_s", "phones_per_s", "engine_ms_per_phone")


def once(grid: Grid, nodes: list[int], content: RecordDict, group: str) -> dict[str, float]:
    """Send one message to each node; return the seconds, and those that the apps took."""
    # A message of its own for each phone, as strategies make them; the content is one and the same.
    messages = [Message(content, dst_node_id=node, message_type="train", group_id=group) for node in nodes]
    gc.collect()
    began = time.perf_counter()
    replies = list(grid.send_and_receive(messages, timeout=_PATIENCE_S))
    seconds = time.perf_counter() - began
    lost = [reply.error.reason for reply in replies if reply.has_error()]
    if lost or len(replies) < len(nodes):
        raise RuntimeError(f"{len(nodes) - len(replies) + len(lost)} of {len(nodes)} phones gave no answer: {lost[:1]}")
    app_s = sum(_app_s(reply) for reply in replies)
    return {"seconds": seconds, "app_s": app_s}


def _app_s(reply: Message) -> float:
    return float(reply.content.metric_records["metrics"][small.APP_S])  # type: ignore[arg-type]


def flowers(name: str, phones: int, content: RecordDict) -> dict[str, float]:
    """Measure Flower's simulation, without `PhoneGrid`."""
    found: dict[str, float] = {}
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        while len(nodes := sorted(grid.get_node_ids())) < phones:
            time.sleep(0.2)
        once(grid, nodes[:_WARM], content, "warm")
        found.update(once(grid, nodes, content, "timed"))

    with tempfile.TemporaryDirectory(prefix="apps-", dir="/tmp") as folder:  # noqa: S108 (Ray's sockets need a short path)
        init = {"num_cpus": WORKERS, "num_gpus": 0, "include_dashboard": False, "log_to_driver": False, "_temp_dir": folder}
        backend: Any = {"client_resources": {"num_cpus": 1}, "init_args": init}
        client_app = importlib.import_module(f"benchmarks.flower_apps.{name}").app
        run_simulation(app, client_app, phones, backend_config=backend)
    return found


def ours(name: str, phones: int, content: RecordDict) -> dict[str, float]:
    """Measure chordsim's engine in one process, with phones, links, clock and ledger."""
    client_app = importlib.import_module(f"benchmarks.flower_apps.{name}").app
    scenario = _lossless()
    with tempfile.TemporaryDirectory() as folder, PhonesInProcess(client_app, phones, WORKERS) as nodes:
        with PhoneGrid(nodes, scenario, Path(folder) / "run") as grid:
            ids = grid.get_node_ids()
            once(grid, ids[:_WARM], content, "warm")
            return once(grid, ids, content, "timed")


def _lossless() -> Any:
    from chordsim.scenario.load import load

    # Everybody answers, so that both engines do the same work.
    return load("weak-links", ["clock.loss=0"])


def line(app: str, engine: str, phones: int, found: dict[str, float]) -> dict[str, Any]:
    """Return one line of the table."""
    # Processor seconds of the app, on so many workers at best.
    own_s = max(found["seconds"] - found["app_s"] / WORKERS, 0.0)
    rate, own_ms = phones / found["seconds"], own_s / phones * 1e3
    return {
        "app": app,
        "engine": engine,
        "phones": phones,
        "seconds": round(found["seconds"], 3),
        "app_s": round(found["app_s"], 3),
        "phones_per_s": round(rate, 1),
        "engine_ms_per_phone": round(own_ms, 3),
    }


def main(arguments: list[str]) -> None:
    """Measure each app on both engines, one after the other, and print how many times as fast."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("echo_phones", type=positive, nargs="?", default=10_000, metavar="ECHO_PHONES")
    parser.add_argument("training_phones", type=positive, nargs="?", default=1000, metavar="TRAINING_PHONES")
    parser.add_argument("out", type=Path, nargs="?", metavar="OUT.csv")
    given = parser.parse_args(arguments)
    os.environ |= {"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "FLWR_TELEMETRY_ENABLED": "0"}
    import torch

    torch.set_num_threads(1)
    training = RecordDict({"arrays": small.arrays_of(), "config": small.train_config()})
    lines = []
    for name, phones, content in (("echo", given.echo_phones, echo.content()), ("small", given.training_phones, training)):
        for engine, measure in (("chordsim", ours), ("flower", flowers), ("chordsim", ours)):
            lines.append(line(name, engine, phones, measure(name, phones, content)))
            print(lines[-1], flush=True)
        slower = max(found["seconds"] for found in lines[-3:] if found["engine"] == "chordsim")
        print(f"{name}: {lines[-2]['seconds'] / slower:.1f} times as fast as Flower's simulation, {phones} phones", flush=True)
    if given.out:
        with open(given.out, "w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines)


if __name__ == "__main__":
    sys.exit(ended(lambda: main(sys.argv[1:])))
