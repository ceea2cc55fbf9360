"""What a spec says of budgets holds: where nothing depends on them, phones that grant something else get and show the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chordsim import methods
from chordsim.methods import Budgets

NAMES = sorted(name.replace("-k", "-2") for name, path in methods.known().items() if path.startswith("chordsim."))
DEPENDS = {name: methods.find(name).by_budgets for name in NAMES}


def played(talk: Callable[..., Any], name: str, budgets: Callable[[int], Budgets] | None) -> tuple[list[bytes], bool]:
    """Return all that crosses and all that ranks, and whether anybody refuses."""
    t = talk(name)
    who = t.who if budgets is None else replace(t.who, budgets=budgets(len(t.who)))
    said, refused = [], bool((t.cloud.admit(t.state, who.budgets) > 0)[who.active].any())
    for payload, turn, cloud in t.exchange(who).values():
        said += [row for d, row in enumerate(payload) if who.active[d]]
        said += [shown[who.active].tobytes() for shown in (turn.scored(), turn.ranking) if shown is not None]
        refused |= bool((turn.refusal[who.active] > 0).any()) or (cloud is not None and bool((cloud.refusal[who.active] > 0).any()))
    return said, refused


def scarce(rows: int, memory_bytes: int = 10**7) -> Budgets:
    """Enough for every tiny model, and less of everything than `talk` grants."""
    return Budgets(np.full(rows, memory_bytes), np.full(rows, 1.0), np.full(rows, 2.6), np.full(rows, 1e8))


def test_every_shipped_spec_says_what_depends_on_budgets() -> None:
    assert [name for name in NAMES if DEPENDS[name] is None] == []


@pytest.mark.parametrize("name", [name for name in NAMES if DEPENDS[name] is False])
def test_where_nothing_depends_on_budgets_other_budgets_change_nothing(talk: Callable[..., Any], name: str) -> None:
    assert played(talk, name, None) == (played(talk, name, scarce)[0], False) and not played(talk, name, scarce)[1]


@pytest.mark.parametrize("name", [name for name in NAMES if DEPENDS[name]])
def test_the_same_budgets_do_change_what_depends_on_them(talk: Callable[..., Any], name: str) -> None:
    # What is too little for one block of forward-ofa is too little for other models altogether.
    bare = getattr(talk(name).device, "fixed_bytes", 10**7)
    plenty, little = played(talk, name, None), played(talk, name, lambda rows: scarce(rows, bare))
    assert plenty[0] != little[0] and not plenty[1]
