"""`chordsim data`: real data sets, from their publisher, checksum verified, cached; and a look into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chordsim.cli.options import SetOption

if TYPE_CHECKING:
    from chordsim.data.entries import Entry

app = typer.Typer(
    help="List, fetch and inspect data sets.", epilog="Example: chordsim data fetch ml-100k", no_args_is_help=True, rich_markup_mode="rich"
)


@app.command("list", epilog="Example: chordsim data list")
def list_sets() -> None:
    """List the catalogue, and what is on this machine already."""
    from chordsim.data.entries import entries
    from chordsim.fitted import Worded
    from chordsim.terminal import screen

    table = Worded("name", "here", "what", "terms")
    for entry in entries().values():
        table.add_row(entry.name, _whereabouts(entry), entry.summary, entry.terms)
    screen().print(table)


@app.command("fetch", epilog="Example: chordsim data fetch ml-100k")
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name from `chordsim data list`.")],
    refresh: Annotated[bool, typer.Option("--refresh", help="Download again, whatever the cache holds.")] = False,
) -> None:
    """Find or download a data set and verify its checksum. NAME is one of chordsim data list."""
    from chordsim.data import catalog
    from chordsim.terminal import Terminal

    with Terminal() as progress:
        found = catalog.fetch(name, progress, refresh=refresh)
    checked = "checksum verified" if found.verified else "no checksum is known for this form"
    typer.echo(f"{name}: {found.path} ({found.how}; {checked}; sha256 {found.sha256})")


@app.command("inspect", epilog="Example: chordsim data inspect mine.csv --set data.columns.user=visitorid")
def inspect(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A data file, plain or packed by gzip, bzip2 or zstd.")],
    format: Annotated[str, typer.Option(help="auto, u.data, inter, csv, ratings.dat, blanks, pairs, seq, jsonl or parquet.")] = "auto",
    overrides: SetOption = None,
) -> None:
    """Read a file as a run would, without filters, and tell what was read as what, what was not, and what is odd."""
    import json

    from chordsim.data.inspection import inspected
    from chordsim.data.load import read_interactions
    from chordsim.fitted import Worded
    from chordsim.scenario.load import load
    from chordsim.terminal import screen

    # A key that mends a reading is written here as it is for a run.
    file = ['data.source="file"', f"data.path={json.dumps(str(path))}", f"data.format={json.dumps(format)}"]
    scenario = load("quickstart", [*file, *(overrides or ())])
    config = scenario.data
    log = read_interactions(path, config.format, config.min_rating, config=config, seed=scenario.seed)
    table = Worded("", "")
    for name, value in inspected(log, config, scenario.rounds.count):
        table.add_row(name, value)
    screen().print(table)


def _whereabouts(entry: Entry) -> str:
    """Return where a copy lies; its checksum is verified when it is used."""
    from chordsim.data.places import DATA_VARIABLE, cache_folder, data_folder

    own = data_folder()
    if own is not None and any((own / copy.path).exists() for copy in entry.copies):
        return DATA_VARIABLE
    if any((cache_folder() / copy.path).exists() for copy in entry.copies):
        return "cache"
    return "to fetch" if entry.publisher or entry.wheel else "by hand"
