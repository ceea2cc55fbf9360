"""What each method sends, by part and by event, and when a plan pays: in sizes, on phones that nothing binds.

    python -m benchmarks.communication [--write]

Prints the tables of docs/communication.md, or writes them between its marks. Bytes are of messages with their framing, the report left
out, since a product would not send it; a session is one round of one served phone.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import pandas as pd

import chordsim

PAGE = Path(__file__).resolve().parents[1] / "docs" / "communication.md"
BEGIN, END = "<!-- tables: python -m benchmarks.communication --write -->", "<!-- end of tables -->"
SESSIONS = 100
#: No phone refuses, is away or loses a transfer: what is left is what methods send.
ROOMY = (
    "population.tiers={any={share=1.0,ram_gb=8.0,gmacs_per_s=50.0,down_mbps=20.0,up_mbps=5.0,round_trip_ms=50.0,"
    "nj_per_mac=0.5,radio_w=1.0,memory_mb=4000.0}}",
    "population.devices=300",
    'population.availability.kind="always"',
    "clock.loss=0.0",
    "clock.deadline_s=0.0",
)
METHODS = ("fp32", "int8", "uniform-2", "chord-plus")
EVERY = (*METHODS, "chord", "diet", "duet", "film-192", "cocorrrec", "cloud-only", "markov")
OWNED = ('backbone.items="owned"', 'protocol.ranking="all"')
SIZES = {
    "64 wide, 2 blocks": (),
    "128 wide, 4 blocks": ("backbone.dim=128", "backbone.ffn_dim=512", "backbone.blocks=4"),
    "256 wide, 4 blocks": ("backbone.dim=256", "backbone.ffn_dim=1024", "backbone.blocks=4"),
}
RETRAINED = (0, 30, 7, 1)
PARTS = ("bootstrap", "candidates", "rows", "prescription", "profile", "asks", "update")


def play(folder: Path, methods: tuple[str, ...], *more: str, rounds: int = SESSIONS) -> pd.DataFrame:
    """Return the ledger of `refresh` in sizes, without the report."""
    listed = f"methods={list(methods)!r}".replace("'", '"')
    overrides = [listed, *ROOMY, f"rounds.count={rounds}", "rounds.new_model_every=0", *more]
    run = chordsim.run("refresh", overrides=overrides, out=Path(tempfile.mkdtemp(dir=folder)) / "run", report=False)
    ledger = run.ledger
    assert (ledger["outcome"] == "served").all()
    framing = ledger["framing_up_bytes"] * 0 + 18
    return ledger.assign(total_bytes=ledger["down_bytes"] + ledger["up_bytes"] - ledger["report_bytes"] - framing)


def by_part(folder: Path, *more: str) -> str:
    """Return bytes by part at first contact and in a later session, and what a new version brings."""
    ledger = play(folder, EVERY, *more, "rounds.new_model_every=5", rounds=10)
    heads = [*(f"{part}" for part in PARTS)]
    lines = [
        f"| method | event | {' | '.join(heads)} | all, framing included |",
        f"| --- | --- | {' | '.join('---:' for _ in heads)} | ---: |",
    ]
    for method in EVERY:
        for event, round in (("first contact", 1), ("session", 5), ("new version", 6)):
            rows = ledger[(ledger["method"] == method) & (ledger["round"] == round)]
            cells = [f"{rows[f'{part}_bytes'].mean():,.0f}" for part in PARTS]
            lines.append(f"| {method} | {event} | {' | '.join(cells)} | {rows['total_bytes'].mean():,.0f} |")
    return "\n".join(lines)


def cumulative(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return the mean bytes of a phone after each session, by method [session, method]."""
    per = ledger.pivot_table(index="round", columns="method", values="total_bytes", aggfunc="mean")
    return per.cumsum()


def break_even(sums: pd.DataFrame, method: str, other: str) -> str:
    """Return from which session on, and until which, a method has sent less than another."""
    less = sums.index[sums[method] < sums[other]]
    if not len(less):
        return "never"
    first, last = int(less[0]), int(less[-1])
    return f"from session {first} on" if last == len(sums) else f"sessions {first} to {last}" if first != last else f"session {first} alone"


def compared(folder: Path, *more: str) -> list[str]:
    """Return cells: bytes after 1, 10 and 100 sessions by method, and when `chord-plus` has sent less than each rival."""
    sums = cumulative(play(folder, METHODS, *more))
    cells = [" / ".join(f"{sums[m][n] / 1000:,.1f}" for n in (1, 10, SESSIONS)) for m in METHODS]
    return [*cells, *(break_even(sums, "chord-plus", other) for other in METHODS[:-1])]


def table(first: str, rows: dict[str, list[str]]) -> str:
    """Return a table of `compared`."""
    heads = [first, *(f"{m}: kB after 1 / 10 / {SESSIONS}" for m in METHODS), *(f"chord-plus below {m}" for m in METHODS[:-1])]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * len(METHODS)}{' --- |' * (len(METHODS) - 1)}"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])


def tables() -> str:
    """Return all tables as Markdown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.setdefault("CHORDSIM_CACHE", str(folder / "cache"))
        retrained = {("never" if k == 0 else f"every {k} sessions"): compared(folder, f"rounds.new_model_every={k}") for k in RETRAINED}
        sizes = {size: compared(folder, *more) for size, more in SIZES.items()}
        weekly = {size: compared(folder, *more, "rounds.new_model_every=7") for size, more in SIZES.items()}
        parts = [
            "## By part and event, the catalogue in the cloud\n\nBytes of one phone; 3,416 items, 64 numbers of 32 bits each.",
            by_part(folder),
            "## By part and event, phones that own the catalogue and rank all of it",
            by_part(folder, *OWNED),
            "## How often the cloud retrains\n\nThe model of 64 numbers, two blocks.",
            table("retrained", retrained),
            "## The size of the model, never retrained",
            table("model", sizes),
            "## The size of the model, retrained every 7 sessions",
            table("model", weekly),
        ]
    return "\n\n".join(parts)


def main() -> None:
    """Print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    if not parser.parse_args().write:
        print(tables())
        return
    page = PAGE.read_text()
    head, rest = page.split(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n\n{tables()}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
