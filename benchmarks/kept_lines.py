"""What a long measurement has done, in a file of one JSON object a line, so that it goes on where it was cut off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chordsim.errors import DataError


def kept_lines(path: Path | None, *keys: str) -> list[dict[str, Any]]:
    """Return the lines of a file, if there is one; a last line that was cut off is none, and is taken out of the file.

    Args:
        path: The file.
        keys: What every line has.

    Raises:
        DataError: A line that no measurement wrote.
        OSError: The file cannot be read.
    """
    if path is None or not path.exists():
        return []
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a file of what was done before: it holds no text") from None
    whole = text[: text.rfind("\n") + 1]
    lines = [_line(f"{path}:{number}", line, keys) for number, line in enumerate(whole.splitlines(), 1)]
    if whole != text:
        path.write_text(whole)
    return lines


def _line(where: str, line: str, keys: tuple[str, ...]) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except json.JSONDecodeError:
        said = None
    if not isinstance(said, dict) or not said.keys() >= set(keys):
        raise DataError(f"{where}: not a line of what was done before, which has {', '.join(keys)}")
    return said
