"""ONNX: models out of modules, and sessions of ONNX Runtime that run them on one thread."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from chordsim.errors import RunError

#: Newer ones are not read by every runtime in use; nothing here needs them.
OPSET = 20


def converted(module: nn.Module, inputs: tuple[Tensor, ...], names: Sequence[str], output: str) -> bytes:
    """Return a module as an ONNX model.

    Args:
        module: What is exported.
        inputs: Of the right shapes.
        names: Of the inputs, in order.
        output: Name of the one output.

    Raises:
        RunError: The exporter cannot convert it; the text is its own.
    """
    for name in ("torch.onnx", "torch.utils._pytree", "onnxscript"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad(), tempfile.TemporaryDirectory() as folder:
            warnings.simplefilter("ignore")
            made = torch.onnx.export(
                module.eval(), inputs, None, dynamo=True, input_names=list(names), output_names=[output], opset_version=OPSET, verbose=False
            )
            assert made is not None
            path = Path(folder) / "program.onnx"
            made.save(str(path))
            return _without_copies(_without_traces(path.read_bytes()))
    except Exception as error:  # a compiler's errors are of every kind
        raise RunError(f"the ONNX exporter cannot convert this model: {type(error).__name__}: {error}") from error


def _without_traces(data: bytes) -> bytes:
    """Return a model without what the exporter notes of source files: a third of a small model, and no phone reads it."""
    import onnx

    model = onnx.load_model_from_string(data)
    for holder in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        del holder.metadata_props[:]
        holder.doc_string = ""
    del model.graph.value_info[:]
    return bytes(model.SerializeToString())


def _without_copies(data: bytes) -> bytes:
    """Return a model that holds every constant once: torch 2.13 folds the transpose of a weight into a copy for each of its uses."""
    import onnx

    model = onnx.load_model_from_string(data)
    kept: dict[bytes, str] = {}
    other: dict[str, str] = {}
    once = []
    for constant in model.graph.initializer:
        name, constant.name = constant.name, ""
        other[name] = kept.setdefault(constant.SerializeToString(), name)
        constant.name = name
        if other[name] == name:
            once.append(constant)
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = other.get(name, name)
    del model.graph.initializer[:]
    model.graph.initializer.extend(once)
    return bytes(model.SerializeToString())


class Session:
    """A loaded model."""

    def __init__(self, path: Path) -> None:
        """Load a model, on one thread."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._names = [value.name for value in self._session.get_inputs()]

    def run(self, inputs: list[npt.NDArray[np.generic]]) -> npt.NDArray[np.float32]:
        """Return the model's one output."""
        out: npt.NDArray[np.float32] = self._session.run(None, dict(zip(self._names, inputs, strict=True)))[0]
        return out
