"""The comparisons, named before anything is measured: Holm corrects over each family whole, missing ones included."""

from __future__ import annotations

from benchmarks.reproduction.suite import BETWEEN, FUSED_FOR_ALL, LEARNT, MASK, NARROW, NARROWEST, OF_CHORD, ONE_BIT, RIVAL_NAMES

Pair = tuple[str, str]

_FULL = (
    ("chord-plus", "chord-shared"),
    ("chord-plus", f"chord-shared{ONE_BIT}"),
    ("chord-plus", "chord-swapped"),
    ("chord-plus", "chord-random"),
    ("chord-plus", "chord-empty"),
    ("chord-plus", "film-192"),
    ("chord-plus", "fp32"),
    ("chord-plus", "qat-2"),
    ("chord-plus", "static-mixed"),
    ("chord-plus", f"chord-shared{MASK}"),
    ("chord-plus", "markov"),
    ("chord-plus", "popularity"),
    (f"chord-plus{ONE_BIT}", "fp32"),
    (f"chord-plus{ONE_BIT}", f"chord-shared{ONE_BIT}"),
    ("chord", "fp32"),
    ("chord", "chord-plus"),
    ("fp32", "markov"),
    ("fp32", "popularity"),
    ("qat-2", "fp32"),
    ("uniform-2", "fp32"),
    ("chord-plus", f"chord-shared{BETWEEN}"),
)
_WIDE = (
    ("ml-1m-wide/chord-plus", "ml-1m-wide/fp32"),
    ("ml-1m-wide/chord-plus", "ml-1m/fp32"),
    ("ml-1m-wide/chord-plus", "ml-1m/chord-plus"),
    ("ml-1m-wide/chord-plus", "ml-1m/qat-2"),
    ("ml-1m-wide/fp32", "ml-1m/fp32"),
    ("ml-1m-wide/chord-plus", "ml-1m-wide/chord-swapped"),
)
#: Named after short trainings and before a test item; own against shared was named too, and dropped when groups were not ahead.
_CUT = (
    *(("ml-1m-groups/chord-plus", f"ml-1m/{name}") for name in ("fp32", "chord-plus", "qat-2", "film-192", f"chord-shared{MASK}")),
    ("ml-1m-groups/chord-plus", "ml-1m-groups/chord-swapped"),
    (f"ml-1m-groups/chord-plus{ONE_BIT}", "ml-1m/fp32"),
)
_RANKED = (
    ("chord-plus", "chord-shared"),
    ("chord-plus", "chord-swapped"),
    ("chord-plus", "film-192"),
    ("chord-plus", "fp32"),
    ("chord-plus", "qat-2"),
    ("chord", "fp32"),
    ("fp32", "markov"),
)
#: Among users that the cloud never trained on; the last two tell what not being trained on costs the same users.
_STRANGERS = (
    *(("ml-100k-strangers/chord-plus", f"ml-100k-strangers/{name}") for name in ("chord-shared", "chord-swapped", "chord-empty", "fp32")),
    ("ml-100k-strangers/chord-plus", "ml-100k/chord-plus"),
    ("ml-100k-strangers/fp32", "ml-100k/fp32"),
)


#: What the plan of `chord` adds: over none, over somebody else's. Families of their own, since they were named after `_FULL` was played.
_ADDED = (
    ("chord", "frozen-3"),
    ("chord", "frozen-8"),
    ("chord", f"chord-swapped{OF_CHORD}"),
    ("chord", f"chord-random{OF_CHORD}"),
    ("chord", f"chord-empty{OF_CHORD}"),
    ("frozen-3", "fp32"),
)
#: Neighbours of CHORD in the literature against the model that they start from or claim to match.
_NEIGHBOURS = (*((name, "fp32") for name in RIVAL_NAMES), ("qat-2", "uniform-2"), ("cda4rec", f"cda4rec{FUSED_FOR_ALL}"))
#: What learnt steps and rounded activations change.
_QUANTIZERS = (
    (f"qat-2{LEARNT}", "qat-2"),
    (f"qat-2{LEARNT}", "uniform-2"),
    (f"int8{NARROW}", "int8"),
    (f"chord{NARROW}", "chord"),
    (f"chord{NARROWEST}", "chord"),
    (f"chord{NARROW}", f"qat-4{NARROW}"),
    (f"chord{NARROWEST}", f"qat-4{NARROWEST}"),
)


def _of(group: str, pairs: tuple[Pair, ...], *unplayed: str) -> tuple[Pair, ...]:
    """Return comparisons within a group, without those that name what the suite does not play there."""
    return tuple((f"{group}/{own}", f"{group}/{other}") for own, other in pairs if other not in unplayed)


#: Groups that ask how strong the reference is, and nothing else.
_REFERENCES_ALONE = ("ml-1m-last-item", "ml-1m-wide-last-item", "ml-1m-long", "ml-1m-windows", "ml-1m-long-windows", "amazon-beauty")

#: Own and other of every comparison, by the family that Holm's correction is over.
ADDS, RIVALS, ROUNDED = ", what the plan adds", ", neighbours", ", conventional quantizers"
FAMILIES: dict[str, tuple[Pair, ...]] = {
    **{name: _of(name, _FULL) for name in ("ml-100k", "ml-100k-caser", "ml-1m")},
    "yelp": _of("yelp", _FULL, "static-mixed"),
    "amazon-cds": _of("amazon-cds", _FULL, "static-mixed", f"chord-shared{MASK}"),
    "ml-1m-wide": _WIDE,
    "ml-1m-groups": _CUT,
    "ml-100k-strangers": _STRANGERS,
    **{name: _of(name, (("fp32", "markov"), ("fp32", "popularity"))) for name in _REFERENCES_ALONE},
    **{name: _of(name, _RANKED) for name in ("ml-100k-candidates", "ml-1m-candidates", "yelp-candidates")},
    f"ml-100k{ADDS}": _of("ml-100k", _ADDED),
    **{f"{name}{ADDS}": _of(name, _ADDED, "frozen-8") for name in ("ml-100k-caser", "ml-1m", "yelp", "amazon-cds")},
    f"ml-100k{RIVALS}": _of("ml-100k", _NEIGHBOURS),
    f"ml-100k{ROUNDED}": _of("ml-100k", _QUANTIZERS),
}
