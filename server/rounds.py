"""The run: round after round let every method play, and write what happened."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chordsim.config.model import Scenario
from chordsim.engine.cell import Carrier
from chordsim.errors import StopRun, UserError
from chordsim.events import Begun, Round, tell
from chordsim.forecast.predict import as_json, beside
from chordsim.kernels.choose import as_played, told
from chordsim.ledger.names import NOT_KEPT
from chordsim.ledger.round_lines import RoundLine
from chordsim.ledger.rows import joined
from chordsim.progress import Progress
from chordsim.round.bindings import Tally
from chordsim.scenario.text import dump
from chordsim.sized import sized_world
from chordsim.store.directory import RunDirectory
from chordsim.store.ending import ending
from chordsim.store.manifest import peak_rss_bytes, protocol
from chordsim.store.resume import Resume, opened
from chordsim.threads import pool
from chordsim.wire.frame import check_method_ids
from chordsim.world import fresh
from server.stages import MOST_ROWS, LiveStage, SizesStage, Stage, summed, with_metrics


def run(scenario: Scenario, out: Path | None, carrier: Carrier, progress: Progress, resume: Resume | None = None) -> Path:
    """Run a scenario and return its run directory.

    Args:
        scenario: Resolved.
        out: Where to write; None takes the first free folder under ``runs``.
        carrier: What moves messages to the phones.
        progress: Where long work reports to.
        resume: Go on with the run in ``out`` instead of starting one.

    Raises:
        ChordsimError: A user's mistake or a failed run; what was finished stays readable.
    """
    began = time.monotonic()
    check_method_ids(scenario.methods)
    in_sizes = scenario.protocol.metrics == "none"
    scenario = _resolved(scenario, progress)
    if in_sizes and resume is not None:
        raise UserError('a run of protocol.metrics = "none" takes seconds and cannot be resumed: start it anew')
    with opened(scenario, out, resume, progress) as store, _told(store, resume is None):
        tell(progress, Begun(store.path.absolute(), scenario.model_dump(mode="json"), resume is not None))
        stage = _stage(scenario, carrier, progress)
        store.write_manifest("running", **stage.about(), protocol=protocol(scenario))
        predicted = stage.forecast()
        store.write_manifest("running", forecast=as_json(predicted) if predicted else None)
        summary, done, errors = stage.begin(store, resume is not None)
        rounds_began = time.monotonic()
        with pool(scenario.engine.workers) as threads:
            _play_all(stage, scenario.rounds.count, store, summary, progress, done, errors, threads)
        whole, remarks = with_metrics(summed(stage, summary), stage, store.path)
        device_rounds = sum(int(m["device_rounds"]) for m in whole["methods"].values())
        engine = {
            "device_rounds_per_s": device_rounds / max(time.monotonic() - rounds_began, 1e-9),
            "wall_s": time.monotonic() - began,
            "peak_rss_bytes": peak_rss_bytes(),
            "train_s": stage.train_s,
            **({"cloud_s": stage.listing_s} if scenario.protocol.ranking == "candidates" else {}),
            **({} if in_sizes else carrier.report()),
        }
        whole |= {"engine": engine, "protocol": protocol(scenario)}
        store.write_summary({**whole, "forecast": beside(predicted, whole)} if predicted else whole)
        status, errors = ending(scenario, whole["methods"], errors, store.manifest.get("quarantine"))
        claim = _claim(stage, store, errors, engine.get("other_numerics", []), remarks)
        store.write_manifest(status, budgets=summary.bindings.report(), **claim)
        return store.path


def _resolved(scenario: Scenario, progress: Progress) -> Scenario:
    """Return the scenario with the kernel that it is played with, so that workers and a resumed run use no other, and tell which it is.

    Raises:
        ScenarioError: The kernel that is asked for cannot be had.
    """
    if scenario.protocol.metrics == "none":
        return as_played(scenario)
    progress.start("kernel", None)
    played = as_played(scenario)
    progress.done(told(scenario.engine.kernel, scenario.backbone, scenario.engine.device))
    return played


def _stage(scenario: Scenario, carrier: Carrier, progress: Progress) -> Stage:
    """Return where the rounds are played: in sizes where no metrics are asked for."""
    if scenario.protocol.metrics == "none":
        return SizesStage(sized_world(scenario, progress))
    return LiveStage(fresh(dump(scenario), progress), carrier, progress)


@contextmanager
def _told(store: RunDirectory, new: bool) -> Iterator[None]:
    """Let the manifest say how the run ended, whatever ends it; of a new run that a user's mistake ends before it plays nothing is left."""
    try:
        yield
    except (KeyboardInterrupt, StopRun):
        store.write_manifest("interrupted")
        raise
    except BaseException as error:
        if new and isinstance(error, UserError) and store.discard():
            raise
        store.write_manifest("failed", errors=[f"{type(error).__name__}: {error}"])
        raise


def _claim(stage: Stage, store: RunDirectory, errors: list[str], others: list[str], remarks: list[str]) -> dict[str, Any]:
    """Return what the manifest says of the ledger: its hash, where the run may claim one.

    Args:
        stage: Where it was played.
        store: The run.
        errors: What was lost.
        others: What nodes compute with that is not what the server does: which cell goes where then decides last bits.
        remarks: What else must be said.
    """
    if not stage.keeps_rows:
        return {"errors": errors, NOT_KEPT: f"rows of more than {MOST_ROWS:,} phones a round are not kept: their sums are in summary.json"}
    mixed = [f"nodes of this run compute with other numerics than its server ({other}), so it claims no hash" for other in others]
    claimed = None if errors or others or store.manifest.get("drift") else store.ledger_sha256
    return {"errors": errors, "ledger_sha256": claimed, "remarks": [*store.manifest.get("remarks", []), *mixed, *remarks]}


def _play_all(
    stage: Stage,
    rounds: int,
    store: RunDirectory,
    summary: Tally,
    progress: Progress,
    done: int,
    errors: list[str],
    threads: Executor,
) -> None:
    """Play the rounds after ``done``; add the errors of lost cells to ``errors``."""
    progress.start("rounds", (rounds - done) * len(stage.methods))
    for round in range(done + 1, rounds + 1):
        lines = []
        for method in stage.methods:
            began, gathered, parts = time.monotonic(), RoundLine(), []
            for played in stage.play(round, method, threads):
                summary.add(played.rows if stage.keeps_rows else played.rows.of_nobody())
                gathered.add(played.rows, played.round_s)
                errors += played.errors
                parts += [played.rows] if stage.keeps_rows else []
            if parts:
                store.write_rows(joined(parts))
            lines.append(gathered.line(round, method))
            rate = int(lines[-1]["selected"] or 0) / max(time.monotonic() - began, 1e-9)
            progress.advance(1, f"round {round} {method}:{_short(lines[-1]['ndcg_10'])} {rate:,.0f} devices/s")
        store.append_rounds(lines)
        stage.close_round(round, store, errors, threads)
        tell(progress, Round(round, {str(line["method"]): line for line in lines}))
    progress.done()
    stage.end(store)


def _short(ndcg: Any) -> str:
    return "" if ndcg is None else f" NDCG@10 {ndcg:.4f},"
