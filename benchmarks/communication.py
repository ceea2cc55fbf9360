"""What each method sends, by part and by event, and when a plan pays: in sizes, on phones that nothing binds.

    python -m benchmarks.communication [--write]

Prints the tables of docs/communication.md, or writes them between its marks. Bytes are of messages with their framing, the report left
out, since a product would not send it; a session is one round of one served phone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import markdown
from benchmarks.cut_off import ended
from benchmarks.parser import parser_of
from chordsim.arrays import Floats
from chordsim.ledger.rows import Rows
from chordsim.round import sizes
from chordsim.scenario.load import load
from chordsim.sized import SizedWorld, sized_world
from chordsim.wire.frame import OVERHEAD_BYTES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "communication.md"
BEGIN, END = "<!-- tables: python -m benchmarks.communication --write -->", "<!-- end of tables -->"
SESSIONS, COUNTS, PHONES = 100, (1, 10, 100), 240
#: No phone refuses, is away or loses a transfer: what is left is what methods send.
ROOMY = (
    "population.tiers={any={share=1.0,ram_gb=8.0,gmacs_per_s=50.0,down_mbps=20.0,up_mbps=5.0,round_trip_ms=50.0,"
    "nj_per_mac=0.5,radio_w=1.0,memory_mb=4000.0,latency_ms=100000.0}}",
    f"population.devices={PHONES}",
    'population.availability.kind="always"',
    "clock.loss=0.0",
    "clock.deadline_s=0.0",
)
FOUR = ("fp32", "int8", "uniform-2", "chord-plus")
ADAPTING = ("chord", "diet", "duet", "film-192", "cocorrrec", "forward-ofa", "cda4rec", "finetune")
EVERY = (*FOUR, *ADAPTING, "cloud-only", "retriever", "markov")
OWNED = ('backbone.items="owned"', 'protocol.ranking="all"')
FEW = ("backbone.embedding_bits=2", "settings.chord-plus.extractor_bits=8")
NAMED = ("small", "medium", "wide")
RETRAINED = (0, 30, 7, 1)
PARTS = ("bootstrap", "candidates", "rows", "prescription", "profile", "asks", "update")


@dataclass(frozen=True)
class Played:
    """Mean bytes of a phone by session: of each part, and of all of them with framing, [sessions] each."""

    parts: dict[str, Floats]
    whole: Floats


def play(methods: Sequence[str], *more: str, rounds: int = SESSIONS) -> dict[str, Played]:
    """Play `refresh` in sizes and return what each method's phones moved, session by session."""
    listed = f"methods={list(methods)!r}".replace("'", '"')
    world = sized_world(load("refresh", [listed, *ROOMY, f"rounds.count={rounds}", "rounds.new_model_every=0", *more]))
    parts = sizes.bootstraps(world)
    return {player[0].spec.name: _played(player, world, rounds) for player in sizes.players(world, parts)}


def _played(player: sizes.Player, world: SizedWorld, rounds: int) -> Played:
    sums = [_sums(rows.rows) for r in range(1, rounds + 1) for rows in sizes.play(player, world, r, np.arange(PHONES))]
    return Played({part: np.array([s[part] for s in sums]) for part in PARTS}, np.array([s["whole"] for s in sums]))


def _sums(rows: Rows) -> dict[str, float]:
    assert rows.is_word("outcome", "served").all()
    whole = rows["down_bytes"] + rows["up_bytes"] - rows["report_bytes"] - OVERHEAD_BYTES
    return {**{part: float(rows[f"{part}_bytes"].mean()) for part in PARTS}, "whole": float(whole.mean())}


def by_part(*more: str) -> str:
    """Return bytes by part at first contact, in a later session, and in one that begins with a new version."""
    played = play(EVERY, "rounds.new_model_every=5", *more, rounds=6)
    events = (("first contact", 0), ("session", 4), ("new version", 5))
    rows = [
        (f"`{method}`", event, *(f"{of.parts[part][at]:,.0f}" for part in PARTS), f"{of.whole[at]:,.0f}")
        for method, of in played.items()
        for event, at in events
    ]
    return markdown.table(("method", "event", *PARTS, "all, with framing"), rows, words=2)


def sessions_below(mine: Floats, theirs: Floats) -> str:
    """Return after which sessions the first has moved fewer bytes so far than the second, of those that were played."""
    less = np.flatnonzero(mine < theirs) + 1
    if not less.size:
        return "never"
    first, last, most = int(less[0]), int(less[-1]), mine.size
    if last == most:
        return "always" if first == 1 else f"from {first} on"
    return f"up to {last}" if first == 1 else f"{first} to {last}"


def compared(*more: str) -> list[str]:
    """Return cells: kilobytes after 1, 10 and 100 sessions by method, and when `chord-plus` has sent less than each rival."""
    so_far = {name: played.whole.cumsum() for name, played in play(FOUR, *more).items()}
    cells = [" / ".join(f"{so_far[m][n - 1] / 1000:,.0f}" for n in COUNTS) for m in FOUR]
    return [*cells, *(sessions_below(so_far["chord-plus"], so_far[other]) for other in FOUR[:-1])]


def table(first: str, rows: dict[str, list[str]]) -> str:
    """Return a table of `compared`."""
    counts = " / ".join(map(str, COUNTS))
    heads = [first, *(f"`{m}`: kB after {counts}" for m in FOUR), *(f"`chord-plus` below `{m}`" for m in FOUR[:-1])]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * len(FOUR)}{' --- |' * (len(FOUR) - 1)}"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])


def retrained(*more: str) -> dict[str, list[str]]:
    """Return rows of `compared` by how often the cloud trains again."""
    return {"never" if k == 0 else f"every {k}": compared(f"rounds.new_model_every={k}", *more) for k in RETRAINED}


def named(*more: str) -> dict[str, list[str]]:
    """Return rows of `compared` by the size of the backbone."""
    return {size: compared(f"backbone.size={size}", *more) for size in NAMED}


def tables() -> str:
    """Return all tables as Markdown."""
    few = "rows of 2 bits, `extractor_bits = 8`"
    return "\n\n".join(
        [
            "## By part and event, the catalogue in the cloud",
            by_part(),
            "## By part and event, phones that own the catalogue and rank all of it",
            by_part(*OWNED),
            "## How often the cloud trains again, small model",
            table("new model, sessions", retrained()),
            f"The same with {few}:",
            table("new model, sessions", retrained(*FEW)),
            "## The size of the model, never trained again",
            table("model", named()),
            "## The size of the model, trained again every 7 sessions",
            table("model", named("rounds.new_model_every=7")),
            f"The same with {few}:",
            table("model", named("rounds.new_model_every=7", *FEW)),
        ]
    )


def main() -> None:
    """Print or write the tables."""
    parser = parser_of(__doc__, __file__)
    parser.add_argument("--write", action="store_true")
    if not parser.parse_args().write:
        print(tables())
        return
    page = PAGE.read_text()
    head, rest = page.split(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n\n{tables()}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    sys.exit(ended(main))
