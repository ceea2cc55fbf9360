"""What decides the last bits of a run beside scenario and versions: types, kernels, instructions, threads, variables.

Two machines are of the same type where all of this is equal. It stands in the manifest, a resume asks for it, and models
that were trained under other numerics are not found in the cache.
"""

from __future__ import annotations

import json
import os
import platform
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chordsim.config.model import Scenario, TrainingConfig

if TYPE_CHECKING:
    import torch

#: Variables of the environment that choose kernels, in torch, MKL, oneDNN, OpenBLAS, NumPy, numba and the C library.
VARIABLES = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "GLIBC_TUNABLES",
    "MKL_CBWR",
    "MKL_DEBUG_CPU_TYPE",
    "MKL_ENABLE_INSTRUCTIONS",
    "NPY_DISABLE_CPU_FEATURES",
    "NPY_ENABLE_CPU_FEATURES",
    "NUMBA_CPU_FEATURES",
    "NUMBA_CPU_NAME",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "TORCH_CPU_CAPABILITY",
)


def numerics(scenario: Scenario, device: str = "cpu") -> dict[str, Any]:
    """Return what a run of a scenario computes with here, as the manifest holds it.

    Args:
        scenario: Resolved.
        device: What the inner loops run on.

    Returns:
        ``training``: type of weights and gradients. ``softmax``: type of the products with the item table in training.
        ``kernel``: what runs the inner loops. ``device`` as given. ``instructions``: what torch, oneDNN and NumPy choose on
        this processor, and whose it is, since MKL asks for that too. ``threads``: of one training; a product in a round has
        one thread. ``environment``: those of `VARIABLES` that are set.
    """
    return {
        "training": "float32",
        "softmax": str(softmax_type(scenario.training)).removeprefix("torch."),
        "kernel": scenario.engine.kernel,
        "device": device,
        "threads": scenario.training.threads,
        **machine(),
    }


def machine() -> dict[str, Any]:
    """Return the part of the numerics that the machine and its environment decide."""
    return {"instructions": instructions(), "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ}}


def here() -> str:
    """Return `machine` as one line, by which a node is told from the server."""
    return json.dumps(machine(), sort_keys=True)


def softmax_type(training: TrainingConfig) -> torch.dtype:
    """Return the type that training multiplies states and the item table in."""
    import torch

    half = training.softmax == "bfloat16" or (training.softmax == "auto" and fast_half())
    return torch.bfloat16 if half else torch.float32


def fast_half() -> bool:
    """Return whether this processor multiplies bfloat16 faster than float32, so that the softmax may use it."""
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def instructions() -> str:
    """Return what the libraries choose on this processor, in words."""
    import torch

    half = "with bfloat16" if fast_half() else "without bfloat16"
    return f"torch {torch.backends.cpu.get_cpu_capability()}, oneDNN {half}, NumPy {_numpy()}, {_vendor()} {platform.machine()}"


def words(told: Any) -> str | None:
    """Return a manifest's numerics as one line for a person; None where an older manifest has none."""
    if not isinstance(told, dict):
        return None
    named = [f"{key} {value}" for key, value in told.items() if not isinstance(value, dict) and value not in (None, "")]
    return ", ".join([*named, *(f"{name}={value}" for name, value in told.get("environment", {}).items())])


def _numpy() -> str:
    """Return the widest instructions that NumPy uses: its logarithms have other last bits with each."""
    features = getattr(np._core._multiarray_umath, "__cpu_features__", {})  # type: ignore[attr-defined]
    wide = [name for name in ("AVX512_SKX", "AVX512F", "AVX2", "FMA3", "SVE", "ASIMD", "NEON") if features.get(name)]
    return wide[0] if wide else "baseline"


@lru_cache(maxsize=1)
def _vendor() -> str:
    """Return who made the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    found = [line.partition(":")[2].strip() for line in lines if line.startswith(("vendor_id", "CPU implementer"))]
    return found[0] if found else platform.processor() or "unknown"
