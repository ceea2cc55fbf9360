"""docs/roll-out.md as it stands: its phones and scenario are forecast, and what it works by hand lies where the forecast says."""

from __future__ import annotations

import math
import re
from pathlib import Path
from statistics import NormalDist

import pytest

from chordsim.forecast.predict import Forecast, Range, forecast
from chordsim.forecast.printed import rows_lines
from chordsim.scenario.load import load
from chordsim.sized import SizedWorld, sized_world

TEXT = (Path(__file__).parents[2] / "docs" / "roll-out.md").read_text()
SPREAD, JITTER, LOSS = 0.15, 0.3, 0.02
WEIGHTS, CHANNELS, POSITIONS = 2 * (4 * 64 * 64 + 2 * 64 * 64), 2 * (5 * 64 + 64), 50 * 64
NORMAL = NormalDist()


def block(kind: str) -> str:
    """Return the page's only block of a kind."""
    (found,) = re.findall(rf"```{kind}\n(.*?)```", TEXT, re.S)
    return str(found)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SizedWorld:
    """Return the page's scenario with fewer phones: less is known of them, and what is expected of one is the same."""
    folder = tmp_path_factory.mktemp("roll-out")
    (folder / "phones.csv").write_text(block("csv"))
    (folder / "rollout.toml").write_text(block("toml").replace('csv = "phones.csv"', f'csv = "{folder}/phones.csv"'))
    some = ["population.devices=60_000", 'methods=["retriever", "fp32", "uniform-2"]']
    return sized_world(load(str(folder / "rollout.toml"), some))


@pytest.fixture(scope="module")
def told(world: SizedWorld) -> Forecast:
    """Return its forecast by class of phones."""
    return forecast(world, "model")


def by_hand() -> list[tuple[float, tuple[str, str, str]]]:
    """Return each line's number from first principles, and which quantity of whose forecast it is."""
    p50 = 0.060 + 318 / (25e6 / 8)
    spread = math.hypot(JITTER, SPREAD)
    mean = math.exp(SPREAD**2 / 2)
    operations = 24_576 * 50 + 8_192 * 50 + 16_384 + 2 * 51 * 50 * 64 + 100 * 64
    memory = 512 * 256 + 4 * POSITIONS + 4 * (5 * 50 * 64 + 2 * 50**2) + 4 * 101 + 4 * WEIGHTS
    return [
        (4 * (WEIGHTS + POSITIONS) + 960, ("fp32", "all", "first_contact_down_bytes")),
        (WEIGHTS * 2 / 8 + 4 * CHANNELS + 4 * POSITIONS + 1776, ("uniform-2", "all", "first_contact_down_bytes")),
        (100 * 3 + 18, ("retriever", "all", "per_session_down_bytes")),
        (p50, ("retriever", "mid", "per_session_seconds_p50")),
        (p50 * math.exp(1.645 * spread), ("retriever", "mid", "per_session_seconds_p95")),
        (1.2 * mean * (p50 * math.exp(spread**2 / 2) + 2), ("retriever", "mid", "per_session_joules")),
        (100 * (1 - LOSS * 4 / 5), ("fp32", "mid", "served_share")),
        (LOSS / 2 * 318 / 2, ("retriever", "all", "wasted_bytes_per_device")),
        (memory, ("fp32", "", "memory")),
        (100 * NORMAL.cdf(math.log(memory / 400_000) / SPREAD), ("fp32", "low", "refused_share")),
        (100 * (1 - NORMAL.cdf(math.log(0.002 / (operations / 1.5e9)) / SPREAD)), ("uniform-2", "low", "refused_share")),
    ]


def test_what_is_worked_by_hand_is_what_the_forecast_says(world: SizedWorld, told: Forecast) -> None:
    rows = re.findall(r"^\| `(.*?)`, .*\| ([\d.,]+) \|$", TEXT.partition("## 5. By hand")[2], re.M)
    expected = by_hand()
    assert [method for method, _ in rows] == [key[0] for _, key in expected] and len(rows) == 11
    for (_, shown), (value, (method, group, quantity)) in zip(rows, expected, strict=True):
        digits = len(shown.partition(".")[2])
        assert round(value, digits) == pytest.approx(float(shown.replace(",", ""))), (method, quantity, value)
        if quantity == "memory":
            assert value == world.population.fp32_peak_bytes
            continue
        found: Range = told[method][group][quantity]
        factor = 100.0 if quantity.endswith("_share") else 1.0
        assert found.low * factor <= value <= found.high * factor, (method, quantity, value, found)


def test_first_sessions_are_told_apart_from_later_ones(world: SizedWorld, told: Forecast) -> None:
    (line,) = rows_lines(world)
    first, later = (float(text) for text in re.search(r"about ([\d.]+) kB in .*?, ([\d.]+) B later", line).groups())  # type: ignore[union-attr]
    # One round is a first session of everybody: its mean is the list, the rows and two frames.
    found = told["fp32"]["all"]["per_session_down_bytes"]
    assert found.low < 1000 * first + 300 + 2 * 18 < found.high
    assert later < 1000 * first / 50 and "fp32, uniform-2" in line and "the mean over 1 round," in line


def test_share_is_a_weight(world: SizedWorld) -> None:
    assert "phones.csv: column 'share' is read as 'weight'" in world.population.notes
    assert world.population.columns == ("tier", "model")
