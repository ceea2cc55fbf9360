"""The text of a scenario turned into plain tables, within limits, with errors that name the file and the line."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chordsim.door import read_regular
from chordsim.errors import ScenarioError

MAX_FILE_BYTES = 1_000_000
MAX_STRING_CHARS = 4096
MAX_NUMBER = 2**63

Plain = dict[str, Any]


def read_text(path: Path) -> str:
    """Return a scenario file's text.

    Raises:
        ScenarioError: Missing, not a regular file, unreadable, too large, or not UTF-8.
    """
    data = read_regular(path, MAX_FILE_BYTES, ScenarioError)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ScenarioError(f"{path}: line {line}: not UTF-8 (byte 0x{data[error.start]:02x})") from error


def parse_toml(text: str, source: str) -> Plain:
    """Parse TOML text; ``source`` names it in errors.

    Raises:
        ScenarioError: Not TOML (with line and column), nested too deeply, or holding values out of bounds.
    """
    if len(text) > MAX_FILE_BYTES:
        raise ScenarioError(f"{source}: larger than {MAX_FILE_BYTES:,} characters; this is no scenario")
    try:
        tables = tomllib.loads(text)
        check_values(tables, source)
    except RecursionError:
        raise ScenarioError(f"{source}: nested too deeply") from None
    except ValueError as error:
        raise ScenarioError(_located(str(error), text, source)) from None
    return tables


def check_values(tables: Plain, source: str) -> None:
    """Refuse values that no setting can mean: huge strings, unwritable text, NaN, infinity, integers beyond 64 bits.

    Raises:
        ScenarioError: Names the dotted key.
    """
    for key, value in _leaves(tables, ""):
        if isinstance(value, str):
            if len(value) > MAX_STRING_CHARS:
                raise ScenarioError(f"{source}: {key}: a string of {len(value):,} characters; {MAX_STRING_CHARS:,} at most")
            if "\0" in value or not _encodes(value):
                raise ScenarioError(f"{source}: {key}: not valid text")
        elif isinstance(value, float) and not math.isfinite(value):
            raise ScenarioError(f"{source}: {key}: must be a finite number, not {value}")
        elif isinstance(value, int) and not -MAX_NUMBER <= value < MAX_NUMBER:
            raise ScenarioError(f"{source}: {key}: an integer beyond 64 bits")
        elif not isinstance(value, str | int | float | bool):
            raise ScenarioError(f"{source}: {key}: a date or time; no setting takes one, put quotes around it if text is meant")


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if len(name) > MAX_STRING_CHARS:
                yield f"{key}.{name[:40]}...".lstrip("."), name
            yield from _leaves(inner, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{key}[{index}]")
    else:
        yield key, value


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _located(message: str, text: str, source: str) -> str:
    """Put the place that tomllib tells at the end of its message in front: ``file: line 3, column 5: ...``."""
    message = " ".join(message.split())[:200]
    if message.startswith("Exceeds the limit"):
        message = "an integer of thousands of digits"
    found = re.search(r" \(at (line \d+, column \d+|end of document)\)$", message)
    if not found:
        return f"{source}: {message}"
    last = f"line {text.count(chr(10)) + 1}, at the end"
    place = last if found[1] == "end of document" else found[1]
    return f"{source}: {place}: {message[: found.start()]}"
