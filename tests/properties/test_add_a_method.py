"""A shipped method is one folder and one line: a room copied under another name plays, and no other file is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAY = """
import json, sys
import chordsim
tiny = ["data.source=synthetic", "data.synthetic.users=40", "data.synthetic.items=50", "training.max_steps=2", "training.eval_every=2",
        "engine.chunk_size=16", "rounds.count=2", "backbone.dim=16", "backbone.ffn_dim=16", 'methods=["popularity", "copied"]']
rows = chordsim.run("offline", overrides=tiny, out=sys.argv[1], report=False).ledger
one, other = (rows[rows["method"] == name].reset_index(drop=True) for name in ("popularity", "copied"))
print(json.dumps([chordsim.__file__, len(other), bool((one["rank"] == other["rank"]).all())]))
"""


def test_a_copied_room_and_one_line_are_a_method(tmp_path: Path) -> None:
    house = tmp_path / "house"
    for package in ("chordsim", "server", "clients", "scenarios"):
        shutil.copytree(ROOT / package, house / package, ignore=shutil.ignore_patterns("__pycache__"))
    before = {path.relative_to(house) for path in house.rglob("*") if path.is_file()}
    shutil.copytree(house / "chordsim" / "methods" / "counts", house / "chordsim" / "methods" / "copied")
    for path in (house / "chordsim" / "methods" / "copied").glob("*.py"):
        path.write_text(path.read_text().replace("chordsim.methods.counts", "chordsim.methods.copied"))
    lines, backbones = (
        (ROOT / "pyproject.toml").read_text().split(f'[project.entry-points."chordsim.{group}"]')[1].split("\n[")[0]
        for group in ("methods", "backbones")
    )
    info = house / "chordsim-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chordsim\nVersion: 0.1.0\n")
    one_line = 'copied = "chordsim.methods.copied.spec:popularity"'
    (info / "entry_points.txt").write_text(
        "[chordsim.methods]\n"
        + "\n".join([*lines.replace('"', "").split("\n"), one_line.replace('"', "")])
        + "\n[chordsim.backbones]\n"
        + backbones.replace('"', "")
    )
    added = (
        {path.relative_to(house) for path in house.rglob("*") if path.is_file()} - before - {p.relative_to(house) for p in info.iterdir()}
    )
    assert {path.parts[:3] for path in added} == {("chordsim", "methods", "copied")}

    env = {**os.environ, "PYTHONPATH": str(house), "CHORDSIM_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", PLAY, str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    where, rows, same = json.loads(done.stdout.splitlines()[-1])
    assert where.startswith(str(house)) and rows > 0 and same
