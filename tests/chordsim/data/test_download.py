"""Downloads that are cut, stalled, wrong, too large or refused."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from chordsim.data import storing
from chordsim.data.download import Patience, download
from chordsim.errors import DataError
from chordsim.progress import Silent

BODY = bytes(range(256)) * 2000
DIGESTS = {"md5": hashlib.md5(BODY).hexdigest(), "sha256": hashlib.sha256(BODY).hexdigest()}
QUICK = Patience(connect_s=2, read_s=0.5, attempts=3)


def get(site: Any, path: Path, progress: Any = None, digests: dict[str, str] = DIGESTS, max_bytes: int = 1 << 20, **options: Any) -> None:
    download(site.url, path, digests, max_bytes, progress or Silent(), patience=QUICK, **options)


def fails(site: Any, path: Path, fault: str, **options: Any) -> None:
    with pytest.raises(DataError, match=fault) as caught:
        get(site, path, **options)
    assert str(caught.value).startswith(site.url) and "\n" not in str(caught.value)
    assert not path.exists()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "set.zip"


@pytest.fixture(autouse=True)
def serve_body(site: Any) -> None:
    site.body = BODY


def test_whole_file_with_progress(site: Any, target: Path, watched: Any) -> None:
    get(site, target, watched)
    assert target.read_bytes() == BODY
    assert (watched.total, watched.steps, watched.open) == (len(BODY), len(BODY), 0)
    assert watched.titles == ["download set.zip"]
    assert not target.with_name("set.zip.part").exists()


def test_a_cut_transfer_goes_on_where_it_ended(site: Any, target: Path, watched: Any) -> None:
    site.cuts = [100_000, 50_000]
    get(site, target, watched)
    assert target.read_bytes() == BODY
    assert site.asked == [None, "bytes=100000-", "bytes=150000-"]
    assert (watched.total, watched.steps, watched.open) == (len(BODY), len(BODY), 0)


def test_the_next_call_goes_on_too(site: Any, target: Path) -> None:
    site.cuts = [100_000, 1000, 1000]
    fails(site, target, "cut after 102,000 of 512,000 bytes; tried 3 times")
    assert target.with_name("set.zip.part").stat().st_size == 102_000
    get(site, target)
    assert site.asked[-1] == "bytes=102000-" and target.read_bytes() == BODY


def test_a_server_without_ranges_starts_again(site: Any, target: Path) -> None:
    site.cuts, site.ranges = [100_000], False
    get(site, target)
    assert target.read_bytes() == BODY


def test_a_stalled_transfer_is_taken_up_again(site: Any, target: Path) -> None:
    site.cuts, site.stall_s = [100_000], 2.0
    threading.Timer(0.3, lambda: setattr(site, "stall_s", 0.0)).start()
    begun = time.monotonic()
    get(site, target)
    assert target.read_bytes() == BODY and time.monotonic() - begun < 2


def test_an_old_part_of_another_version_is_thrown_away(site: Any, target: Path) -> None:
    target.parent.mkdir()
    part = target.with_name("set.zip.part")
    for old in (b"other" * 1000, BODY + b"too long"):
        part.write_bytes(old)
        get(site, target)
        assert target.read_bytes() == BODY and not part.exists()
        target.unlink()


def test_wrong_checksum(site: Any, target: Path) -> None:
    site.body = BODY[:-1] + b"x"
    fails(site, target, "wrong checksum: md5")
    assert not target.with_name("set.zip.part").exists(), "what is wrong is not resumed"
    site.body, site.tell_length, site.cuts = BODY, False, [1000]
    fails(site, target, "wrong checksum")


def test_either_digest_is_enough_to_refuse(site: Any, target: Path) -> None:
    fails(site, target, "wrong checksum: sha256", digests=DIGESTS | {"sha256": "0" * 64})


@pytest.mark.parametrize("status", [403, 404, 500])
def test_refusals_of_the_server(site: Any, target: Path, status: int) -> None:
    site.status = status
    fails(site, target, f"the server answers {status}")
    assert len(site.asked) == 1


@pytest.mark.parametrize("tell", [True, False])
def test_too_large(site: Any, target: Path, tell: bool) -> None:
    site.tell_length = tell
    fails(site, target, "more than the expected 1,000 (bytes )?at most", max_bytes=1000)
    part = target.with_name("set.zip.part")
    assert not part.exists() or part.stat().st_size <= 1000


def test_nobody_listens(site: Any, target: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        site.url = f"http://127.0.0.1:{taken.getsockname()[1]}/set.zip"
        fails(site, target, "no connection")


def test_a_server_that_does_not_answer_is_left_in_time(site: Any, target: Path) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        site.url = f"http://127.0.0.1:{mute.getsockname()[1]}/set.zip"
        begun = time.monotonic()
        fails(site, target, "no (connection|proper answer)")
        assert time.monotonic() - begun < 2


def test_a_name_server_that_does_not_answer_is_left_in_time(site: Any, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: time.sleep(3))
    with pytest.raises(DataError, match="no name server answered within 0.2 s"):
        download(site.url, target, DIGESTS, 1000, Silent(), patience=Patience(connect_s=0.2))


def test_an_unknown_host(site: Any, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    fails(site, target, r"no connection \(Name or service not known\)")


def test_other_schemes_are_not_opened(site: Any, target: Path, tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(BODY)
    site.url = f"file://{tmp_path}/set.zip"
    fails(site, target, "not an http or https address")


def test_a_right_file_is_not_asked_for_again_unless_refreshed(site: Any, target: Path) -> None:
    get(site, target)
    get(site, target)
    assert len(site.asked) == 1
    get(site, target, refresh=True)
    assert len(site.asked) == 2 and target.read_bytes() == BODY


def test_two_at_a_time_download_once(site: Any, target: Path) -> None:
    site.stall_s = 0.2
    threads = [threading.Thread(target=get, args=(site, target)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == BODY and len(site.asked) == 1


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "new" / "file"
    storing.write_atomically(path, b"old")
    monkeypatch.setattr(storing, "publish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        storing.write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and list(path.parent.iterdir()) == [path]
