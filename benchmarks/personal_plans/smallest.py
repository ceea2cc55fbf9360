"""The smallest effect that a design can show, from the paired spread between users and seeds of earlier runs on MovieLens 1M.

`spread.csv` holds lines of the reproduction's table of differences, own plans against shared ones over two seeds, three held-out items and
6,040 users, as they were before these experiments. Of a line, the interval (over users alone there) gives the variance of the mean that
users add, and the two seeds' own differences give a variance between seeds; both are pooled over the lines. A design has

    V_users = pooled * items there / items here        users' differences at different items are as good as independent: on ML-100K
              * users there / users here               (three seeds, four pairs of methods) their covariance over rounds is 0 within 2 %
    V_seeds = pooled / seeds                           noise of users in it is not taken off, so the effect is rather too large

and no share of V_users is taken off for more seeds, since how much of it is the seeds' is not known; one seed alone is counted with twice
of it. Where lists are ranked, a target that no list holds is a miss of both sides; what a model ranks among its first ten, the first
hundred of another hold all but always, so that neither level nor spread move by it.

The interval excludes zero where the estimate is beyond the margin of `chordsim.statistics.crossed`, and does so in 80 % of
repetitions where the true effect is that margin and 0.84 standard errors more.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from scipy.special import ndtri

from benchmarks.suites.sheets import Line, read_lines
from chordsim.statistics.crossed import Part, margin

SPREAD = Path(__file__).parents[1] / "results" / "personal_plans" / "spread.csv"
#: The same of own plans against models of another kind.
SPREAD_MODELS = SPREAD.with_name("spread_models.csv")
#: Held-out items of each user in the runs of `spread.csv`.
ITEMS_THERE = 3
POWER = 0.8


def smallest_effect(seeds: int, items: int, lines: list[Line] | None = None, *, gains: int = 1, users: int | None = None) -> float:
    """Return the smallest relative effect whose interval lies above zero in 80 % of repetitions.

    Args:
        seeds: Seeds of both sides; one leaves differences between seeds out, as its interval does.
        items: Held-out items of each user.
        lines: Measured differences; those of `spread.csv` where None.
        gains: How many independent differences are compared: 2 where one gain is held against another.
        users: How many users there are, who differ as the measured ones do; as many as those where None.
    """
    known = read_lines(SPREAD) if lines is None else lines
    measured = int(known[0]["users"])
    users = measured if users is None else users
    half = [(float(line["high"]) - float(line["low"])) / 2 for line in known]
    of_users = fmean((one / float(ndtri(0.975))) ** 2 for one in half) * ITEMS_THERE / items * gains * measured / users
    apart = [[float(part.partition(":")[2]) for part in line["by_seed"].split()] for line in known]
    of_seeds = fmean((first - second) ** 2 / 2 for first, second in apart) / seeds * gains
    parts = [Part(of_users * (2 if seeds == 1 else 1), users - 1), *([Part(of_seeds, seeds - 1)] if seeds > 1 else [])]
    error = float(sum(part.variance for part in parts) ** 0.5)
    level = fmean(float(line["other_mean"]) for line in known)
    return (margin(parts, 0.05) + float(ndtri(POWER)) * error) / level
