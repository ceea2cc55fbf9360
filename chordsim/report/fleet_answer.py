"""What a run that kept no rows answers, before anything else: what moves fewest bytes, at what cost, who was left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chordsim.ledger.columns import OUTCOMES
from chordsim.ledger.figures import at
from chordsim.report.html import ANSWER, Column, Grid, Section, cards, named, text
from chordsim.report.source import Source
from chordsim.report.svg.letters import in_bytes, plain


def answer(source: Source, why: str) -> Section:
    """Return the page's first section.

    Args:
        source: The run.
        why: Why it kept no rows.
    """
    methods = source.summary
    blocks: list[Any] = [text(str(error), css="warning") for error in source.manifest.get("errors", [])[:5]]
    if source.status != "complete":
        blocks.insert(0, text(f"This run is {source.status}.", css="warning"))
    if source.checked.doubt:
        blocks.append(text(source.checked.doubt, css="warning"))
    after = {name: at(m, "bytes_after_sessions", "10") for name, m in methods.items()}
    order = sorted(methods, key=lambda name: (after[name] is None, after[name] or 0.0))
    light = order[0]
    if after[light] is None:
        verdict = "Nobody was served."
    elif len(methods) == 1:
        verdict = f"{light} moves {in_bytes(after[light] or 0.0)} up and down over a phone's first ten sessions."
    else:
        verdict = f"{light} moves the fewest bytes: {in_bytes(after[light] or 0.0)} over a phone's first ten sessions."
    served = {name: 100 * float(m.get("served_share") or 0.0) for name, m in methods.items()}
    worst = min(served, key=lambda name: served[name])
    left = "No one: every phone was served in every round."
    if served[worst] < 100:
        causes = {word: methods[worst]["outcomes"][word] for word in OUTCOMES[1:]}
        left = f"{worst} served {served[worst]:.1f} % of device-rounds; what kept it from the others was above all: "
        left += f"{max(causes, key=lambda word: causes[word])}."
    joules, assumed = at(methods[light], "per_session", "joules"), at(methods[light], "energy", "assumed_share")
    cost = f"{light}: {in_bytes(at(methods[light], 'first_contact', 'down_bytes') or 0.0)} at first contact"
    cost += f", {plain(joules)} J a session." if joules is not None else "."
    pairs = [
        ("At what cost?", cost),
        ("What is not settled?", f"Accuracy, and intervals. This page is made from sums: {why}."),
        ("Who was left out?", left),
    ]
    if assumed:
        pairs.append(("What would change it?", f"Other phones: {100 * assumed:.0f} % of its joules rest on assumed constants."))
    return Section(ANSWER, "The answer", [*blocks, text(verdict, css="verdict"), cards(pairs), _league(methods, order)])


def _league(methods: Mapping[str, Mapping[str, Any]], order: list[str]) -> Grid:
    places = {name: place for place, name in enumerate(methods)}
    columns = [Column("method"), Column("first contact", "bytes down, once"), Column("after 10 sessions", "bytes up and down of a phone")]
    columns += [
        Column("median s", "of a served session"),
        Column("J a session", "computing and radio"),
        Column("served %", "of device-rounds"),
    ]
    rows = []
    for name in order:
        m = methods[name]
        sizes = (at(m, "first_contact", "down_bytes"), at(m, "bytes_after_sessions", "10"))
        first = named(name, places[name])
        told = (at(m, "per_session", "seconds_p50"), at(m, "per_session", "joules"), 100 * float(m.get("served_share") or 0.0))
        rows.append((first, *(None if size is None else in_bytes(size) for size in sizes), *told))
    return Grid(columns, rows, "league", "Methods, the fewest bytes first")
