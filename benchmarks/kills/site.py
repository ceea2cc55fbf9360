"""A web server on this machine that gives out one made-up data set slowly, and whoever fetches it."""

from __future__ import annotations

import hashlib
import http.server
import os
import threading
import time
from typing import Self

from chordsim.data.catalog import Copy, Entry, Publisher, fetch_entry
from chordsim.progress import Silent

_BLOCK = 1 << 16


class Site:
    """Use it as a context manager. Ranges are honoured, so that a cut transfer can go on.

    Attributes:
        url: Of the file.
        sha256: Of its bytes.
    """

    def __init__(self, body: bytes, seconds: float) -> None:
        self.url, self.sha256 = "", hashlib.sha256(body).hexdigest()
        pause = seconds * _BLOCK / len(body)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range", "")
                begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
                self.send_response(206 if asked else 200)
                if asked:
                    self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
                self.send_header("Content-Length", str(len(body) - begin))
                self.end_headers()
                try:
                    for place in range(begin, len(body), _BLOCK):
                        self.wfile.write(body[place : place + _BLOCK])
                        time.sleep(pause)
                except OSError:  # the reader was killed
                    return

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> Self:
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/made-up.csv"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def fetch(self) -> Fetch:
        """Return who fetches it, without the server."""
        return Fetch(self.url, self.sha256)


class Fetch:
    """Fetches the file into a cache."""

    def __init__(self, url: str, sha256: str) -> None:
        self._url, self._sha256 = url, sha256

    def __call__(self, cache: str) -> int:
        """Do what `chordsim data fetch` does, for a set that is in no catalogue."""
        os.environ["CHORDSIM_CACHE"] = cache
        os.environ.pop("CHORDSIM_DATA", None)
        copy = Copy("made-up.csv", "csv", sha256=self._sha256, archive={"sha256": self._sha256})
        entry = Entry("made-up", "made up", "none", self._url, (copy,), publisher=Publisher(self._url, copy))
        return 0 if fetch_entry(entry, Silent()).verified else 1
