"""Who is left out when phones get weaker: a heterogeneity study as a notebook in plain Python, cell by cell."""

# %% [markdown]
# # Who is left out when phones get weaker?
#
# The same users, three populations: few, some and many phones of the tier `low`, which has a small memory budget and a slow link.
# A phone refuses what does not fit, and its user sees the popularity list instead; `ndcg_10_all` counts that.

# %%
import pandas as pd

import chordsim

METHODS = ["fp32", "uniform-2", "chord-plus"]
SHARES = {"few": (0.1, 0.6, 0.3), "some": (0.3, 0.5, 0.2), "many": (0.7, 0.2, 0.1)}

runs = {}
for name, shares in SHARES.items():
    tiers = [f"population.tiers.{tier}.share={share}" for tier, share in zip(("low", "mid", "high"), shares, strict=True)]
    runs[name] = chordsim.run("offline", overrides=[f"methods={METHODS}".replace("'", '"'), *tiers], seed=1)

# %% [markdown]
# ## Three views, always together
#
# Served users alone would hide whom a method leaves out: a method that refuses the weak phones may look the best.

# %%
views = pd.DataFrame(
    {
        (name, method): {
            "served users": m["ndcg_10"]["mean"],
            "served by all methods": m["ndcg_10_common"]["mean"],
            "all users": m["ndcg_10_all"]["mean"],
            "served (%)": 100 * m["served_share"],
        }
        for name, run in runs.items()
        for method, m in run.summary["methods"].items()
    }
).T
print(views.round(4).to_string())

# %% [markdown]
# ## By tier: accuracy, and seconds and joules of a served session
#
# Costs are of served sessions: a method that refuses weak phones is not frugal. The joules rest on assumed constants, the
# radio's tail above all.

# %%
for name, run in runs.items():
    rows = run.ledger.assign(joules=run.ledger["compute_j"] + run.ledger["radio_j"], served=run.ledger["outcome"] == "served")
    everyone = rows.groupby(["method", "tier"], observed=True)[["served", "ndcg_10_all"]].mean()
    session = rows[rows["served"]].groupby(["method", "tier"], observed=True)[["total_s", "joules"]].mean()
    print(f"\n{name} weak phones\n{everyone.join(session).round(4).to_string()}")

# %% [markdown]
# ## Is the loss significant?
#
# The same users before and after, so differences are paired by user; Holm corrects over all of them.

# %%
from chordsim.compare.compare import compare  # noqa: E402
from chordsim.compare.comparison import verdict  # noqa: E402

print(verdict(compare([runs["few"].path, runs["many"].path])))
