"""training.csv and importance.parquet: how cloud models were trained, the same whether a run trained them or found them."""

import numpy as np
import pytest

import chordsim
from chordsim.ledger.checksums import check_files
from chordsim.report.kept_plans import read_plans


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_overrides):
    folder = tmp_path_factory.mktemp("curves")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_CACHE", str(folder / "cache"))
        sets = tiny_overrides(
            "training.max_steps=4", "training.eval_every=2", "rounds.count=1", methods=("fp32", "chord-plus", "qat-2", "chord")
        )
        return [chordsim.run("offline", overrides=sets, out=folder / name, report=False) for name in ("trained", "found")]


def test_a_run_that_found_its_models_tells_the_same_of_their_training(runs):
    trained, found = runs
    assert trained.training.equals(found.training) and len(trained.training)
    files = [(run.path / "training.csv").read_bytes() for run in runs]
    assert files[0] == files[1] and check_files(found.path) is not None
    assert set(found.manifest["cloud_models"].values()) == {True}


def test_the_best_validation_is_the_one_that_chose_the_state(runs):
    table = runs[0].training
    for name, noted in runs[0].manifest["trained"].items():
        mine = table[table.method == name]
        assert mine[mine.what == "validation_ndcg_10"].value.max() == noted["validation_ndcg_10"]
        assert mine.step.max() == noted["steps"] == 4
    assert set(table[table.step == 0].method) == {"qat-2"} and "loss" not in set(table[table.step == 0].what)
    assert (table[table.what == "loss"].value > 0).all()


def test_shares_of_codes_are_shares_of_every_layers_channels(runs):
    table = runs[0].training
    shares = table[table.what == "share"]
    assert set(shares.method) == {"chord-plus", "chord"} and set(shares.code) == {"0", "1", "2", "3"}
    assert shares.groupby(["method", "step", "layer"]).value.sum().round(5).eq(1.0).all()
    assert len(table[table.what == "utility"]) == len(shares)


def test_importance_stands_beside_the_bits_of_the_plans_that_went_out(runs):
    table, plans = runs[0].importance, read_plans(runs[0].path)["chord"]
    assert set(table.method) == {"chord"}
    assert list(zip(table.layer, table.channel, strict=True)) == [(name, n) for name, count, _ in plans.layers for n in range(count)]
    assert np.allclose(table.bits_mean, plans.bits)
    by_layer = table.groupby("layer", sort=False).layer_importance.first()
    assert by_layer.mean() == pytest.approx(1, rel=1e-4) and (table.filter_importance > 0).all()
    fan_in = [width for _, count, width in plans.layers for _ in range(count)]
    assert [len(values) for values in table.element_importance] == fan_in
    every = np.concatenate(list(table.element_importance))
    assert every.min() > 0 and every.max() < 1 and every.std() > 0
    assert (runs[1].path / "importance.parquet").read_bytes() == (runs[0].path / "importance.parquet").read_bytes()
