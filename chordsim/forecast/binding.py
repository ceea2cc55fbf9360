"""Which budget binds how many phones, before a run: a scenario whose budgets bind nobody says nothing about budgets."""

from __future__ import annotations

import numpy as np

from chordsim.fitted import Fitted
from chordsim.methods import BINDINGS
from chordsim.methods.blame import blamed
from chordsim.sized import SizedWorld

#: Phones that are looked at: all of small fleets.
_DRAWN = 1 << 16


def binding_shares(world: SizedWorld) -> dict[str, dict[str, float]]:
    """Return the share of phones that each budget binds, refused ones among them, by method and word of `BINDINGS`, and ``refused``.

    In closed form, so a method without one is left out; where a plan depends on the user, as for one that fills its budgets.
    """
    phones = world.population.profiles(np.arange(min(world.population.size, _DRAWN), dtype=np.int64))
    out = {}
    for name, spec in world.specs.items():
        with blamed(name, "needs"):
            needs = spec.needs(world.context(name), phones.budgets)
        if needs is None:
            continue
        counts = np.bincount(needs.binding, minlength=len(BINDINGS)) / needs.binding.size
        out[name] = {**dict(zip(BINDINGS, counts.tolist(), strict=False)), "refused": float((needs.refusal > 0).mean())}
    return out


def binding_table(shares: dict[str, dict[str, float]]) -> Fitted:
    """Return the shares of `binding_shares` as a table, one line per method."""
    words = (*BINDINGS[1:], BINDINGS[0], "refused")
    rows = [(name, *(f"{100 * of[word]:.1f}" for word in words)) for name, of in shares.items()]
    heads = [*(f"{word}\n%" for word in BINDINGS[1:]), "nothing\n%", "refused\n%"]
    return Fitted(("method",), heads, rows, title="phones that each budget binds or refuses")
