"""`chordsim deploy`: one phone per node, a real SuperLink between them and the cloud, bytes checked on both sides."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chordsim.api import RunResult
from chordsim.deploy.deployment import deployment
from chordsim.deploy.reconcile import Way, describe, reconcile
from chordsim.errors import UserError
from chordsim.files import atomic_write, free_folder, read_json
from chordsim.ledger.checksums import seal
from chordsim.progress import Progress, Silent
from chordsim.scenario.load import load
from chordsim.scenario.text import dump

MOST_NODES = 64
#: A message takes seconds: nodes and SuperLink ask one another every few seconds, and each call starts a process.
SECONDS_PER_MESSAGE = 120.0


@dataclass(frozen=True)
class Deployed:
    """A finished run on a deployment.

    Attributes:
        result: The run directory.
        ways: Bytes down and up, accounted for.
    """

    result: RunResult
    ways: dict[str, Way]


def deploy(
    scenario: str | Path,
    *,
    nodes: int,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    out: str | Path | None = None,
    logs: str | Path | None = None,
    progress: Progress | None = None,
) -> Deployed:
    """Run a scenario on a SuperLink and SuperNodes that are started for it on this machine and stopped after it.

    Args:
        scenario: A shipped name or a path.
        nodes: SuperNodes, each one phone.
        overrides: ``key=value`` over the scenario.
        seed: Over the scenario's.
        out: The run directory; by default the first free one under ``runs``.
        logs: An empty or new folder that keeps the processes' logs; by default they go when all is done.
        progress: Where long work reports to.

    Raises:
        UserError: A mistake in what was given.
        RunError: A process did not start, or the run failed.
        InvariantError: The bytes of ledger and SuperLink do not reconcile.
    """
    if not 1 <= nodes <= MOST_NODES:
        raise UserError(f"--nodes {nodes}: from 1 to {MOST_NODES}; more phones on one machine are what chordsim run is for")
    progress = progress or Silent()
    one_phone_each = [f"population.devices={nodes}", "population.selected=0", "engine.chunk_size=1", f"engine.cells={nodes}"]
    resolved = load(scenario, [*overrides, *one_phone_each, 'engine.kind="inprocess"'], seed)
    where = Path(os.path.abspath(out)) if out is not None else free_folder(Path("runs").absolute(), f"{resolved.name}-{resolved.seed}")
    legs = 4 * resolved.rounds.count * len(resolved.methods)
    progress.start(f"start a SuperLink and {nodes} nodes", None)
    with deployment(Path(logs) if logs is not None else None, keep=logs is not None) as link:
        link.add_nodes(nodes)
        progress.done(f"{nodes} nodes online at {link.address}, TLS and node authentication on")
        text = link.folder / f"{resolved.name}.toml"
        atomic_write(text, dump(resolved).encode(), lasting=False)
        progress.start("run on the nodes", None)
        seen = link.run(text, where, resolved.engine.timeout_s + legs * SECONDS_PER_MESSAGE, os.environ.get("CHORDSIM_DATA", ""))
        progress.done(f"the run took {seen['elapsed']}")
    result = RunResult(where)
    ways = account(result, seen["network-traffic"])
    summary = read_json(where / "summary.json")
    summary["deployment"] = {"nodes": nodes, "traffic": describe(ways)}
    atomic_write(where / "summary.json", (json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode())
    seal(where, (where / "manifest.json").read_bytes())
    return Deployed(RunResult(where), ways)


def account(result: RunResult, superlink: dict[str, Any]) -> dict[str, Way]:
    """Reconcile a run's ledger with what the SuperLink counted."""
    ledger = result.ledger
    # The ledger charges the bootstrap to phones as a product would; here it travelled beside the messages.
    # One that was cut off is all that such a phone received.
    bootstrap = ledger.bootstrap_bytes.clip(upper=ledger.down_bytes)
    sums = {"down_bytes": int((ledger.down_bytes - bootstrap).sum()), "up_bytes": int(ledger.up_bytes.sum())}
    return reconcile(sums, result.summary["engine"]["carried"], superlink)
