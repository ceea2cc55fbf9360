"""A user's CSV of own phones: one row per model of phone, checked before anything is drawn from it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from chordsim.arrays import Floats, Ints
from chordsim.config.phones import HARDWARE, MEMORY_KEYS, TierConfig, era_tiers
from chordsim.config.strict import NAME_PATTERN
from chordsim.errors import DataError
from chordsim.population.marginals import z_of_shares
from chordsim.population.reading import Texts, figures, read_texts

MAX_ROWS = 1_000_000
#: Columns with a meaning besides the hardware.
TIER, WEIGHT = "tier", "weight"
#: What a weight is called where tiers are: read as one in a file that has no weights.
SHARE = "share"
#: The tier of all phones where a file names none and has too few models for those of an era.
ONE_TIER = "own"
#: What a tier of a scenario may say at least and at most, a file may.
_BOUNDS = {
    name: tuple(
        next(float(getattr(rule, end)) for rule in TierConfig.model_fields[name].metadata if hasattr(rule, end)) for end in ("ge", "le")
    )
    for name in HARDWARE
}
_LEAST_WEIGHT, _LARGEST_WEIGHT = 1e-12, 1e12
_MAY_BE_ZERO = ("round_trip_ms", "nj_per_mac", "radio_w")
#: Names that a phone's own numbers have wherever phones are listed, so that no further column can take them.
TAKEN = frozenset(
    "device_id user_id method history_items known_to_cloud ram_bytes macs_per_s down_bytes_per_s up_bytes_per_s round_trip_s j_per_mac "
    "memory_budget_bytes latency_budget_s latency_by_joules bits_budget".split()
)


@dataclass(frozen=True)
class Labels:
    """One column of words.

    Attributes:
        codes: Index into ``words``, [N].
        words: Distinct, sorted.
    """

    codes: Ints
    words: tuple[str, ...]


@dataclass(frozen=True)
class OwnPhones:
    """N rows.

    Attributes:
        columns: Hardware by column name, [N] each.
        cumulative: Running share of each row's weight, [N].
        speed_z: Place of each row by speed among all weight, a standard normal latent, [N].
        tier: Named tier of each row; empty where the file names none.
        further: Other columns, kept to group phones by.
        notes: What was kept and what was not read.
        place: Returns ``path: line N`` for a row.
    """

    columns: Mapping[str, Floats]
    cumulative: Floats
    speed_z: Floats
    tier: tuple[str, ...]
    further: Mapping[str, Labels]
    notes: tuple[str, ...]
    place: Callable[[int], str]


def read_own(path: str) -> OwnPhones:
    """Read and check the file.

    Raises:
        DataError: Missing, not a table, a column that is missing or there twice, or a value that no phone has; names file, line and column.
    """
    texts = read_texts(path, HARDWARE, MAX_ROWS)
    columns = {name: figures(texts, name, zero=name in _MAY_BE_ZERO, least=_BOUNDS[name][0], most=_BOUNDS[name][1]) for name in HARDWARE}
    weighs = next((name for name in (WEIGHT, SHARE) if name in texts.columns), None)
    weight = figures(texts, weighs, zero=False, least=_LEAST_WEIGHT, most=_LARGEST_WEIGHT) if weighs else np.ones(texts.rows)
    share = weight / weight.sum()
    order = np.argsort(columns["gmacs_per_s"], kind="stable")
    middle = np.empty(texts.rows)
    middle[order] = np.cumsum(share[order]) - share[order] / 2
    z = np.array([NormalDist().inv_cdf(min(max(m, 1e-12), 1 - 1e-12)) for m in middle.tolist()])
    tier = tuple(texts.columns[TIER].to_pylist()) if TIER in texts.columns else ()
    further, notes = _further(texts, weighs)
    return OwnPhones(columns, np.cumsum(share), z, tier, further, notes, texts.place)


def tiers_of(path: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of the tiers that a file of own phones brings.

    Tiers are those that the file names, the slowest first, each with the share of its phones; without names those of an era, if some phone
    falls into each; else one tier for all. Memory, latency and bits are those of an era's tier of this name, or of its middle one.

    Args:
        path: The file.
        given: What the scenario says of some tiers; it goes before.

    Raises:
        DataError: The file cannot be used, or a tier's name is no name.
    """
    own = read_own(path)
    share = np.diff(own.cumulative, prepend=0.0)
    defaults = {name: tier.model_dump(exclude_none=True) for name, tier in era_tiers().items()}
    if not own.tier:
        places = np.searchsorted(z_of_shares(tuple(tier["share"] for tier in defaults.values())), own.speed_z, side="right")
        if np.unique(places).size < len(defaults):
            defaults = {ONE_TIER: {**defaults["mid"], "share": 1.0}}
    else:
        names = sorted(set(own.tier))
        stray = next((row for row, name in enumerate(own.tier) if not re.match(NAME_PATTERN, name)), None)
        if stray is not None:
            rule = "use letters, digits, '.', '_' and '-', a letter or digit first"
            raise DataError(f"{own.place(stray)}: tier {own.tier[stray]!r} is no name: {rule}")
        of = np.array([names.index(name) for name in own.tier])
        shares = np.bincount(of, share)
        speeds = np.bincount(of, share * own.columns["gmacs_per_s"]) / shares
        ordered = [names[place] for place in np.argsort(speeds, kind="stable").tolist()]
        # Rounded, so that shares read as a person would write them; the last one takes what rounding left.
        rounded = [round(float(shares[names.index(name)]), 9) for name in ordered]
        rounded[-1] = round(1.0 - sum(rounded[:-1]), 9)
        defaults = {name: {**defaults.get(name, defaults["mid"]), "share": part} for name, part in zip(ordered, rounded, strict=True)}
    return {name: _over(defaults.get(name, {}), given.get(name, {})) for name in {**defaults, **given}}


def _over(base: Mapping[str, Any], given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    # A tier grants memory in one way, so another way takes the place of the default.
    granted = any(key in given for key in MEMORY_KEYS)
    return {**{key: value for key, value in base.items() if not (granted and key in MEMORY_KEYS)}, **given}


def _further(texts: Texts, weighs: str | None) -> tuple[dict[str, Labels], tuple[str, ...]]:
    """Return the columns that nothing but grouping reads, and what to say of them and of what weighs the rows."""
    meant = (*HARDWARE, TIER, WEIGHT)
    others = [name for name in texts.columns if name not in (*meant, weighs)]
    kept = [name for name in others if name and name not in TAKEN]
    labels = {}
    for name in kept:
        words, codes = np.unique(np.array(texts.columns[name].to_pylist(), np.str_), return_inverse=True)
        labels[name] = Labels(codes.astype(np.int64), tuple(words.tolist()))
    notes = [f"column {SHARE!r} is read as {WEIGHT!r}"] if weighs == SHARE else []
    notes += [f"kept to group phones by: {', '.join(kept)}"] if kept else []
    for name in kept:
        near = difflib.get_close_matches(name.lower(), meant, n=1, cutoff=0.8)
        notes += [f"column {name!r} is kept as a label; is {near[0]!r} meant?"] if near else []
    left = [name or "a column without a name" for name in others if name not in kept]
    notes += [f"not read: {', '.join(left)}"] if left else []
    return labels, tuple(f"{Path(texts.path).name}: {note}" for note in notes)
