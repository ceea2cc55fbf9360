"""Users that the cloud never trained on are told apart in the summary, on the page and in the terminal."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

import chordsim
from chordsim.api import RunResult
from chordsim.report.terminal_tables import strangers_table

METHODS = ("fp32", "chord-plus")


@pytest.fixture(scope="module")
def half(tiny_overrides: Callable[..., list[str]], shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    overrides = tiny_overrides("data.cloud_share=0.5", "clock.loss=0.2", "population.selected=25", "rounds.count=4", methods=METHODS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_CACHE", str(shared_cache))
        return chordsim.run("offline", overrides=overrides, out=tmp_path_factory.mktemp("half") / "run")


def test_the_summary_tells_both_groups_apart(half: RunResult) -> None:
    devices = pd.read_parquet(half.path / "devices.parquet").set_index("user_id").known_to_cloud
    assert devices.nunique() == 2
    for method in METHODS:
        told, rows = half.summary["methods"][method], half.ledger[half.ledger.method == method]
        users = sum(told[group]["ndcg_10_all"]["users"] for group in ("known_to_cloud", "unknown_to_cloud"))
        assert users == rows.user_id.nunique() == told["ndcg_10_all"]["users"]
        # devices.parquet holds the last round's phones, which are some of those of the run.
        for group, who in (("known_to_cloud", devices[devices].index), ("unknown_to_cloud", devices[~devices].index)):
            means = rows[rows.user_id.isin(who)].groupby("user_id").ndcg_10_all.mean()
            assert len(means) <= told[group]["ndcg_10_all"]["users"]
            if len(means) == told[group]["ndcg_10_all"]["users"]:
                assert told[group]["ndcg_10_all"]["mean"] == pytest.approx(means.mean())
            low, high = told[group]["ndcg_10_all"]["ci95"]
            assert low <= told[group]["ndcg_10_all"]["mean"] <= high


def test_page_and_terminal_show_both(half: RunResult) -> None:
    page = (half.path / "report.html").read_text()
    assert "Users that the cloud never trained on" in page
    table = strangers_table(half.summary)
    assert table is not None
    console = Console(file=io.StringIO(), width=100)
    console.print(table)
    printed = console.file.getvalue()
    for method in METHODS:
        for group in ("known_to_cloud", "unknown_to_cloud"):
            mean = f"{half.summary['methods'][method][group]['ndcg_10_all']['mean']:.4f}"
            assert mean in page and mean in printed


def test_a_run_whose_cloud_knows_everybody_tells_no_groups(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    run = chordsim.run("offline", overrides=tiny(methods=("fp32",)), out=tmp_path / "run")
    assert "unknown_to_cloud" not in run.summary["methods"]["fp32"] and strangers_table(run.summary) is None
    assert "never trained on" not in (run.path / "report.html").read_text()
