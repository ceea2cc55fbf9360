"""Phones of the scenario `offline` that bear whatever any of its methods ships."""

from __future__ import annotations

PLENTY = [f"population.tiers.{tier}.{key}" for tier in ("low", "mid", "high") for key in ("memory_mb=99", "latency_ms=1e6")]
