"""The close of a round: who was late, what it cost, what the user saw; a book becomes ledger rows."""

from __future__ import annotations

import numpy as np

from chordsim import evaluate
from chordsim.arrays import Bools, Floats
from chordsim.ledger.columns import OUTCOMES, SERVED_BY
from chordsim.ledger.rows import Rows
from chordsim.methods import RECORDED, MethodSpec
from chordsim.population import clock
from chordsim.round.book import Book
from chordsim.round.kept_lists import kept_lists
from chordsim.round.shown import Shown
from chordsim.sized import SizedWorld
from chordsim.world import World

#: Texts go into the ledger as codes into the words of the contract.
_FRESH, _STALE, _FALLBACK = (SERVED_BY.index(word) for word in ("fresh", "stale", "fallback"))
_WASTING = [OUTCOMES.index(name) for name in ("dropped", "late", "failed")]


def settle(book: Book, world: World | SizedWorld, ends_s: float | None = None) -> float:
    """Close the round: who has not finished by then is late. Return when, in seconds after its begin.

    Args:
        book: What happened so far.
        world: The scenario.
        ends_s: When it closes, where the book holds only some of the round's phones.
    """
    total_s = round_seconds(book, world)
    if ends_s is None:
        ends_s = clock.closes_s(total_s[book.active], world.population.wanted, world.scenario.clock)
    book.end(book.active & (total_s > ends_s), "late")
    finished = total_s[book.scene.real]
    return min(ends_s, float(finished.max(initial=0.0)))


def round_seconds(book: Book, world: World | SizedWorld) -> Floats:
    """Return the seconds of each phone's whole round, [M]."""
    return _seconds(book, world)[2]


def _seconds(book: Book, world: World | SizedWorld) -> tuple[Floats, Floats, Floats]:
    """Return the seconds to adapt, of one request, and of the whole round, [M] each."""
    phones, cost = book.scene.profiles, book.cost
    adapt_s = phones.adapt_s(cost["macs"], cost["adapt_macs"], cost["train_macs"], book.bits)
    # Also phones whose report did not arrive have run the model; refused ones have no operations on record.
    infer_s = phones.infer_s(cost["macs"], book.bits)
    requests = world.scenario.rounds.requests_per_round
    down_s, up_s = book.transfers_s
    return adapt_s, infer_s, down_s + adapt_s + infer_s * requests + up_s


def show(book: Book, shown: Shown) -> Bools:
    """Let unserved phones show what they held; return which did, [M]."""
    seen = ~np.isnan(shown.age)
    book.rank = np.where(seen, shown.rank, book.rank)
    book.bits = np.where(seen, shown.bits, book.bits)
    for name, spent in shown.spent.items():
        book.cost[name] = np.maximum(book.cost[name], spent)
    return np.asarray(seen)


def close(book: Book, spec: MethodSpec, world: World | SizedWorld, shown: Shown | None = None) -> Rows:
    """Return the ledger rows of the round's devices.

    Args:
        book: What happened; `settle` has closed it.
        spec: The method.
        world: The scenario with its data.
        shown: What unserved phones showed from before; None where they had nothing.
    """
    scene, phones = book.scene, book.scene.profiles
    requests = world.scenario.rounds.requests_per_round
    stale = show(book, shown) if shown is not None else np.zeros(scene.ids.size, np.bool_)
    age = np.where(stale, shown.age, np.nan) if shown is not None else np.full(scene.ids.size, np.nan)
    adapt_s, infer_s, total_s = _seconds(book, world)
    (down_s, up_s), report_s = book.transfers_s, book.seconds["report"]
    product_s = down_s + book.seconds["up"]
    served = scene.real & (book.outcome == OUTCOMES.index("served"))
    ranked = served | stale
    rank = np.where(ranked, book.rank, np.nan)
    metrics = evaluate.metrics(rank, world.n_items)
    fallback = evaluate.metrics(scene.fallback_rank, world.n_items)["ndcg_10"]
    refused_after = (book.outcome == OUTCOMES.index("refused")) & (book.bytes["down"] > 0)
    wasted = np.isin(book.outcome, _WASTING) | refused_after
    prescribes = any(leg.kind == "prescription" for leg in spec.exchange)
    spent_macs = book.cost["adapt_macs"] + book.cost["train_macs"] + book.cost["macs"] * requests
    columns = {
        "device_id": scene.ids,
        "user_id": scene.users,
        "tier": phones.tier,
        "outcome": book.outcome,
        "served_by": np.where(served, _FRESH, np.where(stale, _STALE, _FALLBACK)),
        "refused_by": book.refused_by,
        "binding": book.binding.astype(np.int64),
        "bits_mean": np.where(ranked, book.bits, np.nan),
        "plan_age_rounds": np.where(prescribes, np.where(served, 0.0, age), np.nan),
        **{f"{name}_bytes": value for name, value in book.bytes.items()},
        "wasted_bytes": np.where(wasted, book.bytes["down"] + book.bytes["up"], 0),
        "round_trips": book.round_trips,
        "cached_rows": book.cached_rows,
        **{name: book.cost[name] for name in RECORDED},
        "cloud_macs": book.cloud_macs,
        "download_s": down_s,
        "adapt_s": adapt_s,
        "infer_s": infer_s,
        "upload_s": up_s,
        "total_s": total_s,
        "report_s": report_s,
        "compute_j": clock.compute_j(spent_macs, phones.j_per_mac),
        "radio_j": clock.radio_j(phones.radio_w, down_s + up_s),
        "report_j": clock.radio_j(phones.radio_w, product_s + report_s) - clock.radio_j(phones.radio_w, product_s),
        "rank": rank,
        "fallback_rank": scene.fallback_rank,
        **metrics,
        "ndcg_10_all": np.where(ranked, metrics["ndcg_10"], fallback),
        **kept_lists(book, world, shown, rank),
    }
    order = scene.by_id
    real = {name: value[order] for name, value in columns.items()}
    return Rows.of(spec.name, scene.round, real, tiers=phones.tier_names)
