"""What all tests share: one thread to a product, as in a run, and a tiny scenario that trains in a second."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes is not what is tested: two busy cores take seconds over what takes milliseconds.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Before torch is loaded: threads that wait for one another cost more than these small products.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# pytest-xdist says 80; tables are tested as wide as they are where nothing says how wide.
os.environ.pop("COLUMNS", None)

TINY = (
    "data.synthetic.users=40",
    "data.synthetic.items=60",
    "data.synthetic.groups=4",
    "data.synthetic.mean_length=14.0",
    "backbone.dim=16",
    "backbone.ffn_dim=16",
    "backbone.max_len=12",
    "training.max_steps=5",
    "training.eval_every=5",
    "training.batch=16",
    "training.threads=1",
    "engine.chunk_size=16",
    "rounds.count=2",
)
#: Profiles of 8 numbers, since an extractor of the usual size outweighs a backbone this small.
SMALL_PROFILES = ("settings.chord.profile_dim=4", "settings.chord-plus.profile_dim=8", "settings.chord-shared.profile_dim=8")
SIX = ("fp32", "uniform-2", "chord", "chord-plus", "chord-shared", "cloud-only")


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache folder for models that tests of one session share, whichever process they run in."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "chordsim-cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def tiny_overrides() -> Callable[..., list[str]]:
    """Return a maker of overrides over the scenario `offline`."""

    def overrides(*more: str, methods: tuple[str, ...] = SIX) -> list[str]:
        chosen = [text for text in SMALL_PROFILES if text.split(".")[1] in methods]
        return [f"methods={list(methods)!r}".replace("'", '"'), *TINY, *chosen, *more]

    return overrides


@pytest.fixture
def tiny(tiny_overrides: Callable[..., list[str]], shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a maker of overrides over the scenario `offline`; trained models go to the session's cache."""
    monkeypatch.setenv("CHORDSIM_CACHE", str(shared_cache))
    return tiny_overrides


#: Small inputs that went wrong once, with a README that says what is right. Looked for now, since tests change the environment.
_CASES = [
    Path(__file__).parents[2] / "shared" / "cases",
    *([Path(root) / ".." / "cases"] if (root := os.environ.get("CHORDSIM_DATA")) else []),
]


@pytest.fixture(scope="session")
def case() -> Callable[[str], Path]:
    """Return a finder of those inputs by name; tests that need one are skipped where it is not."""

    def find(name: str) -> Path:
        for folder in _CASES:
            if (folder / name).is_file():
                return folder / name
        pytest.skip(f"needs {name} in ../shared/cases or $CHORDSIM_DATA/../cases")

    return find


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data sets; tests that need it are skipped where there is none."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    root = Path(os.environ.get("CHORDSIM_DATA", beside))
    if not (root / "ml-100k").is_dir():
        pytest.skip("needs ml-100k under CHORDSIM_DATA or ../shared/data")
    return root
