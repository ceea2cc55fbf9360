"""How often the forecast's 90 % range holds what is measured, per shipped scenario in which transfers are lost.

Run: python -m benchmarks.forecast_coverage [SCENARIO ...] [--seeds N] [--first N] [--devices N] [--set KEY=VALUE ...]. Each seed is a run
of its own, with its own phones, availability, links and losses; its rows come from the engine's own accounting (`chordsim.round.sizes`),
without training, so every byte and second is that of the real run and no rank is. Scenarios of more phones than --devices play with that
many. Prints a line per scenario and method, and of bytes the widest half range that any seed had, as a share of its middle; exit code 1 if
any quantity lay inside for fewer than 18 of 20. Where phones keep few item rows:
`python -m benchmarks.forecast_coverage refresh --seeds 40 --set rounds.count=5 --set rounds.new_model_every=3`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.cut_off import ended
from benchmarks.parser import parser_of, positive
from chordsim.errors import ChordsimError
from chordsim.forecast.predict import beside, forecast
from chordsim.ledger.summary import Summary
from chordsim.round import sizes
from chordsim.round.bindings import accounting
from chordsim.scenario.load import load, shipped
from chordsim.sized import SizedWorld, sized_world

QUANTITIES = (
    "served_share",
    "per_session_down_bytes",
    "per_session_up_bytes",
    "wasted_bytes_per_device",
    "per_session_seconds_p50",
    "per_session_seconds_p95",
    "per_session_seconds_p99",
    "per_session_joules",
    "fleet_down_gb",
)
#: Those in bytes that every served phone moves.
BYTES = ("per_session_down_bytes", "per_session_up_bytes", "fleet_down_gb")
LEAST = 0.9


def lossy() -> list[str]:
    """Return the shipped scenarios with losses on."""
    return [name for name in sorted(shipped()) if load(name).clock.loss > 0]


def measured(world: SizedWorld) -> dict[str, Any]:
    """Return the summary by method of a run of this world in sizes."""
    scenario = world.scenario
    summary = Summary(world.n_users, list(scenario.population.tiers), scenario.seed, **accounting(scenario))
    for player in sizes.players(world, sizes.bootstraps(world)):
        for round in range(1, world.scenario.rounds.count + 1):
            for played in sizes.play(player, world, round, world.population.select(round)):
                summary.add(played.rows)
    return summary.methods()


def coverage(
    name: str, overrides: Sequence[str], seeds: Iterable[int], half: dict[tuple[str, str], float] | None = None
) -> dict[tuple[str, str], tuple[int, int]]:
    """Return by method and quantity, over all phones, in how many runs the range held, and of how many.

    Args:
        name: A shipped scenario.
        overrides: Over its keys.
        seeds: One run for each.
        half: Where to put the widest half range by method and quantity of bytes, as a share of its middle.
    """
    inside: Counter[tuple[str, str]] = Counter()
    seen: Counter[tuple[str, str]] = Counter()
    for seed in seeds:
        world = sized_world(load(name, overrides, seed))
        for method, tiers in beside(forecast(world), {"methods": measured(world)}).items():
            for quantity in QUANTITIES:
                if "measured" in tiers["all"].get(quantity, {}):
                    inside[method, quantity] += tiers["all"][quantity]["inside"]
                    seen[method, quantity] += 1
                    if half is not None and quantity in BYTES:
                        low, middle, high = (tiers["all"][quantity][end] for end in ("low", "middle", "high"))
                        half[method, quantity] = max(half.get((method, quantity), 0.0), (high - low) / 2 / middle if middle else 0.0)
    return {key: (inside[key], seen[key]) for key in seen}


def _small(name: str, devices: int) -> list[str]:
    """Return overrides that bound the phones of a scenario."""
    population = load(name).population
    out = [f"population.devices={devices}"] if population.devices > devices else []
    return [*out, f"population.selected={devices}"] if population.selected > devices else out


def main(arguments: list[str]) -> int:
    """Measure, print, and return 1 if a range holds too seldom."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("scenarios", nargs="*", default=None, metavar="SCENARIO")
    parser.add_argument("--seeds", type=positive, default=20)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--devices", type=positive, default=100_000)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as of chordsim run")
    given = parser.parse_args(arguments)
    seldom, half = 0, dict[tuple[str, str], float]()
    print(f"| scenario | method | {' | '.join(QUANTITIES)} |\n| --- | --- | {' | '.join('---:' for _ in QUANTITIES)} |")
    for name in given.scenarios or lossy():
        try:
            found = coverage(name, [*_small(name, given.devices), *given.overrides], range(given.first, given.first + given.seeds), half)
        except ChordsimError as error:
            print(f"| {name} | cannot be forecast: {error} | {' | '.join('-' for _ in QUANTITIES)} |", flush=True)
            seldom += 1
            continue
        for method in dict.fromkeys(method for method, _ in found):
            shares = [found.get((method, quantity), (0, 0)) for quantity in QUANTITIES]
            seldom += sum(inside < LEAST * seen for inside, seen in shares)
            print(f"| {name} | {method} | {' | '.join(f'{inside} of {seen}' for inside, seen in shares)} |", flush=True)
        for method, quantity in half:
            print(f"{name}, {method}, {quantity}: half range {half[method, quantity]:.1%} of the middle at most", flush=True)
        half.clear()
    return min(seldom, 1)


if __name__ == "__main__":
    sys.exit(ended(lambda: main(sys.argv[1:])))
