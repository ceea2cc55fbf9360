"""Arguments that several commands share."""

from __future__ import annotations

# What an argument means is told again in each command's own text: click 8.5 loses the help of arguments.
from typing import Annotated, Literal

import typer

ScenarioArgument = Annotated[str, typer.Argument(metavar="SCENARIO", help="A shipped name (see `chordsim scenarios`) or a path.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set one key of the scenario; may be repeated.")]
SeedOption = Annotated[int | None, typer.Option("--seed", min=0, help="Take the place of the scenario's seed.")]
UncheckedOption = Annotated[
    bool, typer.Option("--unchecked", help="Read the run without holding its files against their checksums; what is made then says so.")
]
RuntimeOption = Annotated[Literal["executorch", "onnx"], typer.Option("--to", help="The runtime.")]
LowBitsOption = Annotated[
    Literal["expand", "kernel"],
    typer.Option("--low-bits", help="expand: packed at rest, floats when loaded. kernel: the runtime multiplies by levels."),
]
