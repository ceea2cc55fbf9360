"""What the files of a run directory are called."""

from __future__ import annotations

SCENARIO, MANIFEST, DEVICES, ROUNDS, SUMMARY, TRAINING, LOCK = (
    "scenario.toml",
    "manifest.json",
    "devices.parquet",
    "rounds.csv",
    "summary.json",
    "training.csv",
    ".lock",
)
#: What the manifest holds under this key where rows were not kept.
NOT_KEPT = "ledger"
LEDGER, CHECKPOINT, SUMS, IMPORTANCE = "ledger", "checkpoint", "SHA256SUMS", "importance.parquet"
