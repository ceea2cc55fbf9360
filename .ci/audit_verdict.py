"""What pip-audit found out about the pins: python audit_verdict.py CONSTRAINTS REPORT.json..., any of which may be missing."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

CLEAN, VULNERABLE, UNKNOWN = 0, 1, 3


def main(constraints: Path, reports: list[Path]) -> int:
    """Print the verdict and return the exit code."""
    pinned = re.findall(r"^([A-Za-z0-9._-]+)==", constraints.read_text(), re.MULTILINE)
    looked_up: dict[str, list[str]] = {}
    for report in reports:
        for found in _dependencies(report):
            if "skip_reason" not in found:
                ids = [str(one["id"]) for one in found.get("vulns", [])]
                looked_up.setdefault(_plain(found["name"]), []).extend(f"{found['name']} {found['version']}: {one}" for one in ids)
    for line in sorted({line for lines in looked_up.values() for line in lines}):
        print(line)
    missing = [name for name in pinned if _plain(name) not in looked_up]
    if missing:
        some = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        print(f"audit: {len(missing)} of {len(pinned)} pins could not be looked up ({some}): no database of vulnerabilities within reach")
    if any(looked_up.values()):
        return VULNERABLE
    if missing or not pinned:
        return UNKNOWN
    print(f"audit: no known vulnerabilities in {len(pinned)} pins")
    return CLEAN


def _dependencies(report: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads(report.read_text())["dependencies"])
    except (OSError, ValueError, KeyError):
        return []


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]))
