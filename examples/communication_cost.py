"""What five ways to personalise cost on the wire: a notebook in plain Python, cell by cell."""

# %% [markdown]
# # What does it cost to personalise on a phone?
#
# Five methods serve the same users on the same phones: a full model shipped once, a model of 2 bits, two kinds of plans of 2 bits
# per channel, and a list from the cloud. `offline` makes its users up, so accuracy says little; bytes are measured from the messages
# and mean what they say. For real users write `quickstart` instead.

# %%
import pandas as pd

import chordsim

METHODS = ["fp32", "uniform-2", "chord", "chord-plus", "cloud-only"]
run = chordsim.run("offline", overrides=[f"methods={METHODS}".replace("'", '"')], seed=1)

# %% [markdown]
# ## The headline: bytes after 1, 10 and 100 sessions
#
# The bootstrap is in it: a plan of a hundred bytes is no use to a phone that has not downloaded item embeddings.

# %%
costs = pd.DataFrame(
    {
        name: {
            "NDCG@10, all users": m["ndcg_10_all"]["mean"],
            "served": m["served_share"],
            "bootstrap (B)": m["bootstrap_bytes_once"],
            **{f"after {n} (B)": value for n, value in m["bytes_after_sessions"].items()},
        }
        for name, m in run.summary["methods"].items()
    }
).T
print(costs.to_string(float_format="{:,.3f}".format))

# %% [markdown]
# ## Where a session's bytes go
#
# Over served sessions; the report is the simulator's own, and no product would send it. Parts add up to what crossed, plus what was
# cut: that is checked when a round closes, and here once more.

# %%
DOWN = ["bootstrap_bytes", "candidates_bytes", "rows_bytes", "prescription_bytes", "framing_down_bytes"]
UP = ["profile_bytes", "asks_bytes", "update_bytes", "report_bytes", "framing_up_bytes"]
ledger = run.ledger
assert (ledger[DOWN].sum(axis=1) == ledger["down_bytes"] + ledger["cut_down_bytes"]).all()
assert (ledger[UP].sum(axis=1) == ledger["up_bytes"] + ledger["cut_up_bytes"]).all()
parts = ledger[ledger["outcome"] == "served"].groupby("method", observed=True)[[*DOWN[1:], *UP]].mean()
print(parts.loc[METHODS].round(1).to_string())

# %% [markdown]
# ## The plots
#
# The charts of `report.html` show themselves in a notebook, and can be saved as PDF, SVG or PNG; `figure()` is matplotlib's, to be changed.

# %%
for name in ("accuracy_against_bytes", "bytes_over_sessions", "bytes_by_part"):
    run.figures[name].save(f"{name}.png")
print(f"all charts: {run.path / 'report.html'}")
