"""`chordsim measure`: how long a run's models take in a phone runtime on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chordsim.cli.options import LowBitsOption, RuntimeOption


def measure(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The table to write.")] = Path("latency.csv"),
    to: RuntimeOption = "executorch",
    method: Annotated[list[str] | None, typer.Option("--method", metavar="M", help="One method; may be repeated. All by default.")] = None,
    low_bits: LowBitsOption = "expand",
    requests: Annotated[int, typer.Option("--requests", min=1, max=100_000, help="Warm requests that are timed.")] = 300,
    told: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="M=FILE",
            help="Do not measure: read a method's seconds from what a runtime's own tool wrote on a phone (ExecuTorch's "
            "benchmark_results.json or ETDump, ONNX Runtime's profile); may be repeated.",
        ),
    ] = None,
    tier: Annotated[
        str, typer.Option("--tier", metavar="T", help="With --from: the tier whose phone it was. Else seconds are scaled.")
    ] = "",
) -> None:
    """Time a run's models in a phone runtime: one request at a time, one thread, warm and cold, loading apart.

    RUN is a run directory. The table is what population.latency reads; methods that cannot be exported are named and left out. With
    --from, the table is made of files that the runtimes' own tools wrote.
    """
    if told:
        _read(run, out, told, tier)
        return
    from chordsim.errors import UserError
    from chordsim.files import atomic_write
    from chordsim.runtime.extras import need, versions
    from chordsim.runtime.from_run import source_of
    from chordsim.runtime.in_words import measured_table
    from chordsim.runtime.measuring import as_csv, this_machine
    from chordsim.runtime.measuring import measure as time_one
    from chordsim.scenario.load import load
    from chordsim.terminal import Terminal, screen

    need(to)
    if not (run / "scenario.toml").is_file():
        raise UserError(f"{run}: not a run directory: no scenario.toml in it")
    console, lines, notes = screen(), [], []
    machine = this_machine(to, versions(to)["executorch" if to == "executorch" else "onnxruntime"], requests)
    for name in method or load(run / "scenario.toml").methods:
        try:
            with Terminal() as progress:
                source = source_of(run, name, progress)
            whole = source.portable.weights is not None
            lines.append(time_one(source, to, "expand" if whole else low_bits, requests, machine))
        except UserError as error:
            if method:
                raise
            notes.append(str(error))
    if not lines:
        raise UserError(f"{run}: no method of this run can be measured: {notes[0]}")
    text, dropped = as_csv(lines)
    atomic_write(out, text.encode())
    console.print(measured_table(lines))
    for line in [*notes, *dropped, f"table written to {out}: --set 'population.latency=\"{out}\"' makes phones' seconds follow it"]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _read(run: Path, out: Path, told: list[str], tier: str) -> None:
    """Make a table of files that runtimes' own tools wrote."""
    from chordsim.errors import UserError
    from chordsim.files import atomic_write
    from chordsim.runtime.foreign import as_csv, line, timing
    from chordsim.runtime.from_run import source_of
    from chordsim.terminal import Terminal, screen

    lines = []
    for given in told:
        method, sign, path = given.partition("=")
        if not sign or not method or not path:
            raise UserError(f"--from {given!r}: give METHOD=FILE, as in --from uniform-4=benchmark_results.json")
        found = timing(Path(path))
        with Terminal() as progress:
            source = source_of(run, method, progress)
        if tier and tier not in source.world.scenario.population.tiers:
            raise UserError(f"--tier {tier!r}: the run has {', '.join(source.world.scenario.population.tiers)}")
        lines.append(line(source, found, tier))
    atomic_write(out, as_csv(lines).encode())
    for made in lines:
        said = f"{made['method']}: {made['ms']} ms a request, {made['load_ms']} ms to load, {made['bits']} bits ({made['runtime']})"
        screen().print(said, highlight=False, markup=False, soft_wrap=True)
    screen().print(f"table written to {out}", highlight=False, markup=False, soft_wrap=True)
