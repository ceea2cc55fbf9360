"""ExecuTorch with XNNPACK: programs out of modules, and sessions that run them on one thread."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from chordsim.errors import RunError


def lowered(module: nn.Module, inputs: tuple[Tensor, ...], *, low_bits: bool = False) -> bytes:
    """Return a module as a program (.pte).

    XNNPACK takes what it can, products with weights that are inputs as well; the rest runs on portable kernels.

    Args:
        module: What is lowered.
        inputs: Of the right shapes.
        low_bits: Whether its products are with levels, and activations are rounded on the way.

    Raises:
        RunError: ExecuTorch cannot lower it; the text is its own.
    """
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackDynamicallyQuantizedPartitioner, XnnpackPartitioner
    from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower

    logging.getLogger("torch.utils._pytree").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            exported = torch.export.export(module.eval(), inputs, strict=False)
            partitioners = [XnnpackPartitioner(force_non_static_weights_for_f32_linear=True)]
            if low_bits:
                partitioners.insert(0, XnnpackDynamicallyQuantizedPartitioner())
            # What the backbones build masks with is not in the checker's list of core operators.
            config = EdgeCompileConfig(_check_ir_validity=False)
            edge = to_edge_transform_and_lower(exported, partitioner=partitioners, compile_config=config)
            return bytes(edge.to_executorch().buffer)
    except Exception as error:  # a compiler's errors are of every kind
        raise RunError(f"ExecuTorch cannot lower this model: {type(error).__name__}: {error}") from error


class Session:
    """A loaded program."""

    def __init__(self, path: Path) -> None:
        """Load a program and its one method, on one thread."""
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime, Verification

        portable_lib._unsafe_reset_threadpool(1)
        # The runtime reads from these bytes as long as it lives.
        self._program = Runtime.get().load_program(path, verification=Verification.InternalConsistency)
        self._method = self._program.load_method("forward")
        if self._method is None:
            raise RunError(f"{path}: a program without a method to run")

    def run(self, inputs: list[npt.NDArray[np.generic]]) -> npt.NDArray[np.float32]:
        """Return the program's one output."""
        out: Tensor = self._method.execute([torch.from_numpy(value) for value in inputs])[0]
        return out.numpy()
