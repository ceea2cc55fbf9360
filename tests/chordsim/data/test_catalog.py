"""Where a data set is looked for, in which order, and what is said when it is nowhere."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from chordsim.data.catalog import Entry, Publisher, entries, fetch, fetch_entry
from chordsim.data.download import Patience
from chordsim.data.entries import Copy
from chordsim.data.formats import FORMATS, read_file
from chordsim.data.wheel import WheelCopy
from chordsim.errors import DataError
from chordsim.progress import Silent

TEXT = b"1\t2\t3\t4\n1\t3\t3\t5\n"
QUICK = Patience(connect_s=2, read_s=1, attempts=2)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


ZIP = zipped({"../evil": b"no", "toy/u.data": TEXT})
ZIP_COPY = Copy("toy.zip", "u.data", sha256(TEXT), "toy/u.data", {"sha256": sha256(ZIP)})
MEMBER = "toyset/data/toy.inter"
WHEEL_COPY = Copy("toy/toy.tsv", "u.data", sha256(TEXT))


def toy(url: str | None, wheel: str | None = None, wheel_bytes: int = 1 << 20) -> Entry:
    return Entry(
        name="toy",
        summary="",
        terms="",
        source="https://example.org/toy",
        copies=(Copy("toy/u.data.gz", "u.data", sha256(TEXT)), Copy("toy/u.data", "u.data", sha256(TEXT)), WHEEL_COPY, ZIP_COPY),
        publisher=Publisher(url, ZIP_COPY, 1 << 20) if url else None,
        wheel=(WheelCopy(wheel, MEMBER, wheel_bytes), WHEEL_COPY) if wheel else None,
    )


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("CHORDSIM_DATA", str(folder))
    return folder


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index that is a folder on this machine."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def add_wheel(index: Path, member: bytes | None) -> None:
    files = {
        "toyset/__init__.py": b"raise SystemExit('must never run')",
        "toyset-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: toyset\nVersion: 1.0\nRequires-Dist: not-there-at-all\n",
        "toyset-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "toyset-1.0.dist-info/RECORD": b"",
    }
    (index / "toyset-1.0-py3-none-any.whl").write_bytes(zipped(files | ({MEMBER: member} if member is not None else {})))


def get(entry: Entry, **options: Any) -> Any:
    return fetch_entry(entry, Silent(), patience=QUICK, **options)


def fails(entry: Entry, *faults: str) -> str:
    with pytest.raises(DataError) as caught:
        get(entry)
    text = str(caught.value)
    assert "\n" not in text
    for fault in faults:
        assert re.search(fault, text), text
    return text


@pytest.mark.parametrize(
    ("path", "data"), [("toy/u.data.gz", gzip.compress(TEXT)), ("toy/u.data", TEXT), ("toy.zip", ZIP)], ids=["gzip", "plain", "zip"]
)
def test_own_folder_comes_first_in_every_layout(own: Path, own_places: Path, path: str, data: bytes) -> None:
    for folder in (own, own_places):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    found = get(toy(None))
    assert (found.how, found.path, found.label, found.verified) == ("CHORDSIM_DATA", own / path, path, True)
    assert read_file(found.path, found.format, found.member).sha256 == found.sha256 == sha256(TEXT)


@pytest.mark.parametrize(
    ("path", "data"),
    [("toy/u.data", TEXT + b"1\t2\t3\t9\n"), ("toy.zip", ZIP + b"x"), ("toy/u.data.gz", gzip.compress(TEXT)[:-3])],
    ids=["plain", "zip", "gzip"],
)
def test_a_damaged_copy_in_the_own_folder_is_an_error(own: Path, site: Any, path: str, data: bytes) -> None:
    (own / path).parent.mkdir(exist_ok=True)
    (own / path).write_bytes(data)
    site.body = ZIP
    fails(toy(site.url), str(own / path), "wrong checksum|truncated", "found by CHORDSIM_DATA; mend it or move it away")
    assert not site.asked


def test_an_own_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORDSIM_DATA", "/no/such/folder")
    fails(toy(None), "CHORDSIM_DATA = /no/such/folder: no such folder")


def test_publisher_then_cache(site: Any, own_places: Path) -> None:
    site.body = ZIP
    first = get(toy(site.url))
    assert (first.how, first.label, first.path) == ("publisher", site.url, own_places / "toy.zip")
    second = get(toy(site.url))
    assert (second.how, second.label, second.sha256) == ("cache", "toy.zip", first.sha256)
    assert len(site.asked) == 1
    third = get(toy(site.url), refresh=True)
    assert third.how == "publisher" and len(site.asked) == 2
    assert not (own_places.parent / "evil").exists() and not (own_places.parent.parent / "evil").exists()


def test_a_damaged_cache_is_fetched_again(site: Any, own_places: Path) -> None:
    own_places.mkdir(parents=True)
    (own_places / "toy.zip").write_bytes(ZIP[:50])
    site.body = ZIP
    assert get(toy(site.url)).how == "publisher"
    assert get(toy(site.url)).how == "cache"


def test_a_refresh_that_fails_keeps_the_cache(site: Any, own_places: Path) -> None:
    site.body = ZIP
    get(toy(site.url))
    site.status = 404
    with pytest.raises(DataError, match="404"):
        get(toy(site.url), refresh=True)
    assert get(toy(site.url)).how == "cache"


def test_the_wheel_comes_last_and_only_its_file_is_unpacked(site: Any, index: Path, own_places: Path, watched: Any) -> None:
    site.status = 404
    add_wheel(index, TEXT)
    found = fetch_entry(toy(site.url, "toyset==1.0"), watched, patience=QUICK)
    assert (found.how, found.label, found.path) == ("toyset wheel", f"toyset==1.0:{MEMBER}", own_places / "toy/toy.tsv")
    assert found.path.read_bytes() == TEXT and watched.open == 0
    assert {p.name for p in own_places.rglob("*") if p.is_file()} == {"toy.tsv", "toy.zip.lock"}
    assert get(toy(site.url, "toyset==1.0")).how == "cache"


@pytest.mark.parametrize(
    ("member", "limit", "fault"),
    [
        (None, 1 << 20, "toyset-1.0-py3-none-any.whl: toyset/data/toy.inter: the archive has no such member"),
        (b"other", 1 << 20, "toyset==1.0: toyset/data/toy.inter has a wrong checksum"),
        (bytes(1 << 20), 1000, "more than 1,000 bytes"),
    ],
    ids=["missing", "other", "large"],
)
def test_wheels_that_do_not_hold_the_file(index: Path, own_places: Path, member: bytes | None, limit: int, fault: str) -> None:
    add_wheel(index, member)
    text = fails(toy(None, "toyset==1.0", limit), fault)
    assert "chordsim-wheel-" not in text, "no name of a temporary folder"
    assert not own_places.exists()


def test_everything_fails_in_one_line(site: Any, index: Path, own: Path) -> None:
    site.status = 503
    fails(
        toy(site.url, "toyset==1.0"),
        "^toy: not found. Tried CHORDSIM_DATA: no toy/u.data.gz or toy/u.data",
        "cache: no usable copy",
        f"{site.url}: the server answers 503",
        "pip cannot download toyset==1.0",
        "get it from https://example.org/toy and set CHORDSIM_DATA",
    )


def test_a_cache_that_cannot_be_written(site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path / "file"))
    site.body = ZIP
    fails(toy(site.url), f"the cache {tmp_path}/file/data: ")


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(DataError, match="no data set 'ml-100'.*did you mean 'ml-100k'"):
        fetch("ml-100", Silent())


def test_sets_without_a_direct_download_say_where_they_are() -> None:
    with pytest.raises(DataError, match="get it from https://.*set CHORDSIM_DATA to the folder that holds yelp/Yelp.txt"):
        fetch("yelp", Silent())


def test_the_catalogue_is_sound() -> None:
    assert set(entries()) == {"ml-100k", "ml-1m", "amazon-beauty", "amazon-cds", "yelp"}
    for name, entry in entries().items():
        assert entry.name == name and entry.summary and entry.terms and entry.source.startswith("https://")
        copies = [*entry.copies, *([entry.publisher.copy] if entry.publisher else []), *([entry.wheel[1]] if entry.wheel else [])]
        for copy in copies:
            assert copy in entry.copies, "what is fetched is found again"
            assert copy.format in FORMATS and not Path(copy.path).is_absolute()
            assert copy.sha256 is None or re.fullmatch("[0-9a-f]{64}", copy.sha256)
            assert (copy.member is None) == (not copy.archive)
        if entry.publisher:
            assert entry.publisher.url.startswith("https://") and set(entry.publisher.copy.archive) == {"md5", "sha256"}
