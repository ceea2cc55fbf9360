"""Shared by the data tests: no network, no user's cache, and the real sets where they are."""

from __future__ import annotations

import http.server
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chordsim.data.interactions import Interactions, SourceInfo
from chordsim.data.raw import RawLog

_BESIDE = Path(__file__).resolve().parents[4] / "shared" / "data"
REAL = Path(os.environ.get("CHORDSIM_DATA") or _BESIDE)


@pytest.fixture(autouse=True)
def own_places(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Point the cache at an empty folder and forget the user's data folder; return the cache."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("CHORDSIM_CACHE", str(cache))
    monkeypatch.delenv("CHORDSIM_DATA", raising=False)
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    return cache / "data"


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use the folder of real data sets, or skip."""
    if not (REAL / "ml-100k" / "ml-100k.inter.gz").is_file():
        pytest.skip("real data are not here: set CHORDSIM_DATA to their folder")
    monkeypatch.setenv("CHORDSIM_DATA", str(REAL))
    return REAL


@pytest.fixture
def log_of() -> Callable[..., Interactions]:
    """Return a maker of logs from (user, item) or (user, item, time) rows."""
    import numpy as np

    def make(rows: list[tuple[object, ...]]) -> Interactions:
        users, user_codes = np.unique([str(r[0]) for r in rows], return_inverse=True)
        items, item_codes = np.unique([str(r[1]) for r in rows], return_inverse=True)
        times = np.array([float(r[2]) for r in rows]) if len(rows[0]) > 2 else None  # type: ignore[arg-type]
        return RawLog(user_codes, users, item_codes, items, None, times).to_interactions(SourceInfo("made", "", "file", "", 0, 0))

    return make


class Site:
    """A web server on this machine that serves one file, as badly as a test wants.

    Attributes:
        body: What is served.
        cuts: Bytes after which the coming answers break off, one number an answer.
        ranges: Whether partial requests are honoured.
        status: Answer with this instead.
        asked: The Range header of each request, or None.
    """

    def __init__(self) -> None:
        self.body = b""
        self.cuts: list[int] = []
        self.ranges = True
        self.status = 200
        self.stall_s = 0.0
        self.tell_length = True
        self.asked: list[str | None] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/sets/set.zip"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, to: http.server.BaseHTTPRequestHandler) -> None:
        wanted = to.headers.get("Range")
        self.asked.append(wanted)
        if self.status != 200:
            to.send_error(self.status)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        if start and start >= len(self.body):
            to.send_error(416)
            return
        part = self.body[start:]
        to.send_response(206 if start else 200)
        if start:
            to.send_header("Content-Range", f"bytes {start}-{len(self.body) - 1}/{len(self.body)}")
        if self.tell_length:
            to.send_header("Content-Length", str(len(part)))
        to.end_headers()
        to.wfile.write(part[: self.cuts.pop(0)] if self.cuts else part)
        to.wfile.flush()
        time.sleep(self.stall_s)


@pytest.fixture
def site() -> Iterator[Site]:
    """Serve on this machine for one test."""
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


class Watched:
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.total: int | None = None
        self.steps = 0
        self.open = 0

    def start(self, title: str, total: int | None) -> None:
        self.titles.append(title)
        self.total, self.steps, self.open = total, 0, self.open + 1

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.steps += steps

    def done(self, note: str = "") -> None:
        self.open -= 1


@pytest.fixture
def watched() -> Watched:
    """Return a progress to look at afterwards."""
    return Watched()
