"""How much the assumed constants of the phones matter: each halved and doubled in turn, in sizes alone.

Usage: python -m benchmarks.phones_sensitivity [--scenario NAME] [--method NAME]     (prints the table of docs/phones.md)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from unittest import mock

from benchmarks.cut_off import ended
from benchmarks.parser import parser_of
from chordsim.forecast.predict import Range, forecast
from chordsim.population import eras
from chordsim.scenario.load import load
from chordsim.sized import sized_world

SHOWN = ("served_share", "per_session_seconds_p50", "per_session_joules")


def with_era(change: Callable[[eras.Era], eras.Era]) -> mock._patch_dict:
    return mock.patch.dict("chordsim.population.hardware.ERAS", {name: change(era) for name, era in eras.ERAS.items()})


def changes(factor: float) -> dict[str, AbstractContextManager[object]]:
    return {
        "speed (MACs per measured sample)": with_era(lambda e: replace(e, macs_per_sample=e.macs_per_sample * factor)),
        "joules per operation": with_era(lambda e: replace(e, nj_per_mac=e.nj_per_mac.scaled(factor))),
        "radio watts": with_era(lambda e: replace(e, radio_w=e.radio_w.scaled(factor))),
        "radio tail": mock.patch("chordsim.population.clock.RADIO_TAIL_S", 2.0 * factor),
        "up over down": with_era(lambda e: replace(e, up_of_down=e.up_of_down * factor)),
        "operations to adapt one weight": mock.patch("chordsim.nets.footprint.ADAPT_MACS_PER_WEIGHT", 8 * factor),
    }


def shown(scenario: str, method: str) -> dict[str, Range]:
    world = sized_world(load(scenario, [f'methods=["{method}"]', "settings={}", "population.devices=20000"]))
    return forecast(world)[method]["all"]


def main() -> None:
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--scenario", default="cheap-phones")
    parser.add_argument("--method", default="chord-plus")
    options = parser.parse_args()
    base = shown(options.scenario, options.method)
    print(f"| {options.method}, {options.scenario} | served | median s of a session | joules of a session |\n| --- | --- | --- | --- |")
    print("| as shipped | " + " | ".join(f"{base[name].middle:.3g}" for name in SHOWN) + " |")
    for name in changes(1.0):
        for factor in (0.5, 2.0):
            with changes(factor)[name]:
                found = shown(options.scenario, options.method)
            cells = " | ".join(f"{found[key].middle / base[key].middle - 1:+.0%}" for key in SHOWN)
            print(f"| {name} x {factor:g} | {cells} |")


if __name__ == "__main__":
    sys.exit(ended(main))
