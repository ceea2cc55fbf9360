"""The claims that the page gives verdicts on: targets were set before anything was measured, of groups before that group was."""

from __future__ import annotations

from benchmarks.reproduction.suite import BETWEEN, MASK, OF_CHORD, ONE_BIT
from benchmarks.suites.verdicts import (
    Claim,
    Judge,
    above,
    all_of,
    at_equal_bits,
    at_least_of,
    at_most,
    named,
    not_below,
    reaches,
    seeds_done,
    share,
)

#: Methods that verdicts need.
NEEDED = (
    "fp32",
    "qat-2",
    "chord",
    "chord-plus",
    "chord-shared",
    "chord-swapped",
    "film-192",
    f"chord-plus{ONE_BIT}",
    f"chord-shared{ONE_BIT}",
    f"chord-shared{BETWEEN}",
    f"chord-shared{MASK}",
    "popularity",
    "markov",
)
#: Those of them that verdicts ask of Yelp.
NEEDED_ON_YELP = ("fp32", "chord-plus", "chord-shared", f"chord-shared{ONE_BIT}", "chord-swapped")


def _above_shared(group: str, *budgets: str) -> Judge:
    """Judge whether own plans are above the strongest shared plan among those under these budgets, by their labels' ends."""
    return above(f"{group}/chord-plus", *(f"{group}/chord-shared{budget}" for budget in budgets), least=0.015)


def _over_shared(group: str) -> Claim:
    return Claim(
        f"{group}: a user's own plan is better than the best shared plan under the same budgets",
        "at least +1.5 %, interval above zero",
        _above_shared(group, "", ONE_BIT),
    )


def _at_one_bit(group: str) -> Judge:
    """Judge own against shared plans where both fill a budget of one bit."""
    return at_equal_bits(f"{group}/chord-plus{ONE_BIT}", f"{group}/chord-shared{ONE_BIT}")


def _adds(group: str) -> tuple[Claim, ...]:
    """Return what is asked of the plan itself on one set; named after the review of the first tables, before any of it was played."""
    return (
        Claim(
            f"{group}: `chord` above the same backbone without a plan, every channel at 3 bits",
            "interval above zero, at equal stored bits",
            at_equal_bits(f"{group}/chord", f"{group}/frozen-3"),
        ),
        Claim(
            f"{group}: the own plan of `chord` above another user's",
            "interval above zero",
            above(f"{group}/chord", f"{group}/chord-swapped{OF_CHORD}"),
        ),
        Claim(
            f"{group}: own above shared plans of `chord-plus` at 1 stored bit each (named after both were measured)",
            "interval above zero, at equal stored bits",
            _at_one_bit(group),
        ),
    )


def _paper_set(group: str, least: float) -> Judge:
    return named(group, share(f"{group}/chord-plus", f"{group}/fp32", least))


