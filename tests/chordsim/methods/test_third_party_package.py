"""The example package of docs/add-a-method.md installs with pip and runs, and no file of chordsim knows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "third_party_method"
PLAY = """
import sys, json
import chordsim
tiny = ["data.source=synthetic", "data.synthetic.users=40", "data.synthetic.items=50", "training.max_steps=2",
        "training.eval_every=2", "engine.chunk_size=16", "rounds.count=2", "backbone.dim=16", "backbone.ffn_dim=16",
        'methods=["popularity", "whats-next"]', "settings.whats-next.listed=10"]
run = chordsim.run("offline", overrides=tiny, out=sys.argv[1])
rows = run.ledger[run.ledger["method"] == "whats-next"]
print(json.dumps({"status": run.manifest["status"], "served": int((rows.outcome == "served").sum()), "rows": len(rows),
                  "down": sorted(set(rows.prescription_bytes.tolist())), "up": sorted(set(rows.profile_bytes.tolist()))}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Install the example where only this test looks, without a network."""
    # Looked for and not imported: setuptools refuses where anything has loaded Python's own distutils before.
    if find_spec("setuptools") is None or find_spec("pip") is None:
        pytest.skip("the example builds with setuptools and installs with pip")
    work = tmp_path_factory.mktemp("example")
    for path in EXAMPLE.rglob("*"):
        if path.is_file() and path.suffix in (".py", ".toml"):
            copy = work / "source" / path.relative_to(EXAMPLE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--disable-pip-version-check",
        "--target",
        str(work / "site"),
        str(work / "source"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return work


def test_the_example_installs_and_runs(installed):
    path = os.pathsep.join([str(installed / "site"), str(ROOT)])
    env = {**os.environ, "PYTHONPATH": path, "CHORDSIM_CACHE": str(installed / "cache")}
    done = subprocess.run([sys.executable, "-c", PLAY, str(installed / "run")], capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told == {"status": "complete", "served": told["rows"], "rows": 80, "down": [40], "up": [4]}


def test_the_example_is_short_and_unknown_here():
    lines = sum(len(p.read_text().splitlines()) for p in EXAMPLE.rglob("*.py"))
    assert lines < 80
    for package in ("chordsim", "server", "clients"):
        for path in (ROOT / package).rglob("*.py"):
            assert "whats-next" not in path.read_text() and "whats_next" not in path.read_text()


def test_the_page_shows_the_example_as_it_is():
    page = (ROOT / "docs" / "add-a-method.md").read_text()
    for name in ("spec", "cloud", "device"):
        assert (EXAMPLE / "whats_next" / f"{name}.py").read_text().rstrip() in page
