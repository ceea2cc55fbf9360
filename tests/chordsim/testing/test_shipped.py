"""What ships is held to the properties that plug-ins of others are held to."""

from __future__ import annotations

from pathlib import Path

import pytest

from chordsim import methods, testing
from chordsim.metrics.spec import known as metrics
from chordsim.nets.spec import known

NAMES = sorted(name.replace("-k", "-2") for name, path in methods.known().items() if path.startswith("chordsim."))


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_CACHE", str(tmp_path_factory.mktemp("trained")))
        yield


@pytest.mark.parametrize("name", NAMES)
def test_every_method_has_every_property(name: str) -> None:
    assert "deterministic" in testing.check_method(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if methods.find(name).cached != "no"])
def test_every_method_has_them_where_the_catalogue_stays_in_the_cloud(name: str) -> None:
    assert "deterministic" in testing.check_method(name, None, {"items": "cached", "cache_rows": 80})


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("chord-plus", {"sees": "candidates", "list_weight": 0.3, "fuse": True}),
        ("chord-shared", {"told": "vector", "delivery": "bootstrap", "aged": 3, "user_input": True}),
        ("chord-swapped", {"sees": "candidates", "swaps": "list"}),
    ],
)
def test_methods_that_read_lists_have_every_property(name: str, settings: dict[str, object]) -> None:
    assert "deterministic" in testing.check_method(name, settings)


@pytest.mark.parametrize("kind", sorted(known()))
def test_every_backbone_has_every_property(kind: str) -> None:
    assert "causal" in testing.check_backbone(kind)


def test_a_backbone_has_them_in_other_shapes_too() -> None:
    testing.check_backbone("sasrec", heads=4, blocks=3, ffn_dim=12)
    testing.check_backbone("caser", window=3, vertical=2, horizontal=3)
    testing.check_backbone("gru4rec", {"layers": 3})


def test_made_data_and_a_file_have_every_property(tmp_path: Path) -> None:
    names = testing.check_data('data.source="synthetic"', "data.synthetic.users=60", "data.synthetic.items=40")
    assert names == ("repeatable", "numbered without gaps", "split without a look ahead")
    clicks = tmp_path / "clicks.csv"
    lines = [f"u{n % 20},i{n * 7 % 31},{1_600_000_000 + n}" for n in range(400)]
    clicks.write_text("\n".join(["user,item,timestamp", *lines]))
    assert testing.check_data('data.source="file"', f'data.path="{clicks}"') == names


@pytest.mark.parametrize("name", sorted(metrics()))
def test_every_metric_has_every_property(name: str) -> None:
    assert "blind to padding" in testing.check_metric(name)
