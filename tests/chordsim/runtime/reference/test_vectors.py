"""Test vectors: the shipped ones hold, a script reads them without torch, and a changed one is told by its step."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chordsim.errors import DataError
from chordsim.runtime.reference.vectors import SHIPPED, differences


def test_the_shipped_vectors_hold() -> None:
    count, found = differences(SHIPPED)
    assert count >= 8 and found == []


def test_a_script_reads_them_without_torch() -> None:
    code = (
        "import sys; from chordsim.runtime.reference.__main__ import main; code = main([])\n"
        "print(sorted({'torch', 'flwr', 'ray', 'pandas', 'safetensors'} & set(sys.modules))); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{differences(SHIPPED)[0]} vectors, 0 steps differ", "[]"]


@pytest.mark.parametrize(
    ("key", "value", "steps"),
    [("seed", 5, {"drawn", "masked", "levels", "scales", "weights"}), ("plan", None, {"levels", "scales", "weights"})],
)
def test_another_seed_or_plan_gives_other_bytes(tmp_path: Path, key: str, value: object, steps: set[str]) -> None:
    held = json.loads(SHIPPED.read_text())
    vector = held["vectors"][0]
    vector[key] = value if value is not None else f"{int(vector['plan'][:2], 16) ^ 1:02x}{vector['plan'][2:]}"
    path = tmp_path / "vectors.json"
    path.write_text(json.dumps({**held, "vectors": [vector]}))
    told = {line.split(": ")[0].removeprefix("vector 0, ") for line in differences(path)[1]}
    assert told == steps


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": "other", "vectors": []}', '{"format": "chordsim-vectors-1", "vectors": [{}]}']
)
def test_what_is_no_file_of_vectors_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "vectors.json"
    path.write_text(content)
    with pytest.raises(DataError):
        differences(path)
