"""Going on with a run that was cut off: what must be the same, what is adopted, what is redone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chordsim.config.model import Scenario
from chordsim.errors import RunError, UserError
from chordsim.ledger.columns import other_schema
from chordsim.ledger.names import MANIFEST, SCENARIO
from chordsim.ledger.parquet import file_name, read_rows
from chordsim.ledger.rows import Rows
from chordsim.ledger.summary import Summary
from chordsim.progress import Progress
from chordsim.round.enrolled import Hosted
from chordsim.scenario.text import dump
from chordsim.store import checkpoint
from chordsim.store.directory import RunDirectory
from chordsim.store.manifest import started
from chordsim.store.torn import has_lines, keep_scenario, kept_scenario, lacking

#: Manifest fields that decide whether a resumed ledger can equal an unbroken one.
_SAME = ("schema_version", "ledger_key", "versions", "instruction_set", "numerics")


@dataclass(frozen=True)
class Resume:
    """How to go on.

    Attributes:
        allow_drift: Go on although versions or numerics differ; the run then claims no hash.
    """

    allow_drift: bool = False


def opened(scenario: Scenario, out: Path | None, resume: Resume | None, progress: Progress) -> RunDirectory:
    """Return the locked folder of a new run, or of the one to go on with; what is played again is told, and why.

    Raises:
        UserError: The run is complete, or differs from what would go on, with what differs.
    """
    fresh = started(scenario)
    if resume is None:
        store = RunDirectory.create(out, name=scenario.name, seed=scenario.seed)
        return _begun(store, scenario, fresh)
    if out is None:
        raise UserError("resume needs the folder of the run")
    store = RunDirectory.reopen(out)
    try:
        if not store.manifest:
            # Nothing tells which versions played what is there.
            _say(progress, f"begun anew: {out / MANIFEST} is gone or half-written")
            checkpoint.forget(out)
            store.rewind(0)
            return _begun(store, scenario, fresh)
        lacks = lacking(out) if (ended := store.manifest.get("status") == "complete") else ""
        if ended and not lacks:
            raise UserError(f"{out}: this run is complete: there is nothing to resume")
        differs = [name for name in _SAME if store.manifest.get(name) != fresh[name]]
        if "schema_version" in differs:
            raise UserError(f"{out}: cannot resume: {other_schema(store.manifest.get('schema_version'))}")
        final = "ledger_key" in differs
        if differs and (final or not resume.allow_drift):
            what = "; ".join(_difference(name, store.manifest.get(name), fresh[name]) for name in differs)
            advice = "" if final else "; --allow-drift goes on all the same, without a hash"
            raise UserError(f"{out}: cannot resume: {what}{advice}")
        if lacks:
            _say(progress, f"this run was complete, and is played again from what is left: {lacks}")
        if not kept_scenario(out):
            keep_scenario(out, (out / SCENARIO).read_bytes())
        drift = sorted({*store.manifest.get("drift", []), *differs})
        store.write_manifest("running", **fresh, **({"drift": drift} if drift else {}))
    except BaseException:
        store.close()
        raise
    return store


def _say(progress: Progress, what: str) -> None:
    progress.start("resume", None)
    progress.done(what)


def _begun(store: RunDirectory, scenario: Scenario, fresh: dict[str, Any]) -> RunDirectory:
    """Return the folder of a run of which nothing is played yet; it is given free again if that cannot be written."""
    try:
        text = dump(scenario)
        keep_scenario(store.path, text.encode())
        store.write_scenario(text)
        store.write_manifest("running", **fresh)
    except BaseException:
        store.close()
        raise
    return store


def pick_up(store: RunDirectory, enrolled: Sequence[Hosted], summary: Summary, rounds: int) -> tuple[int, list[str]]:
    """Restore the newest checkpoint up to which everything is whole and every cell answered; take back what came after it.

    Args:
        store: The run.
        enrolled: Its methods, whose state is put back.
        summary: Takes the rows in.
        rounds: Rounds of the scenario. The last one is always played again, since its plans are sampled for the report.

    Returns:
        The last round that counts as done, and the errors of lost cells up to then: none.
    """
    for point in checkpoint.newest_first(store.path):
        rows = _whole(store.path, enrolled, point.round) if point.round < rounds and not point.errors else None
        if rows is None:
            continue
        checkpoint.restore(point, enrolled)
        for part in rows:
            store.adopt(part)
            summary.add(part)
        store.rewind(point.round)
        return point.round, list(point.errors)
    store.rewind(0)
    return 0, []


def _whole(run: Path, enrolled: Sequence[Hosted], rounds: int) -> list[Rows] | None:
    """Return all rows up to a round in the order of play, or None if a file or a line of a round is missing or damaged."""
    out: list[Rows] = []
    if not has_lines(run, [method.spec.name for method in enrolled], rounds):
        return None
    for round in range(1, rounds + 1):
        for method in enrolled:
            try:
                out.append(read_rows(run / "ledger" / file_name(method.spec.name, round)))
            except (RunError, UserError):
                return None
    return out


def _difference(name: str, before: Any, now: Any) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        parts = [f"{key} {before.get(key)} then, {now.get(key)} now" for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
        return f"{name}: {', '.join(parts)}"
    return f"{name}: {before} then, {now} now"
