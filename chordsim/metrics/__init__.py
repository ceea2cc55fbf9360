"""Metrics beside the ledger's own: what one is, those that ship, and their means over users of a run."""

from chordsim.metrics.spec import MetricSpec as MetricSpec
from chordsim.metrics.spec import Ranked as Ranked
