"""SHA256SUMS of a run directory: written when a run ends, checked by whatever reads it. `sha256sum -c SHA256SUMS` reads it too."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chordsim.errors import RunError, UserError, one_line
from chordsim.files import atomic_write, disk_errors
from chordsim.ledger.names import DEVICES, IMPORTANCE, LEDGER, MANIFEST, ROUNDS, SCENARIO, SUMMARY, SUMS, TRAINING

FILE = SUMS
#: What a run itself writes beside its ledger; a page, an export or a note of somebody's is not the run's.
_OWN = (SCENARIO, MANIFEST, DEVICES, ROUNDS, SUMMARY, TRAINING, IMPORTANCE, "plans.parquet", "trips.parquet")
_LINE = re.compile(r"([0-9a-f]{64})  ([^/\0\n]+|ledger/[^/\0\n]+)")


@dataclass(frozen=True)
class Checked:
    """What was found in order.

    Attributes:
        files: How many files match their checksums.
        doubt: What was not checked or is not there, in a sentence; "" where everything is in order.
        gone: Files that were taken away; what they told is missing from a page, and no other figure moves by it.
    """

    files: int
    doubt: str = ""
    gone: tuple[str, ...] = ()


UNCHECKED = Checked(0, "The files of this run were not checked against their checksums, as was asked for.")
NO_SUMS = (
    "This run has no SHA256SUMS (it has not ended, was cut off, or is of an earlier version): its ledger files match the digests that "
    "they carry, its other files were not checked."
)
NO_SUMS_NOR_ROWS = "This run has no SHA256SUMS and keeps no rows: nothing of it was checked."


def seal(run: Path, manifest: bytes) -> None:
    """Write the checksums of everything in a run directory that its readers take figures from.

    Args:
        run: The run directory.
        manifest: What manifest.json is about to hold. It is written last, so a kill in between leaves a run that has not ended.

    Raises:
        UserError, RunError: The disk refuses.
    """
    with disk_errors(run):
        sums = {name: _sha256(run / name) for name in _present(run) if name != MANIFEST}
    sums[MANIFEST] = hashlib.sha256(manifest).hexdigest()
    atomic_write(run / FILE, "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())).encode())


def unseal(run: Path) -> None:
    """Remove the checksums of a run that goes on."""
    with disk_errors(run):
        (run / FILE).unlink(missing_ok=True)


def check_files(run: Path) -> Checked | None:
    """Hold every file of a run against its checksum; None where there are no checksums.

    Raises:
        RunError: A file that was damaged, edited or added since the run ended, or a ledger file that was taken away; the text names it.
    """
    if not (run / FILE).is_file():
        return None
    told = _told(run)
    gone = tuple(name for name in told if "/" not in name and not (run / name).exists())
    for name, digest in told.items():
        if name not in gone:
            _hold(run, name, digest)
    for name in _present(run):
        if name not in told:
            raise RunError(f"{run / name}: is not listed in {FILE}: it was added after the run had ended")
    return Checked(len(told) - len(gone), missing(gone), gone)


def missing(gone: Sequence[str]) -> str:
    """Return the sentence that tells which files of a run were taken away; "" for none."""
    return f"Gone since this run ended, and missing here with all that it told: {', '.join(gone)}." if gone else ""


def verified(run: Path, name: str) -> Path:
    """Return a file of a run once it matches its checksum, where the run has any.

    Raises:
        RunError: It was damaged, edited or taken away since the run ended.
    """
    if (run / FILE).is_file():
        told = _told(run)
        if name in told:
            _hold(run, name, told[name])
        elif (run / name).exists():
            raise RunError(f"{run / name}: is not listed in {FILE}: it was added after the run had ended")
    return run / name


def _told(run: Path) -> dict[str, str]:
    path = run / FILE
    try:
        *lines, end = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read: {one_line(error)}") from error
    found = [_LINE.fullmatch(line) for line in lines]
    told = {match[2]: match[1] for match in found if match}
    if end or len(told) < len(lines) or MANIFEST not in told:
        raise RunError(f"{path}: is not a list of checksums: it was damaged or edited")
    return told


def _hold(run: Path, name: str, digest: str) -> None:
    path = run / name
    try:
        same = _sha256(path) == digest
    except FileNotFoundError:
        raise RunError(f"{path}: is gone, and {FILE} lists it") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not same:
        raise RunError(f"{path}: does not match {FILE}: it was damaged or edited after the run had ended")


def _present(run: Path) -> list[str]:
    ledger = (f"{LEDGER}/{path.name}" for path in (run / LEDGER).glob("*.parquet") if not path.name.startswith("."))
    return [*(name for name in _OWN if (run / name).is_file()), *sorted(ledger)]


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
