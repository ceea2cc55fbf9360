"""Writes docs/methods.md from a run: python -m benchmarks.methods_table RUN [PAGE]. Every number is the ledger's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.cut_off import ended
from benchmarks.markdown import table
from benchmarks.mechanisms import PAGE, section
from benchmarks.parser import parser_of
from chordsim import methods
from chordsim.config.model import Scenario
from chordsim.files import read_json
from chordsim.ledger.damage import of_runs
from chordsim.ledger.parquet import read_ledger
from chordsim.methods import MethodSpec
from chordsim.methods.chai.spec import CLAIMS, student
from chordsim.nets.shapes import shapes_of
from chordsim.quant import costs
from chordsim.report.source import Source
from chordsim.scenario.load import parse

#: Papers that claim accuracy, and what to say where a run shows less than 90 % of `fp32`.
CLAIMING = ("chord", "diet", "duet", "forward-ofa", "cocorrrec", "dccl", "otaro", "cda4rec")
ENOUGH = 0.9
FROM_FP32 = ("qat-2", "static-mixed", "otaro", "film-192", "duet", "forward-ofa", "cocorrrec", "dccl")
NOT_THE_USERS = ("chord-shared", "chord-random", "chord-swapped", "chord-empty")
FROM_SCRATCH = ("chord", "chord-plus", "chord-shared", "diet")
COLUMNS = (
    "method",
    "mechanism",
    "up B",
    "down B",
    "adapts without backprop",
    "adapts to the budget",
    "bytes, first contact",
    "bytes, 10",
    "bytes, 100",
    "stored bits",
    "served",
    "NDCG@10 served",
    "NDCG@10 to-serve",
    "of fp32, same phones",
    "s, p50",
    "J",
    "train MACs",
    "steps",
)


def main(arguments: list[str]) -> None:
    """Write the page that the arguments name."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("run", type=Path, metavar="RUN", help="its folder")
    parser.add_argument("page", type=Path, nargs="?", metavar="PAGE", default=PAGE, help="docs/methods.md where nothing is said")
    given = parser.parse_args(arguments)
    write(given.run, given.page)


@of_runs
def write(run: Path, page: Path) -> None:
    """Write the page of a run.

    Raises:
        UserError: The folder is no run.
        RunError: A file of it is damaged.
    """
    Source.read(run)
    summary, scenario = read_json(run / "summary.json"), parse((run / "scenario.toml").read_text())
    trained = read_json(run / "manifest.json").get("trained", {})
    ledger = read_ledger(run)
    rows = [[*_row(name, ledger, summary["methods"][name]), _steps(trained.get(name))] for name in scenario.methods]
    text = [_head(scenario, read_json(run / "manifest.json")), table(COLUMNS, rows, len(COLUMNS)), _notes(ledger, scenario, trained)]
    if {"chai", "fp32", "cloud-only"} <= set(scenario.methods):
        text.append(_chai(ledger, scenario, summary["methods"]))
    page.write_text("\n\n".join([*text, section()]))


def _served(ledger: pd.DataFrame, name: str) -> pd.DataFrame:
    mine = ledger[(ledger["method"] == name) & (ledger["outcome"] == "served")]
    return mine.set_index(["device_id", "round"])


def _share_of_fp32(ledger: pd.DataFrame, name: str) -> float:
    """Return NDCG@10 over that of `fp32`, on device-rounds that both served."""
    both = pd.concat({"own": _served(ledger, name)["ndcg_10"], "fp32": _served(ledger, "fp32")["ndcg_10"]}, axis=1, join="inner").dropna()
    return float(both["own"].mean() / both["fp32"].mean()) if both["fp32"].sum() else float("nan")


def _row(name: str, ledger: pd.DataFrame, told: dict[str, Any]) -> list[str]:
    spec, mine = methods.find(name), _served(ledger, name)
    up, down = (mine["profile_bytes"] + mine["update_bytes"]).mean(), (mine["candidates_bytes"] + mine["prescription_bytes"]).mean()
    return [
        f"`{name}`",
        spec.summary,
        _count(up),
        _count(down),
        _adapts(spec),
        "yes" if mine["model_bytes"].nunique() > 1 else "no",
        *(_count(told["bytes_after_sessions"][n]) for n in ("1", "10", "100")),
        _number(told["bits_mean"], 2),
        f"{told['served_share']:.0%}",
        _interval(told["ndcg_10"]),
        _interval(told["ndcg_10_all"]),
        f"{_share_of_fp32(ledger, name):.0%}",
        _number(told["per_session"]["seconds_p50"], 3),
        _number(told["per_session"]["joules"], 3),
        _count(mine["train_macs"].mean()),
    ]


def _adapts(spec: MethodSpec) -> str:
    if spec.needs_autograd:
        return "no, it trains"
    if spec.name in NOT_THE_USERS:
        return "a control: not the user's"
    return "yes" if any(leg.direction == "down" for leg in spec.exchange) else "does not adapt"


def _count(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:,.0f}"


def _number(value: float | None, places: int) -> str:
    return "-" if value is None or pd.isna(value) else f"{value:.{places}f}"


def _interval(told: dict[str, Any]) -> str:
    return "-" if told.get("mean") is None else f"{told['mean']:.4f} ({told['ci95'][0]:.4f} to {told['ci95'][1]:.4f})"


