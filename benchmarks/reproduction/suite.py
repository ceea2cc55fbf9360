"""The suite: which scenario, methods, settings and seeds every verdict needs, in pieces of under an hour on two cores."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.suites.agenda import Group, Piece

CONTROLS = ("chord-random", "chord-swapped", "chord-empty")
AGES = (5, 10, 25, 50)
AGED = tuple(f"chord-aged-{age}" for age in AGES)
LEVELS = ("layer", "filter", "element")

#: Labels that comparisons name.
ONE_BIT, BETWEEN, MASK, PHONE, BARE = " at 1 bit", " at 1.5 bits", " at uniform 2 bits", " decoded on the phone", " without levels"
OF_CHORD, ONCE, FUSED_FOR_ALL = " of chord", " told once", " fused for all"

REFERENCES = Piece("references", ("fp32", "int8", "uniform-2", "qat-2", "film-192", "popularity", "markov"))
#: The same in two: over tens of thousands of items `fp32` alone takes most of an hour.
RIVALS = Piece("rivals", ("qat-2", "film-192"))
LARGE_REFERENCES = replace(REFERENCES, methods=tuple(name for name in REFERENCES.methods if name not in RIVALS.methods))
MIXED = Piece("mixed", ("static-mixed",))
PLANS = Piece("plans", ("chord-plus", *CONTROLS))
PLANS_AND_AGES = Piece("plans", ("chord-plus", *CONTROLS, *AGED))
SHARED = Piece("shared", ("chord-shared",))
CHORD = Piece("chord", ("chord",))


def _at(name: str, bits: float, suffix: str) -> Piece:
    """Return plans under a smaller budget. One training serves every budget, so it trains nothing that `PLANS` and `SHARED` did not."""
    methods = ("chord-plus", "chord-shared")
    return Piece(name, methods, tuple(f"settings.{method}.bits={bits:g}" for method in methods), suffix)


AT_ONE_BIT, AT_BETWEEN = _at("one-bit", 1, ONE_BIT), _at("between", 1.5, BETWEEN)
#: A plan whose smallest code is 2 bits and whose budget is 2 bits has no choice: the shared mask alone is learnt. Widths of
#: 2, 2, 2, 2 would say the same, but prices must rise with codes.
MASK_ALONE = Piece("mask", ("chord-shared",), ("settings.chord-shared.lowest=1", "settings.chord-shared.train_bits=[2.0]"), MASK)
#: Who decodes is a matter of serving: nothing is trained.
DECODED = Piece(
    "decoded",
    ("chord", "chord-plus"),
    ('settings.chord.decode="device"', 'settings.chord-plus.decode="device"'),
    PHONE,
)
#: The backbone of `chord` without a plan, at the bits that its plans store, and below and above; embeddings start alike.
NO_PLAN, NO_PLANS = Piece("no-plan", ("frozen-3",)), Piece("no-plans", ("frozen-2", "frozen-4", "frozen-8"), seeds=(1,))
#: Other people's plans of `chord` itself: nothing is trained that `CHORD` did not train.
CHORD_CONTROLS = Piece("chord-controls", CONTROLS, tuple(f'settings.{name}.plans_of="chord"' for name in CONTROLS), OF_CHORD)
#: A plan that is the same for all, in the bootstrap instead of in every session.
TOLD_ONCE = Piece("shared-once", ("chord-shared",), ('settings.chord-shared.delivery="bootstrap"',), ONCE)
_DECIDING = (NO_PLAN, CHORD_CONTROLS)
#: What `neighbours` compares, trained and played as everything else here; each alone, so that any can be played by itself.
RIVAL_NAMES = ("otaro", "diet", "duet", "forward-ofa", "cocorrrec", "dccl", "cda4rec", "finetune", "fedavg")
#: Both orders joined for everybody, without a planner; and weights that rounds still have something to add to, a shorter `fp32`.
FUSED = Piece("cda4rec-fused", ("cda4rec",), ("settings.cda4rec.short_history=0",), FUSED_FOR_ALL)
BEGUN = Piece("fedavg-begun", ("fedavg",), ("settings.fedavg.start_steps=600",), " from 600 steps")
#: The laws, gains and start that `chord-plus` has there, whose mask is the same for all; steps and rates on the phone as chosen on the
#: validation item (`python -m benchmarks.reproduction phones`).
_CHOSEN = {
    "diet": ('start="reference"', 'law="signed"', "keep=0.3", "gains=true"),
    "dccl": ("steps=30", "rate=0.5"),
    "finetune": ("steps=3", "rate=0.2"),
}
NEIGHBOURS = (*(Piece(n, (n,), tuple(f"settings.{n}.{one}" for one in _CHOSEN.get(n, ()))) for n in RIVAL_NAMES), FUSED, BEGUN)
#: The conventional quantizers as strong as the field has them, and `chord` with the rounded activations that its paper reports.
LEARNT, NARROW, NARROWEST = " with learnt steps", " and activations of 8 bits", " and activations of 4 bits"


def _activations(bits: int, suffix: str, *names: str) -> Piece:
    """Return methods whose weights and what they are multiplied with are rounded."""
    return Piece(f"activations-{bits}", names, tuple(f"settings.{name}.activation_bits={bits}" for name in names), suffix)


QUANTIZERS = (
    Piece("learnt-steps", ("qat-2", "qat-4"), ('settings.qat-2.steps="learnt"', 'settings.qat-4.steps="learnt"'), LEARNT),
    _activations(8, NARROW, "int8", "qat-4", "chord"),
    _activations(4, NARROWEST, "qat-4", "chord"),
)
_LATER = (SHARED, CHORD, AT_ONE_BIT, AT_BETWEEN, MASK_ALONE, *_DECIDING)
RICH = (REFERENCES, MIXED, PLANS_AND_AGES, *_LATER)


def _once(*pieces: Piece) -> tuple[Piece, ...]:
    """Return pieces at the first seed alone."""
    return tuple(replace(piece, seeds=(1,)) for piece in pieces)


#: Where a training takes most of an hour, what no verdict asks for is left out (below, with reasons).
ON_ML_1M = (REFERENCES, *_once(MIXED), PLANS_AND_AGES, *_LATER)
ON_YELP = (LARGE_REFERENCES, *_once(RIVALS), PLANS, SHARED, *_once(CHORD), AT_ONE_BIT, AT_BETWEEN, *_once(MASK_ALONE, *_DECIDING))
ON_CDS = (LARGE_REFERENCES, RIVALS, PLANS, SHARED, CHORD, AT_ONE_BIT, AT_BETWEEN, *_DECIDING)
RANKED = ("fp32", "int8", "qat-2", "chord", "chord-plus", "chord-shared", "chord-swapped", "film-192", "popularity", "markov")


def _without(level: str) -> Piece:
    kept = ", ".join(f'"{name}"' for name in LEVELS if name != level)
    return Piece(f"without-{level}", ("chord",), (f"settings.chord.levels=[{kept}]",), f" without {level}")


#: Which importance levels of `chord` are on: one at a time left out, then all.
ABLATION = (*map(_without, LEVELS), Piece("without-levels", ("chord",), ("settings.chord.levels=[]",), BARE))


def _candidates(name: str, seeds: tuple[int, ...]) -> Group:
    """Return a set with the cloud's 100 candidates ranked instead of all items; its models come from the cache."""
    piece = Piece("all", RANKED)
    return Group(f"{name}-candidates", f"repro-{name}", seeds, (piece,), ('protocol.ranking="candidates"',))


