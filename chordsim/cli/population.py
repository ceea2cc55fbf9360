"""`chordsim population`: what phones a scenario draws."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chordsim.cli.options import ScenarioArgument, SeedOption, SetOption

if TYPE_CHECKING:
    from chordsim.arrays import Ints
    from chordsim.population.generate import Population

#: Beyond this many phones the first round's are shown.
MOST_SHOWN = 1_000_000


def population(
    scenario: ScenarioArgument = "quickstart",
    overrides: SetOption = None,
    seed: SeedOption = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write one line per phone.")] = None,
    by: Annotated[str, typer.Option("--by", metavar="COLUMN", help="tier, or a further column of population.csv.")] = "tier",
    svg: Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Draw the phones into an SVG file.")] = None,
) -> None:
    """Show the phones of a scenario, tier by tier. Loads the data, trains nothing.

    SCENARIO is a shipped name (see chordsim scenarios) or the path of a TOML file.
    """
    from chordsim.files import atomic_write
    from chordsim.population.describe import per_group, write_csv
    from chordsim.population.drawing import as_svg, as_text, histograms
    from chordsim.report.terminal_tables import tiers_table
    from chordsim.scenario.load import load
    from chordsim.sized import sized_world
    from chordsim.terminal import Terminal, screen
    from chordsim.world import build

    resolved = load(scenario, overrides or (), seed)
    with Terminal() as progress:
        only_sizes = resolved.protocol.metrics == "none"
        phones = sized_world(resolved, progress).population if only_sizes else build(resolved, progress).population
    ids, which = _shown(phones)
    profiles = phones.profiles(ids)
    console = screen()
    for line in phones.notes:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    codes, words = phones.labelled(ids, by)
    console.print(tiers_table(per_group(profiles, phones.fp32_peak_bytes, codes, words), which, by))
    drawn = histograms(profiles)
    for line in as_text(drawn):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if svg is not None:
        atomic_write(svg, as_svg(drawn, profiles.tier_names, f"{resolved.name}: {which}").encode())
        console.print(f"drawing written to {svg}", highlight=False, markup=False, soft_wrap=True)
    if csv is not None:
        write_csv(csv, profiles, phones.users(ids), phones.words(ids))
        console.print(f"{len(profiles):,} phones written to {csv}", highlight=False, markup=False, soft_wrap=True)


def _shown(phones: Population) -> tuple[Ints, str]:
    """Return which phones to show, and how to call them."""
    import numpy as np

    if phones.size <= MOST_SHOWN:
        return np.arange(phones.size, dtype=np.int64), f"all {phones.size:,} phones"
    ids = phones.select(1)[:MOST_SHOWN]
    return ids, f"{ids.size:,} phones of round 1, out of {phones.size:,}"
