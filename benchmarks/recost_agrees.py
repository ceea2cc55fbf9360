"""Does recost tell the truth? Every method, played once, recosted under overrides, and honestly played again under each of them.

    python -m benchmarks.recost_agrees [--method NAME ...] [--override NAME ...] [--json FILE]

Row by row, what recost tells must be what the honest run gives: outcome, bytes, seconds, joules, ranks. What recost counts as unknown,
or as estimated by a closed form, is not held against it, but counted here. Exit code 1 if a number that it claims to know differs.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import chordsim
from benchmarks.cut_off import ended
from benchmarks.parser import parser_of
from benchmarks.same_ledgers.checkout import Checkout
from benchmarks.same_ledgers.scenarios import SOURCE, Tables, merged
from chordsim.ledger.columns import PER_ROW, SCORED
from chordsim.ledger.parquet import iter_rows
from chordsim.ledger.rows import Rows
from chordsim.recost.again import Round, rounds_again, worlds
from chordsim.scenario.load import load

ROOT = Path(__file__).resolve().parents[1]
#: What differs in each override. The first five are those that an engineer asks about; the others are what else a clock may change.
OVERRIDES: dict[str, tuple[str, ...]] = {
    "memory": ("population.tiers.low.memory_mb=0.017", "population.tiers.mid.memory_mb=0.066"),
    "latency": ("population.tiers.low.latency_ms=0.05", "population.tiers.mid.latency_ms=0.0125"),
    "link": ("population.tiers.low.down_mbps=1.0", "population.tiers.mid.up_mbps=1.0", "population.tiers.high.round_trip_ms=200.0"),
    "era": ('population.era="2010s"',),
    "deadline": ("clock.deadline_s=0.12",),
    "deadline and memory": ("clock.deadline_s=0.12", "population.tiers.low.memory_mb=0.04", "population.tiers.mid.bits=2.5"),
    "quorum": ("clock.quorum=0.4", "population.tiers.mid.memory_mb=0.045"),
    "loss": ("clock.loss=0.3", "rounds.new_model_every=2"),
    "availability": ('population.availability.kind="diurnal"', "clock.round_every_h=5.0"),
    "battery": ('population.availability={kind="diurnal",battery_floor=0.6}', "population.tiers.mid.memory_mb=0.045"),
    "admission": ('protocol.admission="after"',),
}
FIVE = ("memory", "latency", "link", "era", "deadline")
#: Columns that recost does not claim: the cloud's own work, and which of several budgets was nearest.
_NOT_CLAIMED = ("cloud_macs", "binding")
_SEEN = (*SCORED, "ndcg_10_all", "fallback_rank", "user_id")
_ENDS = ("outcome", "served_by", "refused_by", "plan_age_rounds")
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Found:
    """How a method fared under one override.

    Attributes:
        method: The method.
        override: Name in `OVERRIDES`.
        rows: Device-rounds.
        unknown: Of them, those of which recost does not tell what the user saw.
        estimated: Those whose costs it tells from closed forms.
        differs: Column to device-rounds in which it claims a number that is another one.
    """

    method: str
    override: str
    rows: int
    unknown: int
    estimated: int
    differs: dict[str, int]


def scenario(methods: Sequence[str], more: Tables | None = None) -> Tables:
    """Return the scenario that is recosted: small, with phones that refuse, links that break and an old plan here and there."""
    import tomllib

    base = tomllib.loads(SOURCE.read_text())["base"]
    tables = merged(base, {"clock": {"loss": 0.08}, "settings": {"cda4rec": {"short_history": 12}, "chord-plus": {"bits": 3.0}}})
    tables = merged(tables, more or {})
    settings = {name: table for name, table in tables["settings"].items() if name in methods}
    return {"methods": list(methods), **tables, "settings": settings}


def agreement(tables: Tables, overrides: Sequence[str], folder: Path) -> Iterator[Found]:
    """Play, recost and play again; yield what each method and override came to.

    Args:
        tables: The scenario.
        overrides: Names in `OVERRIDES`.
        folder: Where runs go.
    """
    import tomli_w

    path = folder / "scenario.toml"
    path.write_text("# Does recost tell the truth?\n" + tomli_w.dumps(tables))
    run = chordsim.run(path, out=folder / "run", report=False).path
    resolved = run / "scenario.toml"
    for name in overrides:
        new = load(resolved, OVERRIDES[name])
        honest = chordsim.run(resolved, overrides=OVERRIDES[name], out=folder / name.replace(" ", "-"), report=False).path
        real = {(rows.method, rows.round): rows for rows in iter_rows(honest)}
        found: dict[str, list[Found]] = {}
        for played in rounds_again(run, *worlds(load(resolved), new)):
            found.setdefault(played.rows.method, []).append(_round(played, real[played.rows.method, played.rows.round], name))
        for parts in found.values():
            yield _summed(parts)


def _round(played: Round, real: Rows, override: str) -> Found:
    rows, verdict = played.rows, played.verdict
    sure = ~verdict.unsure
    differs = {}
    for column in (c.name for c in PER_ROW if c.name not in _NOT_CLAIMED):
        told = verdict.why == 0 if column in _SEEN else sure if column in _ENDS else sure & ~verdict.estimated
        count = int(np.count_nonzero(told & ~_same(rows, real, column)))
        if count:
            differs[column] = count
    return Found(rows.method, override, len(rows), int((verdict.why > 0).sum()), int(verdict.estimated.sum()), differs)


def _same(one: Rows, two: Rows, column: str) -> np.ndarray:
    if column in one.words:
        return np.asarray(one.texts(column) == two.texts(column))
    a, b = one.floats(column), two.floats(column)
    return (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= _TOLERANCE * np.maximum(np.abs(b), 1.0))


def _summed(parts: Sequence[Found]) -> Found:
    differs: dict[str, int] = {}
    for part in parts:
        for column, count in part.differs.items():
            differs[column] = differs.get(column, 0) + count
    rows, unknown, estimated = (sum(getattr(part, name) for part in parts) for name in ("rows", "unknown", "estimated"))
    return Found(parts[0].method, parts[0].override, rows, unknown, estimated, differs)


def main(arguments: list[str]) -> int:
    """Compare, print a line for each method and override, and return the exit code."""
    methods = Checkout(ROOT).methods
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--method", action="append", choices=methods, metavar="NAME", help="one of all methods; may be repeated")
    parser.add_argument("--override", action="append", choices=list(OVERRIDES), metavar="NAME", help=f"one of {', '.join(OVERRIDES)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all counts")
    given = parser.parse_args(arguments)
    found = []
    with tempfile.TemporaryDirectory(prefix="recost-agrees-") as folder:
        os.environ.setdefault("CHORDSIM_CACHE", str(Path(folder) / "cache"))
        for one in agreement(scenario(given.method or methods), given.override or list(OVERRIDES), Path(folder)):
            found.append(one)
            shares = f"{one.unknown / one.rows:6.1%} unknown, {one.estimated / one.rows:6.1%} estimated"
            verdict = f"DIFFERS in {', '.join(f'{c} ({n})' for c, n in one.differs.items())}" if one.differs else "agrees"
            print(f"{one.override:20} {one.method:14} {shares}  {verdict}", flush=True)
    wrong = sum(bool(one.differs) for one in found)
    print(f"{len(found) - wrong} of {len(found)} agree: what recost claims to know is what an honest run gives")
    if given.json:
        given.json.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(ended(lambda: main(sys.argv[1:])))
