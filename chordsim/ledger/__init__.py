"""The ledger: one row per selected device, round and method, its contract, checks, digests, files and summary."""
