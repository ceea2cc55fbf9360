"""Whether a run directory is what its run wrote: checksums of files, digests of rows, the hash of the ledger, the books of each row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chordsim.errors import RunError, UserError
from chordsim.files import read_json
from chordsim.ledger.digest import ledger_sha256, rows_digest
from chordsim.ledger.invariants import check_rows
from chordsim.ledger.names import LEDGER, MANIFEST, SUMS
from chordsim.ledger.parquet import check, iter_rows
from chordsim.store.living import as_it_is


@dataclass(frozen=True)
class Verified:
    """What holds of a run.

    Attributes:
        files: Files that match their checksums.
        parts: Ledger files whose rows match the digests that they carry.
        rows: Their rows.
        ledger_sha256: The hash of the ledger as recomputed; None without rows.
        doubts: What could not be verified, a sentence each.
    """

    files: int
    parts: int
    rows: int
    ledger_sha256: str | None
    doubts: tuple[str, ...]


def verify(run: Path) -> Verified:
    """Recompute all that can be told of a run directory.

    Raises:
        UserError: Not a run directory.
        RunError: Something does not match; the text names it.
    """
    if not (run / MANIFEST).is_file():
        raise UserError(f"{run}: not a run directory: no {MANIFEST} in it")
    checked = check(run)
    if checked.gone:
        listed = f"{SUMS} lists it" if (run / SUMS).is_file() else "every run that has ended has one"
        raise RunError(f"{run / checked.gone[0]}: is gone, and {listed}")
    manifest = as_it_is(run, read_json(run / MANIFEST))
    digests, rows = {}, 0
    for part in iter_rows(run) if any((run / LEDGER).glob("*.parquet")) else ():
        check_rows(part)
        digests[part.method, part.round] = rows_digest(part)
        rows += len(part)
    claimed, found = manifest.get("ledger_sha256"), ledger_sha256(digests) if digests else None
    if claimed and claimed != found:
        raise RunError(f"{run}: its ledger hashes to {str(found)[:12]}, and its manifest names {str(claimed)[:12]}")
    doubts = [checked.doubt] if checked.doubt else []
    if not claimed:
        doubts.append(f"The run claims no ledger_sha256: it is {manifest.get('status', 'of unknown status')}.")
    return Verified(checked.files if not checked.doubt else 0, len(digests), rows, found, tuple(doubts))
