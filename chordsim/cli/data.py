"""`chordsim data`: real data sets, from their publisher, checksum verified, cached; and a look into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from chordsim.data.entries import Entry
    from chordsim.data.interactions import Interactions

app = typer.Typer(
    help="List, fetch and inspect data sets.", epilog="Example: chordsim data fetch ml-100k", no_args_is_help=True, rich_markup_mode="rich"
)


@app.command("list", epilog="Example: chordsim data list")
def list_sets() -> None:
    """List the catalogue, and what is on this machine already."""
    from rich.table import Table

    from chordsim.data.entries import entries
    from chordsim.terminal import screen

    table = Table("name", "here", "what", "terms", box=None, pad_edge=False)
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


@app.command("inspect", epilog="Example: chordsim data inspect u.data")
def inspect(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A data file, plain or gzip.")],
    format: Annotated[str, typer.Option(help="auto, u.data, inter, csv, ratings.dat, pairs or seq.")] = "auto",
) -> None:
    """Read a file, plain or gzip, as a run would, without filters, and tell what is in it."""
    from rich.table import Table

    from chordsim.data.load import read_interactions
    from chordsim.terminal import screen

    log = read_interactions(path, format)
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _facts(log):
        table.add_row(name, value)
    screen().print(table)


def _facts(log: Interactions) -> list[tuple[str, str]]:
    import numpy as np

    low, middle, high = (int(q) for q in np.quantile(log.lengths, (0, 0.5, 1)))
    times = "none; the order of lines counts" if log.timestamps is None else f"{_day(log.timestamps.min())} to {_day(log.timestamps.max())}"
    return [
        ("file", log.source.path),
        ("interactions", f"{log.items.size:,}"),
        ("users", f"{log.n_users:,} (interactions each: {low:,} to {high:,}, median {middle:,})"),
        ("items", f"{log.n_items:,}"),
        ("time", times),
        ("sha256", log.source.sha256),
        *(("note", note) for note in log.source.notes),
    ]


def _day(timestamp: int) -> str:
    """Return the day of a time stamp in seconds; the number itself where it can be no such thing."""
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(int(timestamp), UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return str(int(timestamp))


def _whereabouts(entry: Entry) -> str:
    """Return where a copy lies; its checksum is verified when it is used."""
    from chordsim.data.places import DATA_VARIABLE, cache_folder, data_folder

    own = data_folder()
    if own is not None and any((own / copy.path).exists() for copy in entry.copies):
        return DATA_VARIABLE
    if any((cache_folder() / copy.path).exists() for copy in entry.copies):
        return "cache"
    return "to fetch" if entry.publisher or entry.wheel else "by hand"
