"""Opening files: what is missing, cut, damaged or out to fill the memory."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from chordsim.data.content import Limits, read_content
from chordsim.errors import DataError

TEXT = b"1\t2\t3\t4\n" * 5000


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return buffer.getvalue()


def fails(path: Path, fault: str, member: str | None = None, limits: Limits | None = None) -> None:
    with pytest.raises(DataError, match=fault) as caught:
        read_content(path, member, limits)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_plain_and_gzip_have_the_same_content_whatever_the_name(tmp_path: Path) -> None:
    (tmp_path / "plain.gz").write_bytes(TEXT)
    (tmp_path / "packed.txt").write_bytes(gzip.compress(TEXT[:8000]) + gzip.compress(TEXT[8000:]))
    plain, packed = (read_content(tmp_path / n) for n in ("plain.gz", "packed.txt"))
    assert plain == packed and plain.data == TEXT
    assert plain.sha256 == hashlib.sha256(TEXT).hexdigest()


def test_missing_folder_and_pipe(tmp_path: Path) -> None:
    fails(tmp_path / "no.csv", "no such file")
    fails(tmp_path, "not a file, but a folder")
    os.mkfifo(tmp_path / "pipe")
    fails(tmp_path / "pipe", "not a file")


@pytest.mark.parametrize("left", [3, 15, 60, -4])
def test_truncated_gzip(tmp_path: Path, left: int) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(TEXT)[:left])
    fails(path, "truncated")


def test_damaged_gzip(tmp_path: Path) -> None:
    path = tmp_path / "bad.gz"
    good = gzip.compress(TEXT)
    path.write_bytes(good[:-6] + b"\0\0" + good[-4:])
    fails(path, "damaged")
    path.write_bytes(good + b"trailing")
    fails(path, "damaged")
    path.write_bytes(good[:12] + b"\xff\xff\xff\xff" + good[16:])
    fails(path, "damaged|truncated")


@pytest.mark.parametrize("pack", ["bz2", "zstd"])
def test_other_packers_truncated_damaged_and_bombs(tmp_path: Path, pack: str) -> None:
    def packed(data: bytes) -> bytes:
        return bz2.compress(data) if pack == "bz2" else streamed(data)

    path = tmp_path / "log"
    good = packed(TEXT)
    path.write_bytes(good)
    assert read_content(path).data == TEXT
    for left in (20, -4):
        path.write_bytes(good[:left])
        fails(path, "truncated")
    path.write_bytes(good[:20] + bytes(8) + good[28:])
    fails(path, "damaged")
    path.write_bytes(packed(bytes(20 << 20)))
    fails(path, "unpacks to more than 200 times", limits=Limits(ratio_from_bytes=1 << 20))


def streamed(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(("magic", "kind"), [(b"PK\x03\x04", "a zip"), (b"\xfd7zXZ", "an xz"), (b"7z\xbc\xaf", "a 7z")])
def test_archives_that_are_not_read_are_named(tmp_path: Path, magic: bytes, kind: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(magic + bytes(20))
    fails(path, f"{kind} archive; unpack it")


def test_gzip_bombs_are_stopped_while_they_unpack(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(20 << 20)))
    fails(path, "unpacks to more than 200 times", limits=Limits(ratio_from_bytes=1 << 20))
    fails(path, "more than 1,048,576 bytes", limits=Limits(content_bytes=1 << 20))


def test_one_member_of_a_zip_is_read_and_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / "set.zip"
    path.write_bytes(archive({"../../evil": b"no", "/abs": b"no", "set/u.data": TEXT, "bomb": bytes(30 << 20)}))
    assert read_content(path, "set/u.data").data == TEXT
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["in", "set.zip"]
    fails(path, "set/ratings.dat: the archive has no such member", "set/ratings.dat")
    fails(path, "bomb: unpacks to more than", "bomb", Limits(ratio_from_bytes=1 << 20))
    fails(path, "bomb: more than 1,000 bytes", "bomb", Limits(content_bytes=1000))


def test_damaged_zip(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    good = archive({"a": bytes(range(256)) * 40})
    for data in (b"", b"PK\x03\x04", good[: len(good) // 2], good.replace(bytes(range(50, 60)), bytes(10))):
        path.write_bytes(data)
        if data != good:
            fails(path, "damaged|truncated|empty", "a")


def test_encrypted_zip(tmp_path: Path) -> None:
    data = bytearray(archive({"a": b"text"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path = tmp_path / "set.zip"
    path.write_bytes(bytes(data))
    fails(path, "encrypted", "a")