def _head(scenario: Scenario, manifest: dict[str, Any]) -> str:
    b, t = scenario.backbone, scenario.training
    return f"""# The methods in one ledger

Written by `python -m benchmarks.methods_table RUN` from one run of the scenario `{scenario.name}` with `training.max_steps =
{t.max_steps}` (batch {t.batch}), seed {scenario.seed}; ledger `{str(manifest.get("ledger_sha256"))[:16]}`. Do not edit by hand.

Data: {scenario.data.source}. Backbone: SASRec, dim {b.dim}, feed-forward {b.ffn_dim}, {b.blocks} blocks, for every method. One
validation trial each: one setting, one training that ends after {t.patience} validations without improvement, {t.eval_every} steps apart.
One seed: what lies within the intervals is not settled; docs/reproduction.md has more seeds and longer training. Methods that start from
`fp32` ({", ".join(f"`{name}`" for name in FROM_FP32)})
took their steps after its own.

- **up B, down B**: payload of one session of a served phone, without bootstrap, framing and report.
- **adapts without backprop**: something of the user's own comes down, and nothing trains on the phone.
- **adapts to the budget**: stored bytes differ between phones of this run.
- **bytes**: up and down of one phone after 1, 10 and 100 sessions, bootstrap and its new versions included.
- **to-serve**: intention to serve; phones that were not served show popular items. Intervals: 95 %, bootstrap by user.
- **of fp32, same phones**: NDCG@10 over that of `fp32`, on device-rounds that both served.
- **steps**: of the cloud's training until its best validation stopped improving; those that start from `fp32` count their own.
- **s, J, train MACs**: of one served session, the simulator's own report left out. Seconds and joules rest on assumed constants of the
  tiers."""


def _steps(trained: dict[str, Any] | None) -> str:
    return f"{trained['steps']:,}" if trained else "-"


def _why(name: str, trained: dict[str, Any]) -> str:
    """Return why a method stays below, as far as its training tells."""
    own, reference = trained.get(name), trained.get("fp32")
    if not own or not reference:
        return " Not reached."
    scores = f"{own['validation_ndcg_10']:.4f} after {own['steps']:,} steps, that of `fp32` {reference['validation_ndcg_10']:.4f}"
    return (
        f" Not reached: {'it trains from scratch, over random weights; ' if name in FROM_SCRATCH else ''}its validation ended at {scores}."
    )


def _notes(ledger: pd.DataFrame, scenario: Scenario, trained: dict[str, Any]) -> str:
    lines = [f"## At least {ENOUGH:.0%} of `fp32`?", "Methods whose papers claim accuracy, on the phones that both serve:"]
    for name in (n for n in CLAIMING if n in scenario.methods):
        share = _share_of_fp32(ledger, name)
        lines.append(f"- `{name}`: {share:.1%}.{_why(name, trained) if share < ENOUGH else ''}")
    refused = ledger.assign(refused=ledger["outcome"] == "refused").groupby("method", observed=True)["refused"].mean()
    most = refused.sort_values(ascending=False)
    named = ", ".join(f"`{n}` {share:.0%}" for n, share in most[most > 0.2].items())
    lines.append(f"\nRefused by more than a fifth of the phones: {named or 'none'}.")
    return "\n".join([lines[0], "", lines[1], "", *lines[2:]])


def _chai(ledger: pd.DataFrame, scenario: Scenario, told: dict[str, Any]) -> str:
    """Return the four ratios of `chai` beside what a machine-written summary claims."""
    chai, full, cloud = (_served(ledger, name) for name in ("chai", "fp32", "cloud-only"))
    shapes = shapes_of(scenario.backbone, 1)
    settings = {**methods.find("chai").defaults, **scenario.settings.get("chai", {})}
    context = methods.MethodContext("chai", settings, scenario.backbone, scenario.training, 1, scenario.seed)
    small = shapes_of(student(context).backbone, 1)
    step, teach = (costs.PASSES_TO_TRAIN_ALL * costs.forward_macs(s) for s in (shapes, small))
    measured = {
        "training": f"{step / teach:.1f}x fewer operations a step alone, {step / (teach + step / 3):.1f}x with the teacher's pass",
        "inference": f"{full['infer_s'].median() / chai['infer_s'].median():.1f}x",
        "accuracy kept": f"{_share_of_fp32(ledger, 'chai'):.0%}",
        "size saved": f"{1 - chai['model_bytes'].mean() / full['model_bytes'].mean():.0%}",
        "latency saved": f"{1 - chai['infer_s'].median() / cloud['total_s'].median():.0%} of cloud-only's round trip",
    }
    claimed = {name: f"{value:g}x" if value > 1 else f"{value:.0%}" for name, value in CLAIMS.items()}
    rows = [[name, claimed[name], measured[name]] for name in CLAIMS]
    head = "## `chai`: four ratios, claimed and measured\n\nThe claims are a machine-written summary's; no primary source supports them."
    return f"{head}\n\n{table(('ratio', 'claimed', 'measured here'), rows, 3)}"


if __name__ == "__main__":
    sys.exit(ended(lambda: main(sys.argv[1:])))
