"""Spec of `otaro`: one model for all widths; each phone drops mantissa bits until it fits. Not personalised.

Source: OTARo (arXiv 2511.13147), abstract and a secondary review; there for language models.
Published: a group of weights shares its largest exponent, mantissas are truncated, so that a lower precision is
the same bytes with bits dropped and no scale of its own; straight-through gradients; the width of each step is
chosen by a score that explores and exploits; at low widths gradients are accumulated and applied late.
Inference: groups of 64 along the fan-in; widths 8, 4, 3 and 2; the score of a width is the running norm of its
gradient (what there is left to learn there) plus an upper confidence term; 4 accumulated steps at 3 bits and less.
Training starts from `fp32`, as the paper fine-tunes. The phone takes the widest width that its budgets allow.
"""

from __future__ import annotations

from chordsim.methods import UP_REPORT, MethodSpec


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return MethodSpec(
        name, "one model trained for all widths; a phone truncates mantissas to what fits", (UP_REPORT,),
        "server.methods.otaro:OtaroCloud", "clients.methods.otaro:OtaroDevice", {"widths": [2, 3, 4, 8], "late": 4},
    )  # fmt: skip