#: Leave-one-out as published figures have it: everything but each user's last two items is trained on, above all what
#: comes last (published trainings take the last window alone).
PUBLISHED = (Piece("references", ("fp32", "popularity", "markov")),)

#: Windows drawn evenly over histories, all of their targets in every step, as many windows as published trainings have: a step then takes
#: seven times as long.
ALL_TARGETS = ("training.positions=0", "training.latest_of=1", "training.patience=8")

WIDE = (Piece("references", ("fp32", "int8")), Piece("plans", ("chord-plus", "chord-swapped")))

#: Codes for groups of 32 weights instead of whole channels: twice as many, and twice as many gains.
CUT_PLUS = "settings.chord-plus.group=32"
CUT = (
    Piece("plans", ("chord-plus", "chord-swapped"), (CUT_PLUS,)),
    Piece("one-bit", ("chord-plus",), (CUT_PLUS, "settings.chord-plus.bits=1"), ONE_BIT),
)


def _trial(name: str, methods: tuple[str, ...], *overrides: str) -> Piece:
    return Piece(name.replace(" ", "-"), methods, overrides, f", {name}")


def _own(name: str, setting: str) -> Piece:
    return _trial(name, ("chord-plus",), f"settings.chord-plus.{setting}")


#: As many settings of `chord-plus` as of `qat-2`, its strongest rival: what is chosen is chosen by validation NDCG@10 alone.
TRIALS = (
    Piece("base", ("chord-plus", "qat-2"), suffix=", base"),
    _trial("dropout 0.1", ("chord-plus", "qat-2"), "training.dropout=0.1"),
    _trial("dropout 0.4", ("chord-plus", "qat-2"), "training.dropout=0.4"),
    _trial("half the rates", ("chord-plus", "qat-2"), "training.lr=0.001", "training.plan_lr=0.0025"),
    _trial("twice the rates", ("chord-plus", "qat-2"), "training.lr=0.004", "training.plan_lr=0.01"),
    _trial("feed-forward 256", ("chord-plus", "qat-2"), "backbone.ffn_dim=256"),
    _own("GRU extractor", 'extractor="gru"'),
    _own("distillation", "distil_weight=0.5"),
    _own("own over swapped", "contrast_weight=0.5"),
    _trial("dropout 0.3", ("qat-2",), "training.dropout=0.3"),
    _trial("weight decay 0.1", ("qat-2",), "training.weight_decay=0.1"),
    _trial("one head", ("qat-2",), "backbone.heads=1"),
)
TRIALS_GROUP = "trials-ml-100k"