#: The paper's three sets, with both backbones where both were trained, and the one with published figures.
_PAPER_AND_ML_1M = ("ml-100k", "ml-100k-caser", "amazon-cds", "yelp", "ml-1m")
#: What the abstract says (arXiv 2510.03038), and where it is asked here: the page's first lines.
ABSTRACT: tuple[tuple[str, tuple[tuple[str, Judge], ...]], ...] = (
    (
        "`chord` on frozen random weights keeps accuracy (95 % of `fp32` at 3 bits)",
        tuple((g, share(f"{g}/chord", f"{g}/fp32", 0.95)) for g in _PAPER_AND_ML_1M),
    ),
    (
        "`chord-plus`, ours, keeps accuracy (92 % at 2 bits or less)",
        tuple((g, share(f"{g}/chord-plus", f"{g}/fp32", 0.92)) for g in _PAPER_AND_ML_1M),
    ),
    (
        "one hypernetwork adapts plans to small devices (`chord-plus`, 88 % at 1 bit)",
        tuple((g, share(f"{g}/chord-plus{ONE_BIT}", f"{g}/fp32", 0.88)) for g in _PAPER_AND_ML_1M),
    ),
    (
        "plans are personal: another user's plan is worse than the own one (`chord-plus`)",
        tuple((g, above(f"{g}/chord-plus", f"{g}/chord-swapped")) for g in _PAPER_AND_ML_1M),
    ),
    (
        "a personal plan is needed: the plan shared by all is worse (`chord-plus`, both at 1 stored bit)",
        tuple((g, _at_one_bit(g)) for g in _PAPER_AND_ML_1M),
    ),
    (
        "it is the plan that keeps accuracy: the same frozen backbone without one, at 3 bits for every channel, is worse (`chord`)",
        tuple((g, at_equal_bits(f"{g}/chord", f"{g}/frozen-3")) for g in _PAPER_AND_ML_1M),
    ),
    (
        "the same of `chord`: another user's plan is worse than the own one",
        tuple((g, above(f"{g}/chord", f"{g}/chord-swapped{OF_CHORD}")) for g in _PAPER_AND_ML_1M),
    ),
    (
        "quantizing by plan beats tuning one model to 2 bits for everybody (`chord-plus` above `qat-2`)",
        tuple((g, above(f"{g}/chord-plus", f"{g}/qat-2")) for g in _PAPER_AND_ML_1M),
    ),
    ("phones do no training", (("ml-100k", at_most("ml-100k/chord", "train_macs", 0, "MAC")),)),
    ("a plan costs 192 bytes to send", (("ml-100k", at_most("ml-100k/chord", "prescription_bytes", 192, "B")),)),
)

