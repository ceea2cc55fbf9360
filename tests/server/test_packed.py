"""What `flwr run .` packs of this checkout: the app, small enough for Flower, whatever else lies here."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from flwr.cli.build import build_fab_from_disk
from flwr.common.constant import FAB_MAX_SIZE

ROOT = Path(__file__).parents[2]


def test_flower_packs_the_app_and_nothing_beside_it():
    packed = build_fab_from_disk(ROOT)
    names = set(zipfile.ZipFile(io.BytesIO(packed)).namelist())
    assert len(packed) < FAB_MAX_SIZE / 2
    assert {"server/app.py", "clients/app.py", "chordsim/runtime/reference/vectors.json", "pyproject.toml"} <= names
    assert {f"scenarios/{path.name}" for path in (ROOT / "scenarios").glob("*.toml")} <= names
    code = {str(path.relative_to(ROOT)) for path in (ROOT / "chordsim").rglob("*.py") if not path.name.startswith("test_")}
    assert code <= names and not {name for name in names if name.split("/")[0] in ("benchmarks", "docs", "tests", "runs")}
