"""The array types that everything is written in; shapes stand in the docstrings of those who use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
#: Codes into a short list of words, such as `chordsim.methods.BINDINGS`.
Codes = npt.NDArray[np.uint8]
#: Arrays over the same rows, by name.
Columns = dict[str, npt.NDArray[Any]]
#: What training gives: tensors by name.
State = dict[str, "torch.Tensor"]