CLAIMS: dict[str, tuple[Claim, ...]] = {
    "The reference is strong": (
        Claim("ml-1m: `fp32` with histories of 50", "NDCG@10 at least 0.165", reaches("ml-1m-last-item/fp32", ndcg_10_last=0.165)),
        Claim(
            "the same with a feed-forward of 256, which is ahead on the validation item",
            "NDCG@10 at least 0.165",
            reaches("ml-1m-wide-last-item/fp32", ndcg_10_last=0.165),
        ),
        Claim(
            "ml-1m: `fp32` with histories of 200",
            "NDCG@10 at least 0.178, HR@10 at least 0.305 (published: 0.1821, 0.3152)",
            reaches("ml-1m-long/fp32", ndcg_10_last=0.178, hr_10_last=0.305),
        ),
        Claim(
            "ml-1m: `fp32` with histories of 50, 256 windows a step with all of their targets",
            "NDCG@10 at least 0.168",
            reaches("ml-1m-windows/fp32", ndcg_10_last=0.168),
        ),
        Claim(
            "ml-1m: the same with histories of 200 and a feed-forward of 256, 128 windows a step",
            "NDCG@10 at least 0.180, HR@10 at least 0.312 (published: 0.1821, 0.3152)",
            reaches("ml-1m-long-windows/fp32", ndcg_10_last=0.180, hr_10_last=0.312),
        ),
        Claim(
            "amazon-beauty: `fp32`",
            "NDCG@10 at least 0.031, HR@10 at least 0.050 (published: 0.0327, 0.0533)",
            reaches("amazon-beauty/fp32", ndcg_10_last=0.031, hr_10_last=0.050),
        ),
        Claim(
            "amazon-beauty: the same, asked for when the first had fallen short",
            "NDCG@10 at least 0.0320, HR@10 at least 0.0525",
            reaches("amazon-beauty/fp32", ndcg_10_last=0.0320, hr_10_last=0.0525),
        ),
        Claim(
            "yelp: `fp32` reaches the published SASRec",
            "HR@5 0.0162, NDCG@5 0.0100, HR@10 0.0274, NDCG@10 0.0136",
            reaches("yelp/fp32", hr_5_last=0.0162, ndcg_5_last=0.0100, hr_10_last=0.0274, ndcg_10_last=0.0136),
        ),
        Claim("amazon-cds: `fp32`", "NDCG@10 at least 0.026", reaches("amazon-cds/fp32", ndcg_10_last=0.026)),
        Claim("ml-100k: `fp32` is above `markov`", "interval above zero", above("ml-100k/fp32", "ml-100k/markov")),
        Claim("ml-100k: `fp32` is above `popularity`", "interval above zero", above("ml-100k/fp32", "ml-100k/popularity")),
    ),
    "A plan of 2 bits or less keeps accuracy": (
        Claim("ml-1m: `chord-plus` against `fp32`", "at least 90 %", share("ml-1m/chord-plus", "ml-1m/fp32", 0.90)),
        Claim("ml-1m: the aim", "at least 95 %", share("ml-1m/chord-plus", "ml-1m/fp32", 0.95)),
        Claim("ml-1m: no loss", "at least 100 %", share("ml-1m/chord-plus", "ml-1m/fp32", 1.0)),
        Claim("ml-1m: it stores 2 bits or less", "at most 2 bits", at_most("ml-1m/chord-plus", "bits_mean", 2.0, "bits")),
        Claim(
            "ml-1m, feed-forward of 256, against `fp32` of the same width",
            "at least 90 %",
            share("ml-1m-wide/chord-plus", "ml-1m-wide/fp32", 0.90),
        ),
        Claim(
            "two of the paper's three sets",
            "at least 92 % of `fp32` on two of them",
            at_least_of(2, *(_paper_set(group, 0.92) for group in ("ml-100k", "amazon-cds", "yelp"))),
        ),
        Claim("ml-1m: `chord-plus` at 1 bit", "at least 88 % of `fp32`", share(f"ml-1m/chord-plus{ONE_BIT}", "ml-1m/fp32", 0.88)),
        Claim(
            "ml-1m: above frozen weights and mask at uniform 2 bits",
            "at least +6 %",
            above("ml-1m/chord-plus", f"ml-1m/chord-shared{MASK}", least=0.06),
        ),
        Claim("ml-1m: against `qat-2`", "within 3 %", share("ml-1m/chord-plus", "ml-1m/qat-2", 0.97)),
        Claim("ml-1m: ahead of `qat-2`", "interval above zero", above("ml-1m/chord-plus", "ml-1m/qat-2")),
        Claim("ml-100k: `chord-plus` is above `popularity`", "interval above zero", above("ml-100k/chord-plus", "ml-100k/popularity")),
    ),
    "Codes for groups of 32 weights instead of whole channels (ml-1m)": (
        Claim("against `fp32`", "at least 95 %", share("ml-1m-groups/chord-plus", "ml-1m/fp32", 0.95)),
        Claim("no loss", "at least 100 %", share("ml-1m-groups/chord-plus", "ml-1m/fp32", 1.0)),
        Claim("it stores 2 bits or less", "at most 2 bits", at_most("ml-1m-groups/chord-plus", "bits_mean", 2.0, "bits")),
        Claim("at 1 bit", "at least 88 % of `fp32`", share(f"ml-1m-groups/chord-plus{ONE_BIT}", "ml-1m/fp32", 0.88)),
        Claim("against one code per channel", "interval above zero", above("ml-1m-groups/chord-plus", "ml-1m/chord-plus")),
        Claim("against `qat-2`", "within 3 %", share("ml-1m-groups/chord-plus", "ml-1m/qat-2", 0.97)),
        Claim("ahead of `qat-2`", "interval above zero", above("ml-1m-groups/chord-plus", "ml-1m/qat-2")),
        Claim("own above another user's plan", "interval above zero", above("ml-1m-groups/chord-plus", "ml-1m-groups/chord-swapped")),
    ),
    "It helps that the plan is the user's own": (
        _over_shared("ml-1m"),
        Claim(
            "the same on Yelp or CDs",
            "on one of them",
            at_least_of(1, *(named(group, _above_shared(group, "", ONE_BIT)) for group in ("yelp", "amazon-cds"))),
        ),
        _over_shared("ml-100k"),
        Claim(
            "ml-1m: the same against the shared plan under a budget of 1.5 bits, about what own plans store under one of 2",
            "at least +1.5 %, interval above zero",
            _above_shared("ml-1m", BETWEEN, ONE_BIT),
        ),
        Claim(
            "own above another user's plan on ml-1m, and on Yelp or CDs",
            "intervals above zero",
            all_of(
                named("ml-1m", above("ml-1m/chord-plus", "ml-1m/chord-swapped")),
                at_least_of(1, *(named(g, above(f"{g}/chord-plus", f"{g}/chord-swapped")) for g in ("yelp", "amazon-cds"))),
            ),
        ),
        Claim(
            "own above as many bytes as int8 numbers (`film-192`)",
            "interval above zero on ml-1m",
            above("ml-1m/chord-plus", "ml-1m/film-192"),
        ),
        Claim("the same on ml-100k", "interval above zero", above("ml-100k/chord-plus", "ml-100k/film-192")),
        Claim(
            "ml-100k, users that the cloud never trained on: own above another user's plan",
            "interval above zero",
            above("ml-100k-strangers/chord-plus", "ml-100k-strangers/chord-swapped"),
        ),
    ),
    "What the plan adds": tuple(claim for group in _PAPER_AND_ML_1M for claim in _adds(group)),
    "Neighbours are as strong as their idea (ml-100k, at the phones' widest; not held where the whole interval is below)": (
        Claim("`diet`", "at least 90 % of `fp32`", not_below("ml-100k/diet", "ml-100k/fp32", 0.90)),
        Claim("`otaro` at 8 bits", "at least 97 % of `fp32`", not_below("ml-100k/otaro", "ml-100k/fp32", 0.97)),
        Claim("`qat-2` is not below `uniform-2`", "at least 100 %", not_below("ml-100k/qat-2", "ml-100k/uniform-2", 1.0)),
        *(
            Claim(f"`{name}`", "at least 95 % of `fp32`", not_below(f"ml-100k/{name}", "ml-100k/fp32", 0.95))
            for name in ("duet", "forward-ofa", "cocorrrec", "dccl")
        ),
    ),
    "The abstract, with `chord` as the paper can be read": (
        Claim("accuracy is kept (ml-100k)", "at least 95 % of `fp32`", share("ml-100k/chord", "ml-100k/fp32", 0.95)),
        Claim("accuracy is kept (ml-100k, Caser)", "at least 95 % of `fp32`", share("ml-100k-caser/chord", "ml-100k-caser/fp32", 0.95)),
        Claim("accuracy is kept (ml-1m)", "at least 95 % of `fp32`", share("ml-1m/chord", "ml-1m/fp32", 0.95)),
        Claim("about 3 bits on average are stored", "at most 3 bits", at_most("ml-100k/chord", "bits_mean", 3.0, "bits")),
        Claim("phones adapt without backpropagation", "0 training operations", at_most("ml-100k/chord", "train_macs", 0, "MAC")),
        Claim(
            "a plan is small to send", "2 bits for each of 768 channels: 192 B", at_most("ml-100k/chord", "prescription_bytes", 192, "B")
        ),
        Claim(
            "one hypernetwork serves small budgets too (ml-100k, `chord-plus` at 1 bit)",
            "at least 95 % of `fp32`",
            share(f"ml-100k/chord-plus{ONE_BIT}", "ml-100k/fp32", 0.95),
        ),
    ),
    "The suite": (
        Claim(
            "one `chord-plus` training on ml-1m (histories of 50)",
            "under 15 minutes on 2 cores",
            at_most("ml-1m-alone/chord-plus", "train_s", 900, "s"),
        ),
        Claim("ml-100k is complete", "3 seeds, both backbones", seeds_done((("ml-100k", 3), ("ml-100k-caser", 3)), NEEDED)),
        Claim("ml-1m is there", "2 seeds", seeds_done((("ml-1m", 2),), NEEDED)),
        Claim(
            "yelp is there",
            "2 seeds of what verdicts ask of it, 1 of the rest",
            all_of(seeds_done((("yelp", 2),), NEEDED_ON_YELP), seeds_done((("yelp", 1),), NEEDED)),
        ),
    ),
}
