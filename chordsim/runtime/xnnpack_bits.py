"""Low bits by XNNPACK's own kernels: levels of 8 or 4 bits times activations that are rounded to 8 bits on the way, by torchao's operators.

XNNPACK has no product of low-bit levels with float activations (ExecuTorch 1.5.1), so this is another model than the simulator's: each
position's activations get a scale and a zero point of their own, and scores move. There is no 2-bit type in ExecuTorch's schema for
XNNPACK either: levels of 2 and 3 bits lie in 4, which holds them exactly. Rows of 4 bits must be a multiple of 32 wide; narrower ones
are filled with zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from chordsim.nets.choice import Weight
from chordsim.runtime.graphs import Inputs, Product, Program
from chordsim.runtime.reference.steps import Single

_GROUP = 32


def kernel_bits(bits: int) -> int:
    """Return the width of the kernel that holds levels of so many bits."""
    return 4 if bits <= 4 else 8


class Kernels(Program):
    """One model for all phones whose products XNNPACK makes from levels."""

    def __init__(
        self,
        inputs: Inputs,
        item: Single,
        position: Single,
        levels: Sequence[npt.NDArray[np.int16]],
        scales: Sequence[Single],
        bits: int,
    ) -> None:
        """Take each layer's levels [C, K] and scales [C], of ``bits`` stored bits."""
        super().__init__(inputs, item, position)
        self.kernel, self.layers = kernel_bits(bits), len(levels)
        for n, (level, scale) in enumerate(zip(levels, scales, strict=True)):
            fill = -level.shape[1] % _GROUP if self.kernel == 4 else 0
            self.register_buffer(f"levels{n}", torch.from_numpy(np.pad(level, ((0, 0), (0, fill))).astype(np.int8)))
            self.register_buffer(f"scales{n}", torch.from_numpy(scale.reshape(-1, 1).copy()))
            self.register_buffer(f"zeros{n}", torch.zeros(scale.size, 1, dtype=torch.int8))

    def weights(self, given: Sequence[Tensor]) -> list[Weight]:
        """Return the layers as products with levels."""
        return [Product(self._product(n)) for n in range(self.layers)]

    def _product(self, n: int) -> Callable[[Tensor], Tensor]:
        levels, scales, zeros = (self.get_buffer(f"{name}{n}") for name in ("levels", "scales", "zeros"))

        def product(x: Tensor) -> Tensor:
            from torchao.quantization.quant_primitives import dequantize_affine

            least, most = -(2 ** (self.kernel - 1)), 2 ** (self.kernel - 1) - 1
            weight = dequantize_affine(levels, (1, levels.shape[1]), scales, zeros, torch.int8, least, most, output_dtype=torch.float32)
            filled = F.pad(x, (0, levels.shape[1] - x.shape[-1])) if levels.shape[1] > x.shape[-1] else x
            return F.linear(_rounded(filled), weight)

        return product


def _rounded(x: Tensor) -> Tensor:
    """Return activations rounded to 8 bits, each position by its own range, in the operators that XNNPACK takes for its own."""
    from torchao.quantization.quant_primitives import MappingType, choose_qparams_affine, dequantize_affine, quantize_affine

    block = (*(1 for _ in x.shape[:-1]), x.shape[-1])
    scale, zero = choose_qparams_affine(
        x, MappingType.ASYMMETRIC, block, target_dtype=torch.int8, quant_min=-128, quant_max=127, zero_point_dtype=torch.int8
    )
    levels = quantize_affine(x, block, scale, zero, output_dtype=torch.int8, quant_min=-128, quant_max=127)
    out: Tensor = dequantize_affine(levels, block, scale, zero, torch.int8, -128, 127, output_dtype=torch.float32)
    return out
