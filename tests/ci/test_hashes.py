"""Every pin has hashes: what `.ci/run` installs from is held against them."""

from __future__ import annotations

import re
from pathlib import Path

CI = Path(__file__).parents[2] / ".ci"
#: Its wheel is another file on each index.
WITHOUT = {"torch"}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_pin_but_torch_has_hashes_of_its_very_version() -> None:
    found = re.findall(r"^([\w.-]+)==(\S+)", (CI / "constraints.txt").read_text(), re.MULTILINE)
    pins = {plain(name): version for name, version in found}
    entries = re.findall(r"^([\w.-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", (CI / "hashes.txt").read_text(), re.MULTILINE)
    assert {plain(name): version for name, version, _ in entries} == {name: pins[name] for name in pins.keys() - WITHOUT}
    assert len(pins) > 90 and pins.keys() >= WITHOUT
