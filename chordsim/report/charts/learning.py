"""Training curves: validation NDCG@10 and loss by step, and for plans the share of channels at each code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chordsim.ledger.names import TRAINING
from chordsim.report.charts.chart import Chart, number, spread
from chordsim.report.charts.plot import Axis, Plot, Points
from chordsim.report.gather import Gathered
from chordsim.store.training import read

if TYPE_CHECKING:
    import pandas as pd

_STEPS = Axis("training step", zero=True, whole=True)
_CURVES = (
    ("validation_ndcg_10", "Validation during training", "NDCG@10 of the validation item"),
    ("loss", "Loss during training", "loss"),
)
_KEPT = "As training.csv has it, also where models came from the cache."


def charts(g: Gathered) -> list[Chart]:
    """Return the charts; none of a run that trained nothing.

    Raises:
        RunError: The file of curves is damaged.
    """
    path = g.source.path / TRAINING
    table = read(path if path.exists() else None)
    places = {name: place for place, name in enumerate(g.methods)}
    made = [_curves(table[table.what == what], what, title, y, places) for what, title, y in _CURVES if (table.what == what).any()]
    return [*made, *_shares(table[table.what == "share"])]


def _curves(table: pd.DataFrame, what: str, title: str, y: str, places: dict[str, int]) -> Chart:
    lines, rows = [], []
    for order, (name, pairs) in enumerate(table.groupby("method", sort=False)):
        steps, values = _shown(pairs)
        lines.append(Points(str(name), places.get(str(name), len(places) + order), steps, values, lines=True))
        rows += [(str(name), step, value) for step, value in zip(steps, values, strict=True)]
    meaning = f"{_KEPT} Step 0 is the start of a training that takes over a trained model."
    return Chart(f"training_{what}", title, meaning, (Plot(_STEPS, Axis(y), lines),), ("training", "step", y), rows)


def _shares(table: pd.DataFrame) -> Iterator[Chart]:
    """Yield for each method with plans what share of a layer's channels its users' plans put at each code, the mean over layers."""
    for name, mine in table.groupby("method", sort=False):
        lines, rows = [], []
        for code, pairs in mine.groupby(["code", "step"], sort=True).value.mean().reset_index().groupby("code"):
            steps, values = _shown(pairs)
            lines.append(Points(f"code {code}", int(str(code)), steps, values, lines=True))
            rows += [(f"code {code}", step, value) for step, value in zip(steps, values, strict=True)]
        title, meaning = f"Codes of {name} during training", f"Mean over layers at each validation; training.csv has every layer. {_KEPT}"
        plot = Plot(_STEPS, Axis("share of channels", limits=(0.0, 1.0)), lines)
        yield Chart(f"training_codes_{name}", title, meaning, (plot,), ("code", "step", "share of channels"), rows)


def _shown(pairs: pd.DataFrame) -> tuple[list[int], list[float | None]]:
    """Return steps and numbers of a curve, evenly thinned where there are many."""
    shown = pairs.iloc[spread(len(pairs))]
    return [int(step) for step in shown.step], [number(float(value)) for value in shown.value]
