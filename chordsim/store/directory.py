"""The run directory: every file of a run, each written whole or not at all, by one run at a time."""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import io
import json
import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy.typing as npt

from chordsim.errors import UserError
from chordsim.files import atomic_write, disk_error, disk_errors, free_folder, json_bytes, made_lasting
from chordsim.ledger.checksums import seal, unseal
from chordsim.ledger.digest import ledger_sha256, rows_digest
from chordsim.ledger.names import CHECKPOINT, DEVICES, LEDGER, LOCK, MANIFEST, ROUNDS, SCENARIO, SUMMARY
from chordsim.ledger.round_lines import ROUND_FIELDS
from chordsim.ledger.rows import Rows
from chordsim.store.torn import manifest_of

if TYPE_CHECKING:
    from typing import Self

Status = Literal["running", "complete", "interrupted", "failed", "degraded"]


#: Seconds between two rounds that wait for the disk: what a power cut may take back, and never more than whole rounds. The end of the
#: process takes back nothing.
LASTING_S = 5.0


class RunDirectory:
    """One run's folder, locked while this object is open. Use `create` or `reopen`; close it, or use ``with``.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock
        self._manifest: dict[str, Any] = {}
        self._digests: dict[tuple[str, int], bytes] = {}
        self._loose: list[Path] = []
        self._lasted = -math.inf

    @classmethod
    def create(cls, out: Path | None, *, name: str, seed: int, resumes: bool = True) -> RunDirectory:
        """Make and lock the folder of a new run.

        Args:
            out: Where; it may exist if it is empty. None takes the first free ``runs/NAME-SEED-N`` under the
                working directory.
            name: The scenario's name.
            seed: The scenario's seed.
            resumes: Whether a run of this kind can be continued, which who finds an earlier one is told.

        Raises:
            UserError: The folder is not empty, in use by another run, or cannot be written.
        """
        path = free_folder(Path("runs"), f"{name}-{seed}") if out is None else out
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        begun = (path / LOCK).exists()
        lock = take_lock(path)
        try:
            with disk_errors(path):
                found = sorted(entry.name for entry in path.iterdir() if entry.name != LOCK)
            if found and not (begun and _killed_at_once(path, found)):
                if {MANIFEST, SCENARIO} & {*found}:
                    way_out = f", or continue that run with --resume {path}" if resumes else " (a Flower app's run is not continued)"
                    raise UserError(f"{path}: holds an earlier run: choose another folder{way_out}")
                raise UserError(f"{path}: is not empty (it holds {found[0]}): choose an empty or a new folder")
            with disk_errors(path):
                (path / LEDGER).mkdir(exist_ok=True)
                _clear_parts(path)
        except BaseException:
            os.close(lock)
            raise
        return cls(path, lock)

    @classmethod
    def reopen(cls, path: Path) -> RunDirectory:
        """Lock the folder of an earlier run to go on writing into it.

        The manifest is read back; it is empty where a kill left none, or a torn one. What a kill left half-written is cut off
        (rounds.csv) or removed (files not yet renamed); ledger files are the caller's to verify and to announce with `adopt`.

        Raises:
            UserError: No such run, a manifest that cannot be read, or a folder in use by another run.
        """
        manifest_of(path)
        lock = take_lock(path)
        try:
            run = cls(path, lock)
            run._manifest = manifest_of(path)
            with disk_errors(path):
                (path / LEDGER).mkdir(exist_ok=True)
                _cut_unfinished_line(path / ROUNDS)
                _clear_parts(path)
        except BaseException:
            os.close(lock)
            raise
        return run

    @property
    def ledger_sha256(self) -> str:
        """The hash over everything that was written or adopted so far."""
        return ledger_sha256(self._digests)

    def write_scenario(self, text: str) -> None:
        """Write the resolved scenario."""
        atomic_write(self.path / SCENARIO, text.encode())

    def write_manifest(self, status: Status, **fields: Any) -> None:
        """Write the manifest: what earlier calls gave, with ``fields`` over it, and the status; checksums of all files where a run ends."""
        if status not in get_args(Status):
            raise ValueError(f"status {status!r}: one of {', '.join(get_args(Status))}")
        if status != "running":
            self.settle()
        self._manifest = {**self._manifest, **fields, "status": status}
        data = json_bytes(self._manifest)
        if status != "running":
            seal(self.path, data)
        atomic_write(self.path / MANIFEST, data)
        if status == "running":
            # Only now: a kill in between must not leave a run that says it is complete, with nothing to hold it against.
            unseal(self.path)

    def note_quarantine(self, round: int, found: Mapping[str, Mapping[str, int]]) -> None:
        """Write into the manifest what a round set aside, by method and by what made no sense; once more replaces it."""
        before = dict(self._manifest.get("quarantine", {}))
        after = {**{key: value for key, value in before.items() if int(key) != round}, **({str(round): found} if found else {})}
        if after != before:
            self.write_manifest("running", quarantine=after)

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest as last written or read."""
        return self._manifest

    def write_rows(self, rows: Rows) -> Path:
        """Write one method's round and take its digest into `ledger_sha256`."""
        from chordsim.ledger.parquet import write_rows

        digest = rows_digest(rows)
        path = write_rows(self.path / LEDGER, rows, digest, lasting=False)
        self._loose.append(path)
        self._digests[rows.method, rows.round] = digest
        return path

    def adopt(self, rows: Rows) -> None:
        """Take rows that an earlier run wrote into `ledger_sha256`."""
        self._digests[rows.method, rows.round] = rows_digest(rows)

    def rewind(self, round: int) -> None:
        """Take back what was written after a round: ledger files and lines of rounds.csv."""
        from chordsim.ledger.parquet import round_of

        with disk_errors(self.path):
            for path in (self.path / LEDGER).glob("*.parquet"):
                if round_of(path) > round:
                    path.unlink()
            listing = self.path / ROUNDS
            if round and listing.exists():
                head, *lines = listing.read_text(encoding="utf-8").splitlines(keepends=True)
                kept = [line for line in lines if int(line.split(",", 1)[0]) <= round]
                atomic_write(listing, "".join([head, *kept]).encode())
            elif not round:
                listing.unlink(missing_ok=True)
            (self.path / SUMMARY).unlink(missing_ok=True)
        self._digests = {key: digest for key, digest in self._digests.items() if key[1] <= round}

    def discard(self) -> bool:
        """Remove what a run has written that played nothing, so that the folder can be taken again; return whether it did."""
        if any((self.path / LEDGER).glob("*.parquet")) or (self.path / ROUNDS).exists():
            return False
        with disk_errors(self.path):
            unseal(self.path)
            for name in (MANIFEST, SCENARIO, f"{CHECKPOINT}/{SCENARIO}", DEVICES, SUMMARY):
                (self.path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # where somebody else has put something in, it stays
            for folder in (CHECKPOINT, LEDGER):
                (self.path / folder).rmdir()
            (self.path / LOCK).unlink()
            self.path.rmdir()
        return True

    def append_rounds(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Append lines of `ledger.rounds.RoundLine` to rounds.csv, all of them or none."""
        path = self.path / ROUNDS
        text = io.StringIO()
        writer = csv.DictWriter(text, ROUND_FIELDS, lineterminator="\n")
        if not path.exists():
            writer.writeheader()
        writer.writerows(lines)
        with disk_errors(path):
            _append(path, text.getvalue().encode())
        self._loose.append(path)

    @property
    def due(self) -> bool:
        """Whether `LASTING_S` seconds have passed since rounds last waited for the disk."""
        return time.monotonic() - self._lasted >= LASTING_S

    def settle(self, more: Iterable[Path] = ()) -> None:
        """Wait until the rounds so far, and ``more`` files that were written for them, have reached the disk.

        Raises:
            RunError: The disk is full or fails.
        """
        made_lasting([*self._loose, *more])
        self._loose, self._lasted = [], time.monotonic()

    def write_devices(self, columns: Mapping[str, npt.NDArray[Any]], holds: Mapping[str, int | bool | str] | None = None) -> None:
        """Write devices.parquet: one row per device, columns of equal length; ``holds`` becomes the file's metadata."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        from chordsim import arrow

        buffer = pa.BufferOutputStream()
        table = pa.table({name: arrow.column(values) for name, values in columns.items()})
        meta: dict[str, str] = {f"chordsim.{key}": json.dumps(value) for key, value in (holds or {}).items()}
        pq.write_table(table.replace_schema_metadata(meta), buffer, compression="zstd")
        atomic_write(self.path / DEVICES, memoryview(buffer.getvalue()))

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json."""
        atomic_write(self.path / SUMMARY, json_bytes(summary))

    def close(self) -> None:
        """Give the folder free. Closing twice does nothing."""
        if self._lock is not None:
            # The lock file stays: to remove it would let a third run lock a new one beside a second that waits.
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def take_lock(path: Path) -> int:
    """Return a descriptor that holds the folder's lock until it is closed or the process ends."""
    with disk_errors(path):
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise disk_error(path, error) from error
        raise UserError(f"{path}: another run is writing here: wait for it, or choose another folder") from None
    return lock


def _clear_parts(path: Path) -> None:
    """Remove files that were not yet renamed when a run was killed."""
    for folder in (path, path / LEDGER, path / CHECKPOINT):
        for part in folder.glob(".*.part"):
            part.unlink()


def _killed_at_once(path: Path, found: Sequence[str]) -> bool:
    """Return whether a folder holds but what a run leaves that was killed before its first manifest: nothing that anybody would miss."""
    wrote = {LEDGER, SCENARIO, CHECKPOINT}
    if any(name not in wrote and not (name.startswith((f".{SCENARIO}.", f".{MANIFEST}.")) and name.endswith(".part")) for name in found):
        return False
    kept = [*(path / LEDGER).glob("*"), *(entry for entry in (path / CHECKPOINT).glob("*") if SCENARIO not in entry.name)]
    return LEDGER in found and not kept


def _append(path: Path, data: bytes) -> None:
    """Append to a file; a short or failed write is taken back."""
    with open(path, "ab", buffering=0) as file:
        before = os.fstat(file.fileno()).st_size
        try:
            written = file.write(data)
            if written != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            # Where even this fails, `reopen` cuts the unfinished line.
            with contextlib.suppress(OSError):
                file.truncate(before)
                if not before:
                    path.unlink()
            raise


def _cut_unfinished_line(path: Path) -> None:
    """Cut off what follows the last line end: a kill in the middle of an append."""
    if path.exists():
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if not whole:
            path.unlink()  # not even the head: the next line to be written writes it again
        elif whole < len(data):
            os.truncate(path, whole)
