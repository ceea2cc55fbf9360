"""What a run says about itself: versions, numerics, seeds, protocol."""

from __future__ import annotations

import platform
import resource
import sys
from importlib.metadata import version
from typing import Any

import torch

from chordsim import evaluate
from chordsim.config.model import EngineConfig, Scenario
from chordsim.kernels.accelerator import named
from chordsim.ledger.columns import SCHEMA_VERSION
from chordsim.numerics import numerics
from chordsim.scenario.text import digest

#: What compiles the loops of rounds and trainings; it decides last bits there alone.
_COMPILERS = ("numba", "llvmlite")
_LIBRARIES = ("chordsim", "torch", "numpy", "pandas", "pyarrow", "flwr", "ray", "safetensors")


def started(scenario: Scenario) -> dict[str, Any]:
    """Return the manifest of a run that begins."""
    compiled = "native" in (scenario.engine.kernel, scenario.training.kernel)
    libraries = (*_LIBRARIES, *(_COMPILERS if compiled else ()))
    return {
        "schema_version": SCHEMA_VERSION,
        "scenario": scenario.name,
        "scenario_sha256": digest(scenario),
        "ledger_key": ledger_key(scenario),
        "seed": scenario.seed,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in libraries}},
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(),
        "numerics": numerics(scenario, named(scenario.engine.device)),
        "engine": scenario.engine.model_dump(mode="json"),
    }


def ledger_key(scenario: Scenario) -> str:
    """Return the hash of all in a scenario that a ledger may depend on: everything but who carries the cells."""
    same = EngineConfig(chunk_size=scenario.engine.chunk_size, kernel=scenario.engine.kernel, device=scenario.engine.device)
    return digest(scenario.model_copy(update={"engine": same}))


def protocol(scenario: Scenario) -> dict[str, Any]:
    """Return how ranks were made, for manifest and summary."""
    return {**evaluate.describe(scenario), "rounds": scenario.rounds.count}


def peak_rss_bytes() -> int:
    """Return the most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
