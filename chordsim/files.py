"""Files that are written whole or not at all, and read with a clear error."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from chordsim.errors import ChordsimError, RunError, UserError, one_line

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


def atomic_write(path: Path, data: bytes | memoryview, *, lasting: bool = True) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut.

    Args:
        path: The file; an older one is replaced, where it is a link the one that it names. A device or a pipe, such as ``/dev/stdout``, is
            written to as it is, since it cannot be replaced.
        data: What it will hold.
        lasting: Wait until it has reached the disk. Without, only the end of a process cannot halve it; `made_lasting` makes up for it.

    Raises:
        UserError: The place cannot be written (permissions, read-only, not a folder), or is a folder.
        RunError: The disk is full or fails; nothing is left of the new file.
    """
    kind = _kind(path)
    if stat.S_ISDIR(kind) or not path.name:
        raise UserError(f"{path}: a folder: name a file in it")
    if kind and not stat.S_ISREG(kind):
        with disk_errors(path), open(path, "wb") as stream:
            stream.write(data)
        return
    if path.is_symlink():
        path = Path(os.path.realpath(path))
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with disk_errors(path):
        try:
            with open(part, "wb") as file:
                file.write(data)
                if lasting:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        if lasting:
            sync_folder(path.parent)


def _kind(path: Path) -> int:
    """Return the mode of what is there, 0 where nothing is."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def made_lasting(paths: Iterable[Path]) -> None:
    """Wait until files, and that they are there, have reached the disk; those that are gone again are left out.

    Raises:
        RunError: The disk is full or fails.
    """
    found = [path for path in dict.fromkeys(paths) if path.exists()]
    for path in (*found, *dict.fromkeys(path.parent for path in found)):
        with disk_errors(path):
            sync_folder(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object from a run directory.

    Raises:
        UserError: Missing, or not a JSON object; the text names the file.
    """
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read: {one_line(error)}") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: not a JSON object")
    return found


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """Return a value as the JSON that lands on disk: indented, and no NaN in it."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says into one line for a person."""
    try:
        yield
    except OSError as error:
        raise disk_error(path, error) from error


def disk_error(path: Path, error: OSError) -> ChordsimError:
    """Return what the operating system said of a file as a line for a person: a mistake of the user's, or a failed run."""
    what = error.strerror or str(error)
    if error.errno in _USER_ERRNOS:
        return UserError(f"{path}: cannot be written: {what}: choose a folder that you may write to")
    hint = ": free some space; the files finished so far are whole" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return RunError(f"{path}: cannot be written: {what}{hint}")


def free_folder(parent: Path, stem: str) -> Path:
    """Make and return the first ``STEM-N`` that nobody has."""
    with disk_errors(parent):
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


def sync_folder(folder: Path) -> None:
    """Make a rename durable, or what a file holds."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
