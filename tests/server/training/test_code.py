"""The code that a trained state depends on: an edit that could change a state changes its key, and no other edit does."""

from __future__ import annotations

import gc
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chordsim import methods
from chordsim.installed import HOME
from chordsim.scenario.load import load
from chordsim.world import build
from server.training import cache, code, dense

PLANS = {"chord", "chord-plus", "chord-shared", "chord-random", "chord-swapped", "chord-empty", "chord-aged-2"}
#: Whose state is the reference as it is: what is edited in a method's room is nothing to them.
OF_REFERENCE = {"fp32", "uniform-2", "int8", "cloud-only", "finetune", "fedavg"}
Edit = Callable[[str, Callable[[str], str]], set[str]]


def longer(text: str) -> str:
    return f"{text}\nNEW = 1\n"


def forget(path: Path | None = None) -> None:
    """Make this process one that has not read this file yet, or nothing at all."""
    for found in (code.code_of, code._file, code._root):
        found.cache_clear()
    if path is None:
        code._READ.clear()
    code._READ.pop(path, None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def kinds(tiny_overrides: Callable[..., list[str]]) -> dict[str, type]:
    """Return the class that is trained for every shipped method."""
    names = tuple(name.replace("-k", "-2") for name, path in methods.known().items() if path.startswith("chordsim."))
    world = build(load("offline", tiny_overrides(methods=names)))
    return {name: type(cache.trainee(methods.load(world.specs[name].cloud)(world.context(name)))) for name in names}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Read code from a copy of the installation that may be edited."""
    copy = tmp_path_factory.mktemp("house")
    for package in ("chordsim", "server", "clients"):
        shutil.copytree(HOME / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code, "HOME", copy)
        forget()
        yield copy
    forget()


@pytest.fixture(scope="module")
def before(house: Path, kinds: dict[str, type]) -> dict[str, str]:
    """Return the code of every shipped method as it stands."""
    return {name: code.code_of(kind) for name, kind in kinds.items()}


@pytest.fixture
def edit(house: Path, kinds: dict[str, type], before: dict[str, str]) -> Iterator[Edit]:
    """Return a function that edits a file and says whose key that changes; the file is put back afterwards."""
    touched: dict[Path, str | None] = {}

    def editing(file: str, change: Callable[[str], str]) -> set[str]:
        path = house / file
        touched[path] = path.read_text() if path.exists() else None
        path.write_text(change(touched[path] or ""))
        forget(path)
        return {name for name, kind in kinds.items() if code.code_of(kind) != before[name]}

    yield editing
    for path, whole in touched.items():
        path.write_text(whole) if whole is not None else path.unlink()
        forget(path)


@pytest.mark.parametrize(
    "file",
    [
        "server/training/fit.py",
        "server/training/loss.py",
        "server/training/sampler.py",
        "chordsim/nets/sasrec.py",
        "chordsim/nets/terms.py",
        "chordsim/quant/packing.py",
        "chordsim/seeds.py",
        "chordsim/data/split.py",
        "chordsim/config/model.py",
    ],
)
def test_code_that_all_trainings_share_counts_for_all(edit: Edit, kinds: dict[str, type], file: str) -> None:
    assert edit(file, longer) == set(kinds)


def test_the_base_of_the_halves_counts_for_those_that_train_something_of_their_own(edit: Edit, kinds: dict[str, type]) -> None:
    assert edit("server/half.py", longer) == set(kinds) - OF_REFERENCE


@pytest.mark.parametrize(
    ("file", "whose"),
    [
        ("diet/net.py", {"diet"}),
        ("diet/device.py", {"diet"}),
        ("duet/net.py", {"duet"}),
        ("cda4rec/net.py", {"cda4rec"}),
        ("dccl/net.py", {"dccl"}),
        ("otaro/net.py", {"otaro"}),
        ("counts/cloud.py", {"popularity", "markov"}),
        ("qat/net.py", {"qat-2", "static-mixed"}),
        ("static_mixed/spec.py", {"static-mixed"}),
        ("chord/hypernetwork.py", PLANS),
        ("chord/controls/cloud.py", PLANS),
        ("cloud_only/cloud.py", set()),
    ],
)
def test_a_methods_room_counts_whole_for_it_and_for_those_that_build_upon_it(edit: Edit, file: str, whose: set[str]) -> None:
    assert edit(f"chordsim/methods/{file}", longer) == whose


def test_a_new_file_in_a_room_counts(edit: Edit) -> None:
    assert edit("chordsim/methods/film/loss.py", longer) == {"film-192"}


@pytest.mark.parametrize("file", ["chordsim/report/page.py", "server/rounds.py", "clients/cohort.py", "chordsim/ledger/columns.py"])
def test_what_trains_nothing_does_not_count(edit: Edit, file: str) -> None:
    assert edit(file, longer) == set()


@pytest.mark.parametrize("file", ["server/training/fit.py", "chordsim/nets/sasrec.py", "chordsim/methods/diet/net.py"])
def test_comments_docstrings_and_blank_lines_do_not_count(edit: Edit, house: Path, file: str) -> None:
    whole = (house / file).read_text()
    said = re.sub(r'"""(?=[A-Z`])', '"""Said otherwise. ', whole).replace("\n\n", "\n\n\n# a remark\n\n")
    assert said != whole and edit(file, lambda _: said) == set()


def test_who_asks_for_the_reference_is_nothing_to_its_key(kinds: dict[str, type], tiny: Callable[..., list[str]]) -> None:
    assert {name for name, kind in kinds.items() if kind is dense.Reference} == OF_REFERENCE
    world = build(load("offline", tiny(methods=("fp32", "diet", "chord-plus"))))
    halves = {name: methods.load(spec.cloud)(world.context(name)) for name, spec in world.specs.items()}
    base = {"backbone": {}, "n_items": 3}
    asked = {cache.key(dense.Reference(half.context, base), world.logs) for half in halves.values()}
    assert len(asked) == 1


ELSEWHERE = {
    "lab/__init__.py": "",
    "lab/shared.py": "RATE = 1\n",
    "lab/unused.py": "RATE = 1\n",
    "lab/ours/__init__.py": "",
    "lab/ours/cloud.py": '"""A half."""\nfrom ..shared import RATE\nclass Cloud:\n    def train(self):\n        import besides\n',
    "lab/ours/net.py": "# of the same folder\n",
    "besides.py": "WIDTH = 8\n",
}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write a package of somebody else's, not installed but on the path."""
    for name, text in ELSEWHERE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()
    yield tmp_path
    forget()
    for name in [name for name in sys.modules if name.partition(".")[0] in ("lab", "besides")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("file", "text", "counts"),
    [
        ("lab/ours/cloud.py", "...\nNEW = 1\n", True),
        ("lab/ours/net.py", "NEW = 1\n", True),
        ("lab/ours/new.py", "NEW = 1\n", True),
        ("lab/shared.py", "RATE = 2\n", True),
        ("besides.py", "WIDTH = 9\n", True),
        ("lab/ours/cloud.py", "# said\n...", False),
        ("lab/unused.py", "RATE = 2\n", False),
    ],
)
def test_a_half_from_elsewhere_counts_with_its_folder_and_what_it_imports(elsewhere: Path, file: str, text: str, counts: bool) -> None:
    from lab.ours.cloud import Cloud  # type: ignore[import-not-found]

    before = code.code_of(Cloud)
    path = elsewhere / file
    path.write_text(text.replace("...", ELSEWHERE.get(file, "")))
    forget(path)
    assert (code.code_of(Cloud) != before) is counts


def test_a_class_without_a_file_has_the_shared_rooms_alone() -> None:
    made: Any = type("Made", (), {"__module__": "nowhere"})
    assert code.code_of(made) == code.code_of(object)


class Yields:
    """Garbage whose removal lets another thread go on, in the middle of whatever made the collector run."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        time.sleep(0.0001)


def test_trainings_may_ask_side_by_side(kinds: dict[str, type]) -> None:
    def asked(kind: type) -> str:
        _ = [Yields() for _ in range(50)]
        return code.code_of(kind)

    alone = [code.code_of(kind) for kind in kinds.values()]
    forget()
    before = gc.get_threshold()
    gc.set_threshold(50)
    try:
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(asked, kinds.values())) == alone
    finally:
        gc.set_threshold(*before)
