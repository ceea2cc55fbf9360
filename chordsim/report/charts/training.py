"""Training curves: loss and validation NDCG@10 by step, of runs that kept their events (`chordsim.callbacks.JsonLines`)."""

from __future__ import annotations

import json
from pathlib import Path

from chordsim.errors import RunError
from chordsim.report.charts.chart import Chart, number, spread
from chordsim.report.charts.plot import Axis, Plot, Points
from chordsim.report.gather import Gathered

FILE = "events.jsonl"
Curves = dict[str, list[tuple[int, float | None]]]
_SHOWN = {
    "validation": ("ndcg_10", "validation_ndcg_10", "Validation during training", "NDCG@10 of the validation item"),
    "step": ("loss", "training_loss", "Loss during training", "loss"),
}


def charts(g: Gathered) -> list[Chart]:
    """Return the charts; none of a run that kept no events, or whose models came from the cache.

    Raises:
        RunError: The file of events is damaged.
    """
    found = read(g.source.path)
    places = {name: place for place, name in enumerate(g.methods)}
    return [_curve(kind, curves, places) for kind, curves in found.items() if curves]


def read(run: Path) -> dict[str, Curves]:
    """Return by kind of event and training the pairs of step and number; an unfinished last line is left out.

    Raises:
        RunError: A line is no event.
    """
    path, found = run / FILE, {kind: Curves() for kind in _SHOWN}
    if not path.is_file():
        return found
    try:
        for line in path.read_text(encoding="utf-8").rpartition("\n")[0].splitlines():
            told = json.loads(line)
            if told["event"] in _SHOWN:
                value = told[_SHOWN[told["event"]][0]]
                found[told["event"]].setdefault(str(told["training"]), []).append(
                    (int(told["step"]), None if value is None else float(value))
                )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: half-written or damaged ({' '.join(str(error).split())[:160]})") from error
    return found


def _curve(kind: str, curves: Curves, places: dict[str, int]) -> Chart:
    _, key, title, y = _SHOWN[kind]
    lines, rows = [], []
    for order, (name, pairs) in enumerate(curves.items()):
        shown = [pairs[n] for n in spread(len(pairs))]
        values = [number(value) for _, value in shown]
        lines.append(Points(name, places.get(name, len(places) + order), [step for step, _ in shown], values, lines=True))
        rows += [(name, step, value) for (step, _), value in zip(shown, values, strict=True)]
    meaning = "As the run's events tell it (events.jsonl). A method that starts from another one's state begins where that ended."
    return Chart(key, title, meaning, (Plot(Axis("training step", zero=True, whole=True), Axis(y), lines),), ("training", "step", y), rows)