#: A fifth of the users is kept from the cloud's training, and only they count.
STRANGERS = (Piece("all", ("fp32", "chord-plus", "chord-swapped", "chord-empty", "chord-shared")),)

#: One training with two threads and nothing beside it; those of the other groups take one core each, two side by side.
ALONE = (Piece("plans", ("chord-plus",)),)

#: Left out, since no verdict needs them and each takes a training of half an hour and more: uniform bits beside 3 without a plan, and a
#: shared plan told once (its accuracy is that of the same plan told each session), but on ml-100k; `static-mixed` and the mask alone on
#: Amazon CDs, `static-mixed` on Yelp and second seeds there; all but the reference on Beauty, whose figures are published, as CDs is
#: the Amazon set of the paper; rivals of wide networks, which `benchmarks.personal_plans` asks about with networks twice as wide.
SUITE = (
    Group("ml-100k", "repro-ml-100k", (1, 2, 3), (*RICH, NO_PLANS, TOLD_ONCE, DECODED, *ABLATION, *NEIGHBOURS, *QUANTIZERS)),
    Group("ml-100k-caser", "repro-ml-100k-caser", (1, 2, 3), (*RICH, DECODED, *ABLATION)),
    _candidates("ml-100k", (1, 2, 3)),
    Group("ml-100k-strangers", "repro-ml-100k", (1, 2, 3), STRANGERS, ("data.cloud_share=0.8",), strangers=True),
    Group("ml-1m", "repro-ml-1m", (1, 2), ON_ML_1M),
    Group("ml-1m-wide", "repro-ml-1m-wide", (1,), WIDE),
    Group("ml-1m-groups", "repro-ml-1m", (1,), CUT),
    Group("ml-1m-last-item", "repro-ml-1m", (1,), PUBLISHED, ("rounds.count=1", "training.latest_of=4")),
    Group("ml-1m-wide-last-item", "repro-ml-1m-wide", (1,), PUBLISHED, ("rounds.count=1", "training.latest_of=4")),
    Group("ml-1m-windows", "repro-ml-1m", (1,), PUBLISHED, ("rounds.count=1", "training.batch=256", *ALL_TARGETS)),
    Group("ml-1m-long-windows", "repro-ml-1m-long", (1,), PUBLISHED, ("backbone.ffn_dim=256", "training.batch=128", *ALL_TARGETS)),
    Group("ml-1m-alone", "repro-ml-1m", (1,), ALONE, ("training.threads=2",)),
    Group("ml-1m-long", "repro-ml-1m-long", (1,), PUBLISHED),
    _candidates("ml-1m", (1, 2)),
    Group("yelp", "repro-yelp", (1, 2), ON_YELP),
    _candidates("yelp", (1,)),
    Group("amazon-cds", "repro-amazon-cds", (1,), ON_CDS),
    Group("amazon-beauty", "repro-amazon-beauty", (1,), (LARGE_REFERENCES,)),
    Group(TRIALS_GROUP, "repro-ml-100k", (1,), TRIALS),
)
