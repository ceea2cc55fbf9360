"""The kernels side by side with torch, each alone: what they take, and whether the results are the same."""
