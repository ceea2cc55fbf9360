"""The run directory: every file of a run, each written whole or not at all, by one run at a time."""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy.typing as npt

from chordsim.errors import ChordsimError, RunError, UserError
from chordsim.ledger.digest import ledger_sha256, rows_digest
from chordsim.ledger.rounds import ROUND_FIELDS
from chordsim.ledger.rows import Rows

if TYPE_CHECKING:
    from typing import Self

Status = Literal["running", "complete", "interrupted", "failed", "degraded"]
SCENARIO, MANIFEST, DEVICES, ROUNDS, SUMMARY, LOCK = (
    "scenario.toml", "manifest.json", "devices.parquet", "rounds.csv", "summary.json", ".lock",
)  # fmt: skip
_USER_ERRNOS = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOENT,
}


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

    @classmethod
    def create(cls, out: Path | None, *, name: str, seed: int) -> RunDirectory:
        """Make and lock the folder of a new run.

        Args:
            out: Where; it may exist if it is empty. None takes the first free ``runs/NAME-SEED-N`` under the
                working directory.
            name: The scenario's name.
            seed: The scenario's seed.

        Raises:
            UserError: The folder is not empty, in use by another run, or cannot be written.
        """
        path = free_folder(Path("runs"), f"{name}-{seed}") if out is None else out
        with _disk(path):
            path.mkdir(parents=True, exist_ok=True)
        lock = take_lock(path)
        try:
            with _disk(path):
                found = sorted(entry.name for entry in path.iterdir() if entry.name != LOCK)
            if found:
                if MANIFEST in found:
                    raise UserError(f"{path}: holds an earlier run: choose another folder, or continue that run with --resume {path}")
                raise UserError(f"{path}: is not empty (it holds {found[0]}): choose an empty or a new folder")
            with _disk(path):
                (path / "ledger").mkdir()
        except BaseException:
            os.close(lock)
            raise
        return cls(path, lock)

    @classmethod
    def reopen(cls, path: Path) -> RunDirectory:
        """Lock the folder of an earlier run to go on writing into it.

        The manifest is read back. What a kill left half-written is cut off (rounds.csv) or removed (files not
        yet renamed); ledger files are the caller's to verify and to announce with `adopt`.

        Raises:
            UserError: No such run, a manifest that cannot be read, or a folder in use by another run.
        """
        if not (path / MANIFEST).is_file():
            raise UserError(f"{path}: not a run directory: no {MANIFEST} in it")
        lock = take_lock(path)
        try:
            run = cls(path, lock)
            run._manifest = read_json(path / MANIFEST)
            with _disk(path):
                (path / "ledger").mkdir(exist_ok=True)
                _cut_unfinished_line(path / ROUNDS)
                for part in (*path.glob(".*.part"), *(path / "ledger").glob(".*.part")):
                    part.unlink()
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
        """Write the manifest: what earlier calls gave, with ``fields`` over it, and the status."""
        if status not in get_args(Status):
            raise ValueError(f"status {status!r}: one of {', '.join(get_args(Status))}")
        self._manifest = {**self._manifest, **fields, "status": status}
        atomic_write(self.path / MANIFEST, _json(self._manifest))

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
        path = write_rows(self.path / "ledger", rows, digest)
        self._digests[rows.method, rows.round] = digest
        return path

    def adopt(self, rows: Rows) -> None:
        """Take rows that an earlier run wrote into `ledger_sha256`."""
        self._digests[rows.method, rows.round] = rows_digest(rows)

    def rewind(self, round: int) -> None:
        """Take back what was written after a round: ledger files and lines of rounds.csv."""
        from chordsim.ledger.parquet import round_of

        with _disk(self.path):
            for path in (self.path / "ledger").glob("*.parquet"):
                if round_of(path) > round:
                    path.unlink()
            listing = self.path / ROUNDS
            if listing.exists():
                head, *lines = listing.read_text().splitlines(keepends=True)
                kept = [line for line in lines if int(line.split(",", 1)[0]) <= round]
                atomic_write(listing, "".join([head, *kept]).encode())
            (self.path / SUMMARY).unlink(missing_ok=True)
        self._digests = {key: digest for key, digest in self._digests.items() if key[1] <= round}

    def append_rounds(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Append lines of `ledger.rounds.round_line` to rounds.csv, all of them or none."""
        path = self.path / ROUNDS
        text = io.StringIO()
        writer = csv.DictWriter(text, ROUND_FIELDS, lineterminator="\n")
        if not path.exists():
            writer.writeheader()
        writer.writerows(lines)
        with _disk(path):
            _append(path, text.getvalue().encode())

    def write_devices(self, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write devices.parquet: one row per device, columns of equal length."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        buffer = pa.BufferOutputStream()
        pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), buffer, compression="zstd")
        atomic_write(self.path / DEVICES, memoryview(buffer.getvalue()))

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json."""
        atomic_write(self.path / SUMMARY, _json(summary))

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


def atomic_write(path: Path, data: bytes | memoryview) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut.

    Args:
        path: The file; an older one is replaced.
        data: What it will hold.

    Raises:
        UserError: The place cannot be written (permissions, read-only, not a folder).
        RunError: The disk is full or fails; nothing is left of the new file.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _disk(path):
        try:
            with open(part, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        _sync_folder(path.parent)


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object from a run directory.

    Raises:
        UserError: Missing, or not a JSON object; the text names the file.
    """
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: not a JSON object")
    return found


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Turn what the operating system says into one line for a person."""
    try:
        yield
    except OSError as error:
        raise _disk_error(path, error) from error


def _disk_error(path: Path, error: OSError) -> ChordsimError:
    what = error.strerror or str(error)
    if error.errno in _USER_ERRNOS:
        return UserError(f"{path}: cannot be written: {what}: choose a folder that you may write to")
    hint = ": free some space; the files finished so far are whole" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return RunError(f"{path}: cannot be written: {what}{hint}")


def free_folder(parent: Path, stem: str) -> Path:
    """Make and return the first ``STEM-N`` that nobody has."""
    with _disk(parent):
        parent.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            path = parent / f"{stem}-{number}"
            try:
                path.mkdir()
            except FileExistsError:
                number += 1
            else:
                return path


def take_lock(path: Path) -> int:
    """Return a descriptor that holds the folder's lock until it is closed or the process ends."""
    with _disk(path):
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise _disk_error(path, error) from error
        raise UserError(f"{path}: another run is writing here: wait for it, or choose another folder") from None
    return lock


def _append(path: Path, data: bytes) -> None:
    """Append to a file; a short or failed write is taken back."""
    with open(path, "ab", buffering=0) as file:
        before = os.fstat(file.fileno()).st_size
        try:
            written = file.write(data)
            if written != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except OSError:
            # Where even this fails, `reopen` cuts the unfinished line.
            with contextlib.suppress(OSError):
                file.truncate(before)
            raise


def _cut_unfinished_line(path: Path) -> None:
    """Cut off what follows the last line end: a kill in the middle of an append."""
    if path.exists():
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(path, whole)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
