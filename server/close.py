"""The close of a round: who was late, what it cost, what the user saw; a book becomes ledger rows."""

from __future__ import annotations

import numpy as np

from chordsim import evaluate
from chordsim.ledger.columns import OUTCOMES
from chordsim.ledger.rows import Rows
from chordsim.methods import BINDINGS, MethodSpec
from chordsim.population import clock
from chordsim.world import World
from server.book import COST, SIDES, Book

_WASTING = [OUTCOMES.index(name) for name in ("dropped", "late", "failed")]


def close(book: Book, spec: MethodSpec, world: World) -> Rows:
    """Return the ledger rows of the round's devices."""
    scene, phones, clock_config = book.scene, book.scene.profiles, world.scenario.clock
    requests = world.scenario.rounds.requests_per_round
    # Also phones whose report did not arrive have run the model; refused ones have no operations on record.
    ran = book.cost["macs"] > 0
    adapt_macs = book.cost["adapt_macs"] + book.cost["train_macs"]
    adapt_s = adapt_macs / phones.macs_per_s
    infer_s = np.where(ran, book.cost["macs"] / phones.macs_per_s, 0.0)
    total_s = book.seconds["down"] + adapt_s + infer_s * requests + book.seconds["up"]
    book.end(book.active & clock.close(total_s, clock_config.deadline_s), "late")
    served = scene.real & (book.outcome == OUTCOMES.index("served"))
    rank = np.where(served, book.rank, np.nan)
    metrics = evaluate.metrics(rank, world.n_items)
    fallback = evaluate.metrics(scene.fallback_rank, world.n_items)["ndcg_10"]
    refused_after = (book.outcome == OUTCOMES.index("refused")) & (book.bytes["down"] > 0)
    wasted = np.isin(book.outcome, _WASTING) | refused_after
    planned = any(leg.kind == "prescription" for leg in spec.exchange)
    spent_macs = adapt_macs + np.where(ran, book.cost["macs"] * requests, 0)
    columns = {
        "device_id": scene.ids,
        "user_id": scene.users,
        "tier": phones.tier,
        "outcome": np.array(OUTCOMES)[book.outcome],
        "served_by": np.where(served, "fresh", "fallback"),
        "refused_by": np.array(SIDES)[book.refused_by],
        "binding": np.array(BINDINGS)[book.binding],
        "bits_mean": np.where(served, book.bits, np.nan),
        "plan_age_rounds": np.where(served & planned, 0.0, np.nan),
        **{f"{name}_bytes": value for name, value in book.bytes.items()},
        "wasted_bytes": np.where(wasted, book.bytes["down"] + book.bytes["up"], 0),
        "round_trips": book.round_trips,
        **{name: book.cost[name] for name in COST if name != "adapt_macs"},
        "cloud_macs": book.cloud_macs,
        "download_s": book.seconds["down"],
        "adapt_s": adapt_s,
        "infer_s": infer_s,
        "upload_s": book.seconds["up"],
        "total_s": total_s,
        "compute_j": clock.compute_j(spent_macs, phones.j_per_mac),
        "radio_j": clock.radio_j(phones.radio_w, book.seconds["down"] + book.seconds["up"]),
        "rank": rank,
        "fallback_rank": scene.fallback_rank,
        **metrics,
        "ndcg_10_all": np.where(served, metrics["ndcg_10"], fallback),
    }
    real = {name: value[: scene.count] for name, value in columns.items()}
    return Rows.of(spec.name, scene.round, real, tiers=phones.tier_names)
