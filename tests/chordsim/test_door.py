"""The one door for files: what is no regular file is refused at once, and nothing is read without end."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from chordsim.door import open_regular, read_regular
from chordsim.errors import DataError, ScenarioError


def test_a_regular_file_and_a_link_to_it_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"abc")
    (tmp_path / "link").symlink_to(path)
    for name in (path, tmp_path / "link"):
        assert read_regular(name, 3) == b"abc"
        with open_regular(name, 3) as stream:
            assert stream.read() == b"abc"


def test_what_has_no_end_or_no_beginning_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    for path, kind in (
        (tmp_path / "pipe", "a pipe"),
        (tmp_path / "socket", "a socket"),
        (tmp_path, "a folder"),
        (Path("/dev/zero"), "a device"),
    ):
        with pytest.raises(DataError) as caught:
            open_regular(path, 100)
        assert str(caught.value) == f"{path}: not a file, but {kind}"


def test_missing_too_large_and_not_allowed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"abcd")
    with pytest.raises(DataError, match="larger than 3 bytes"):
        open_regular(path, 3)
    with pytest.raises(ScenarioError, match="no such file"):
        read_regular(tmp_path / "none", 3, ScenarioError)
    with pytest.raises(DataError, match="cannot be read"):
        open_regular(Path("a\0b"), 3)
    # Files of /proc say that they are empty, and are not.
    with pytest.raises(DataError, match="larger than 10 bytes"):
        read_regular(Path("/proc/self/maps"), 10)
