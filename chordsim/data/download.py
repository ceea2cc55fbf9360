"""Download one file over HTTP: progress, resume after a cut, a size limit, checksums before it gets its name."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chordsim.data import storing
from chordsim.errors import DataError
from chordsim.progress import Progress

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, in seconds, and how often to take up a cut transfer again."""

    connect_s: float = 5.0
    read_s: float = 20.0
    attempts: int = 3


class _CutError(Exception):
    """The transfer ended early; what came is kept."""


def download(
    url: str,
    path: Path,
    digests: Mapping[str, str],
    max_bytes: int,
    progress: Progress,
    *,
    refresh: bool = False,
    patience: Patience | None = None,
) -> None:
    """Download ``url`` to ``path``; what a cut transfer brought stays in ``path`` + ".part" for the next time.

    Args:
        url: An http or https address.
        path: Where the verified file goes, atomically.
        digests: What it must hash to, algorithm to hex.
        max_bytes: The most to accept.
        progress: Told of bytes.
        refresh: Download even if ``path`` is already there and right.
        patience: Time limits.

    Raises:
        DataError: One line that says why there is no such file.
    """
    patience = patience or Patience()
    part = path.with_name(path.name + ".part")
    with storing.locked(path.with_name(path.name + ".lock")):
        if not refresh and path.exists() and storing.mismatch(path, digests) is None:
            return  # Another process was quicker.
        while True:
            resumed = part.exists() and part.stat().st_size > 0
            _transfer(url, part, max_bytes, progress, patience)
            problem = storing.mismatch(part, digests)
            if problem is None:
                storing.publish(part, path)
                return
            part.unlink()
            if not resumed:
                raise DataError(f"{url}: {problem}")
            # The old part may have been of another version of the file: once more from the beginning.


def _transfer(url: str, part: Path, max_bytes: int, progress: Progress, patience: Patience) -> None:
    cut = ""
    for _ in range(patience.attempts):
        try:
            return _append(url, part, max_bytes, progress, patience)
        except _CutError as error:
            cut = str(error)
    raise DataError(f"{url}: {cut}; tried {patience.attempts} times, and the next try goes on from there")


def _append(url: str, part: Path, max_bytes: int, progress: Progress, patience: Patience) -> None:
    """Ask for what the part lacks and append it.

    Raises:
        _CutError: The server ended the transfer early.
        DataError: It is no use to ask again.
    """
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "chordsim", "Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    response = _open(urllib.request.Request(url, headers=headers), patience)  # noqa: S310 - `_open` allows http and https only
    if response is None:
        part.unlink()
        raise _CutError("the server cannot go on from the part that is here")
    with response:
        have = have if _goes_on(response, have) else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        if total is not None and total > max_bytes:
            raise DataError(f"{url}: {total:,} bytes, more than the expected {max_bytes:,} at most")
        progress.start(f"download {urllib.parse.urlsplit(url).path.rpartition('/')[2]}", total)
        progress.advance(have)
        try:
            with part.open("ab" if have else "wb") as file:
                while block := _read(response, have):
                    have += len(block)
                    if have > max_bytes:
                        break
                    file.write(block)
                    progress.advance(len(block))
        finally:
            progress.done()
    if have > max_bytes:
        part.unlink()
        raise DataError(f"{url}: more than the expected {max_bytes:,} bytes at most")
    if total is not None and have < total:
        raise _CutError(f"cut after {have:,} of {total:,} bytes")


def _goes_on(response: Any, have: int) -> bool:
    """Return whether the answer begins where our part ends; otherwise it is the whole file."""
    begins = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if response.status != 206:
        return False
    if begins is None or int(begins.group(1)) != have:
        raise DataError(f"{response.url}: the server answered with another part than was asked for")
    return True


def _read(response: Any, have: int) -> bytes:
    try:
        return bytes(response.read(_BLOCK))
    except (OSError, http.client.HTTPException) as error:
        raise _CutError(f"cut after {have:,} bytes ({type(error).__name__})") from None


def _open(request: urllib.request.Request, patience: Patience) -> Any:
    """Send the request; return the response, or None where the server refuses the range.

    Raises:
        DataError: No answer, or an answer that is not the file.
    """
    url = request.full_url
    if request.type not in ("http", "https"):
        raise DataError(f"{url}: not an http or https address")
    _resolve(request, patience.connect_s)
    opener = urllib.request.build_opener(_http(patience), _https(patience))
    try:
        return opener.open(request, timeout=patience.connect_s)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            return None
        raise DataError(f"{url}: the server answers {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        reason = error.reason
        text = (reason.strerror or str(reason)) if isinstance(reason, OSError) else str(reason)
        raise DataError(f"{url}: no connection ({text})") from None
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"{url}: no proper answer ({type(error).__name__})") from None


def _resolve(request: urllib.request.Request, seconds: float) -> None:
    """Look the host up within a time limit, which the system's resolver does not have; a proxy looks up for itself."""
    host = urllib.parse.urlsplit(request.full_url).hostname or ""
    if request.type in urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
        return
    failure: list[str] = []
    found = threading.Event()

    def look() -> None:
        try:
            socket.getaddrinfo(host, None)
        except OSError as error:
            failure.append(error.strerror or "unknown host")
        found.set()

    threading.Thread(target=look, daemon=True).start()
    if not found.wait(seconds):
        raise DataError(f"{request.full_url}: no name server answered within {seconds:g} s")
    if failure:
        raise DataError(f"{request.full_url}: no connection ({failure[0]})")


def _http(patience: Patience) -> urllib.request.HTTPHandler:
    class Connection(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            self.sock.settimeout(patience.read_s)

    class Handler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> Any:
            return self.do_open(Connection, req)

    return Handler()


def _https(patience: Patience) -> urllib.request.HTTPSHandler:
    class Connection(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            self.sock.settimeout(patience.read_s)

    class Handler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> Any:
            return self.do_open(Connection, req)

    return Handler()
