"""training.csv: how cloud models were trained, the same whether a run trained them or found them."""

import pytest

import chordsim
from chordsim.ledger.checksums import check_files


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_overrides):
    folder = tmp_path_factory.mktemp("curves")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_CACHE", str(folder / "cache"))
        sets = tiny_overrides("training.max_steps=4", "training.eval_every=2", "rounds.count=1", methods=("fp32", "chord-plus", "qat-2"))
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
    assert set(shares.method) == {"chord-plus"} and set(shares.code) == {"0", "1", "2", "3"}
    assert shares.groupby(["step", "layer"]).value.sum().round(5).eq(1.0).all()
    assert len(table[table.what == "utility"]) == len(shares)
