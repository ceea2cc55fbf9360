"""The example package of docs/add-a-backbone.md: found by its entry point, played whole, and no file of chordsim knows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.laid_out import laid_out

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "third_party_backbone"
PLAY = """
import json, sys
import chordsim
from chordsim.errors import ScenarioError
from chordsim.scenario.load import load
tiny = ["data.source=synthetic", "data.synthetic.users=40", "data.synthetic.items=50", "training.max_steps=2", "training.eval_every=2",
        "engine.chunk_size=16", "rounds.count=2", "backbone.dim=16", "backbone.kind=fading", "backbone.settings.half_life=2",
        "backbone.settings.hidden=512",
        'methods=["fp32", "uniform-2", "chord-plus"]']
runs = [chordsim.run("offline", overrides=tiny, out=sys.argv[1] + name, report=name == "a") for name in "ab"]
rows = runs[0].ledger
plan = rows[rows.method == "chord-plus"]
said = []
for wrong in ("backbone.settings.half_lif=2", "backbone.settings.hidden=1", "backbone.kind=fadin", 'methods=["dccl"]'):
    try:
        load("offline", [*tiny, wrong])
    except ScenarioError as error:
        said.append(str(error))
served = rows[rows.outcome == "served"]
told = {"hashes": len({run.manifest["ledger_sha256"] for run in runs}), "status": runs[0].manifest["status"]}
told |= {"settings": load(runs[0].path / "scenario.toml").backbone.settings, "served": sorted(set(served.method))}
told |= {"ranked": bool(served["rank"].notna().all()), "plan": int(plan.prescription_bytes.max()), "said": said}
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as an installer lays it out."""
    site = tmp_path_factory.mktemp("site")
    laid_out(site, "fading", "chordsim.backbones", "fading = fading.spec:FADING", EXAMPLE / "fading")
    return site


def play(site: Path, code: str, *args: str) -> dict[str, object]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]), "CHORDSIM_CACHE": str(site.parent / "cache")}
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def test_a_backbone_of_another_package_plays_whole(site: Path, tmp_path: Path) -> None:
    told = play(site, PLAY, str(tmp_path / "run"))
    assert told["hashes"] == 1 and told["status"] == "complete" and told["ranked"]
    assert told["served"] == ["chord-plus", "fp32", "uniform-2"]
    assert told["settings"] == {"half_life": 2.0, "hidden": 512}
    assert told["plan"] == (512 + 16) * 2 // 8
    said = told["said"]
    assert isinstance(said, list) and len(said) == 4 and all("\n" not in line for line in said)
    assert "half_life" in said[0] and "4 to 4096" in said[1] and "did you mean 'fading'" in said[2] and "dccl" in said[3]
    assert "fading" in (tmp_path / "runa" / "report.html").read_text()


KEYS = """
import json, pathlib, sys
from chordsim import methods
from chordsim.scenario.load import load
from chordsim.world import build
from server.training import cache, code
world = build(load("offline", ["data.source=synthetic", "backbone.kind=fading", 'methods=["fp32"]']))
half = methods.load(world.specs["fp32"].cloud)(world.context("fp32"))
module = pathlib.Path(sys.argv[1])
text, keys = module.read_text(), []
for edited in (text, "# a comment\\n" + text, text.replace("2.0, 1)", "1.0, 1)")):
    module.write_text(edited)
    code._READ.clear(), code.code_of.cache_clear()
    keys.append(cache.key(cache.trainee(half), world.logs))
module.write_text(text)
print(json.dumps({"keys": keys}))
"""


def test_an_edit_of_the_module_trains_anew(site: Path) -> None:
    told = play(site, KEYS, str(site / "fading" / "net.py"))["keys"]
    assert isinstance(told, list)
    before, commented, edited = told
    assert before == commented != edited


def test_the_example_is_short_and_unknown_here() -> None:
    assert sum(len(path.read_text().splitlines()) for path in EXAMPLE.rglob("*.py")) < 120
    for package in ("chordsim", "server", "clients"):
        assert [path for path in (ROOT / package).rglob("*.py") if "fading" in path.read_text()] == []


def test_the_page_shows_the_example_as_it_is() -> None:
    page = (ROOT / "docs" / "add-a-backbone.md").read_text()
    for name in ("spec", "net"):
        assert (EXAMPLE / "fading" / f"{name}.py").read_text().rstrip() in page
