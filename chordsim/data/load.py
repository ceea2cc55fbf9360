"""From `[data]` of a scenario to a log and its split: the one entry that the rest of chordsim calls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chordsim.config.model import DataConfig
from chordsim.data import catalog, facts, filters
from chordsim.data.formats import Reading, read_file
from chordsim.data.interactions import Interactions, SourceInfo
from chordsim.data.split import Split, shortest, split
from chordsim.data.synthetic import generate
from chordsim.data.time_split import at_one_time
from chordsim.errors import DataError
from chordsim.progress import Progress, Silent


def load(config: DataConfig, rounds: int, seed: int, progress: Progress | None = None) -> tuple[Interactions, Split]:
    """Read or generate the data that a scenario names, filter them and hold out the targets.

    The filters come in this order: minimum rating; rare items and short users; users too short for the
    rounds; the sample of users. Ids are final after that. A split at one time for everybody takes out instead, after the sample,
    users who did too little before that time, and keeps apart those who did too little after it.

    Args:
        config: The scenario's ``[data]``.
        rounds: R, the number of held-out items of each user.
        seed: The scenario's seed, for synthetic data and samples of users.
        progress: Told of downloads.

    Returns:
        The log of the users who play and its split. ``log.source`` says where it came from, what was dropped, and what decides
        results.

    Raises:
        DataError: Anything wrong with the data, in one line.
    """
    log, min_item = _source(config, rounds, seed, progress or Silent())
    file_users = log.n_users
    log = filters.minimum_counts(log, config.min_user, min_item, config.k_core)
    past = None
    if config.split == "last":
        log = filters.long_enough(log, shortest(rounds), rounds, min_item, config.k_core)
    if config.max_users is not None:
        log = filters.sample_users(log, config.max_users, seed)
    if config.split == "global-time":
        log, past = at_one_time(log, rounds, config.train_share)
    log = facts.told(log, rounds, file_users, ties_drawn=config.ties == "seeded")
    return log, split(log, rounds, config.cloud_share, seed, past)


def read_interactions(
    path: Path, format: str = "auto", min_rating: float | None = None, *, config: DataConfig | None = None, seed: int = 0
) -> Interactions:
    """Read a data file as it is, without filters, to look at it.

    Args:
        path: The file.
        format: One of `formats.FORMATS`, or "auto" to find out.
        min_rating: Drop what is rated lower.
        config: The scenario's word on columns, time stamps, ties and duplicates.
        seed: The scenario's seed, for ties that are drawn.

    Raises:
        DataError: One line that names the file, and the line in it where there is one.
    """
    config = config or DataConfig(source="file", path=str(path))
    reading = read_file(path, format, config=config)
    source = SourceInfo(path.name, str(path), "file", reading.sha256, 0, 0).noted(f"read as {reading.format}")
    return _ordered(reading, source, config, min_rating, seed)


def _ordered(reading: Reading, source: SourceInfo, config: DataConfig, min_rating: float | None, seed: int) -> Interactions:
    source = replace(source, columns_read=reading.roles.read, columns_unread=reading.roles.unread, notes=(*source.notes, *reading.notes))
    return reading.log.to_interactions(
        source, min_rating, drop_duplicates=config.duplicates == "drop", ties_seed=seed if config.ties == "seeded" else None
    )


def _source(config: DataConfig, rounds: int, seed: int, progress: Progress) -> tuple[Interactions, int]:
    """Return the unfiltered log, and the minimum count of items that holds for it."""
    if config.source == "synthetic":
        if config.min_rating is not None:
            raise DataError("data.min_rating: synthetic data have no ratings; leave it out")
        return generate(config.synthetic, seed, shortest(rounds)), config.min_item
    if config.source == "file":
        if config.path is None:
            raise DataError('data.path: name the file for data.source = "file"')
        log = read_interactions(Path(config.path).expanduser(), config.format, config.min_rating, config=config, seed=seed)
        return replace(log, source=replace(log.source, path=config.path)), config.min_item
    entry = catalog.find(config.source)
    fetched = catalog.fetch_entry(entry, progress)
    source = SourceInfo(entry.name, fetched.label, fetched.how, fetched.sha256, 0, 0)
    if not fetched.verified:
        source = source.noted("no checksum is known for this form of the set, so it was not verified")
    if entry.min_item > config.min_item:
        source = source.noted(f"data.min_item = {entry.min_item}, as this set is used in print")
    reading = read_file(fetched.path, fetched.format, fetched.member)
    if reading.sha256 != fetched.sha256:
        raise DataError(f"{fetched.path}: changed while it was read")
    return _ordered(reading, source, config, config.min_rating, seed), max(config.min_item, entry.min_item)
