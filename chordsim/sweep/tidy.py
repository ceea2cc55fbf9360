"""The sweep's tidy table: one row per point, seed and method, and which costs it keeps."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chordsim.files import atomic_write, read_json
from chordsim.ledger.figures import PLACES, at
from chordsim.ledger.names import SUMMARY
from chordsim.numerics import words
from chordsim.sweep.points import Point

TABLE_CSV, TABLE_PARQUET = "sweep.csv", "sweep.parquet"

if TYPE_CHECKING:
    import pandas as pd

_PLAIN = (
    "served_share",
    "bits_mean",
    "down_bytes_per_device",
    "up_bytes_per_device",
    "bootstrap_bytes_once",
    "bootstrap_bytes_again",
    "wasted_bytes",
    "p50_total_s",
    "p95_total_s",
    "joules_per_device",
    "device_rounds",
)
#: Costs of a first contact, a session, a new version and the whole fleet, by where summary.json has them.
COSTS = {name: path for name, path in PLACES.items() if len(path) > 1 or name == "wasted_bytes_per_device"}
METRICS = ("ndcg_10_all", "ndcg_10", "hr_10")


def typed(text: str) -> Any:
    """Return a value of the grid as a number or a truth value if it is one, else as its text."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        return text
    return value if isinstance(value, int | float | str) else text


def tidy(folder: Path, points: Sequence[Point], keys: Sequence[str]) -> pd.DataFrame:
    """Return one row per point, seed and method, units in the names."""
    import pandas as pd

    rows = []
    for point in points:
        path = folder / "points" / point.name
        manifest = read_json(path / "manifest.json")
        for method, m in read_json(path / SUMMARY)["methods"].items():
            row: dict[str, Any] = {key: typed(value) for key, value in zip(keys, point.values, strict=True)}
            row |= {"seed": point.seed, "method": method}
            for metric in METRICS:
                low, high = m[metric]["ci95"] or (None, None)
                row |= {metric: m[metric]["mean"], f"{metric}_ci95_low": low, f"{metric}_ci95_high": high}
            row |= {name: m.get(name) for name in _PLAIN}
            row |= {name: at(m, *path) for name, path in COSTS.items()}
            row |= {f"bytes_after_{n}_sessions": value for n, value in m["bytes_after_sessions"].items()}
            row |= {
                "numerics": words(manifest.get("numerics")),
                "ledger_sha256": manifest.get("ledger_sha256"),
                "run": f"points/{point.name}",
            }
            rows.append(row)
    return pd.DataFrame(rows)


def mixed(table: pd.DataFrame) -> str:
    """Return in a sentence that points were computed on several numerics, so that figures may part by more than what was varied."""
    kinds = table["numerics"].dropna().unique().tolist()
    return (
        f"Points were computed on {len(kinds)} numerics, which part last bits and what follows: {'; '.join(kinds)}."
        if len(kinds) > 1
        else ""
    )


def save(folder: Path, table: pd.DataFrame) -> None:
    """Write the table as CSV and Parquet."""
    import io

    atomic_write(folder / TABLE_CSV, table.to_csv(index=False, lineterminator="\n").encode())
    buffer = io.BytesIO()
    # A swept key may hold numbers in one point and words in another; Parquet wants one type.
    mixed = [c for c in table.columns if table[c].map(type).nunique() > 1 and table[c].map(lambda v: isinstance(v, str)).any()]
    table.assign(**{c: table[c].astype(str) for c in mixed}).to_parquet(buffer, index=False, compression="zstd")
    atomic_write(folder / TABLE_PARQUET, buffer.getvalue())
