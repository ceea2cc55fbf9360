"""The vulnerability check does not call clean what it could not look up."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "audit_verdict.py"
CLEAN = [{"name": "a-b", "version": "1", "vulns": []}, {"name": "c", "version": "2", "vulns": []}]
SKIPPED = [{"name": "a-b", "skip_reason": "not found"}, {"name": "c", "skip_reason": "not found"}]
BAD = [{"name": "c", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": []}]}]


@pytest.mark.parametrize(
    ("reports", "code", "words"),
    [
        ([CLEAN], 0, "no known vulnerabilities in 2 pins"),
        ([SKIPPED], 3, "2 of 2 pins could not be looked up"),
        ([None], 3, "2 of 2 pins"),
        (["{"], 3, "2 of 2 pins"),
        ([SKIPPED, CLEAN], 0, "no known"),
        ([CLEAN[:1], SKIPPED], 3, "1 of 2 pins could not be looked up (c)"),
        ([CLEAN, BAD], 1, "c 2: PYSEC-1"),
        ([SKIPPED[:1], BAD], 1, "1 of 2 pins"),
    ],
)
def test_the_verdict(reports, code, words, tmp_path):
    pins = tmp_path / "constraints.txt"
    pins.write_text("# pins\nA_b==1\nc==2\n")
    paths = []
    for number, report in enumerate(reports):
        paths.append(tmp_path / f"{number}.json")
        if report is not None:
            paths[-1].write_text(report if isinstance(report, str) else json.dumps({"dependencies": report, "fixes": []}))
    done = subprocess.run([sys.executable, str(SCRIPT), str(pins), *map(str, paths)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (code, "") and words in done.stdout
