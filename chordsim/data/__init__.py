"""Whose interactions are played: fetch, read, filter and split logs, or generate them."""
