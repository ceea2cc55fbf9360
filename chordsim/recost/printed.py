"""A recosted run as a table for the terminal: before and after, and what could not be told."""

from __future__ import annotations

from chordsim.fitted import Fitted
from chordsim.ledger.energy_words import sensitivity
from chordsim.ledger.figures import SESSION_COLUMNS, at, share_of, shown, unserved_heads
from chordsim.recost.again import Recosted
from chordsim.recost.holds import ESTIMATED

_COLUMNS = (
    (("first_contact", "down_bytes"), "first\ncontact B", 1.0, ",.0f"),
    (("per_session", "down_bytes"), "down B/\nsession", 1.0, ",.0f"),
    (("per_session", "up_bytes"), "up B/\nsession", 1.0, ",.0f"),
    (("per_version", "down_bytes"), "new\nversion B", 1.0, ",.0f"),
    *SESSION_COLUMNS,
)


def recost_table(found: Recosted) -> Fitted:
    """Return one line per method: every cell is the run's own value, then the value on the other phones."""
    unserved = unserved_heads(side for sides in (found.before, found.after) for side in sides.values())
    ranked = any(side["ndcg_10_all"]["mean"] is not None for sides in (found.before, found.after) for side in sides.values())
    rows = []
    for name, after in found.after.items():
        sides = (found.before[name], after)
        cells = [
            " > ".join(shown(at(side, "served_share"), 100.0, ".1f") for side in sides),
            *(" > ".join(shown(share_of(side, outcome), 100.0, ".1f") for side in sides) for outcome in unserved),
            *(" > ".join(shown(at(side, *path), factor, how) for side in sides) for path, _, factor, how in _COLUMNS),
        ]
        ndcg = [" > ".join(shown(side["ndcg_10_all"]["mean"], 1.0, ".4f") for side in sides)] if ranked else []
        rows.append((name, *cells, *ndcg))
    heads = ("served\n%", *unserved.values(), *(title for _, title, _, _ in _COLUMNS), *(["NDCG@10 all"] if ranked else []))
    return Fitted(("method",), heads, rows, title="before > after")


def energy_line(found: Recosted) -> str:
    """Return in one line what the joules on the other phones rest on."""
    return sensitivity({name: after.get("energy", {}) for name, after in found.after.items()})


def unknown_lines(found: Recosted) -> list[str]:
    """Return what could not be recosted, one line per method that has any."""
    out = [f"changed: {key}: {old} > {new}" for key, (old, new) in found.changed.items() if not key.startswith("population.tiers.")]
    out += [f"changes nothing: {key}: {reason}" for key, reason in found.inert.items()]
    for name, shares in found.unknown.items():
        parts = [f"{share:.1%} {why}" for why, share in shares.items() if share and why != ESTIMATED]
        if parts:
            # A Flower app ranks nothing: its replies that nobody heard are told of the others' size.
            what = "" if name.startswith("flower:") else "cannot be recosted and left out of NDCG: "
            out.append(f"{name}: {what}{', '.join(parts)} (of device-rounds)")
        if shares.get(ESTIMATED):
            out.append(f"{name}: bytes, seconds and joules of {shares[ESTIMATED]:.1%} of device-rounds are closed forms, not recorded")
    return out
