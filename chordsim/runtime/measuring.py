"""How long exported models take on this machine: one request at a time, on one thread, warm and cold, loading and making weights apart."""

from __future__ import annotations

import csv
import io
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from chordsim.population.latency import shape_text
from chordsim.runtime import on_executorch, on_onnx
from chordsim.runtime.exporting import Job, LowBits, export
from chordsim.runtime.extras import Runtime
from chordsim.runtime.from_run import Source
from chordsim.runtime.opened import opened
from chordsim.runtime.reference.steps import pack, unpack_codes
from chordsim.threads import threads_per_product

#: Phones whose programs or files are measured where each has its own.
_PHONES = 5
_LOADS = 5
#: The product that MobileNet spends most of its time on, in positions, inputs and outputs: phones' speeds are of such a network.
_USUAL = (196, 512, 512)


@dataclass(frozen=True)
class Line:
    """One line of the table; times in milliseconds, medians but for ``p95_ms``.

    Attributes:
        runtime: Its name and version.
        method: Whose model.
        form: How it was exported.
        shape: Of the model.
        bits: Stored bits per weight.
        ms: One request, warm.
        p95_ms: The same, exceeded by one of twenty.
        cold_ms: The first request after loading.
        load_ms: Loading program and weights, unpacking included.
        adapt_ms: Making weights of a plan with the numpy reference; 0 where they are shipped.
        overhead_ms: A program that computes nothing.
        mb: Program and weights on disk, 10^6 bytes.
        gmacs_per_s: This machine's speed at a product of MobileNet's, one thread.
        machine: What it is.
    """

    runtime: str
    method: str
    form: str
    shape: str
    bits: float
    ms: float
    p95_ms: float
    cold_ms: float
    load_ms: float
    adapt_ms: float
    overhead_ms: float
    mb: float
    gmacs_per_s: float
    machine: str


def measure(source: Source, runtime: Runtime, low_bits: LowBits, requests: int, machine: Machine) -> Line:
    """Export one method into a temporary folder and time it.

    Args:
        source: Method and run.
        runtime: Where it runs.
        low_bits: How low bits are kept.
        requests: Warm requests that are timed.
        machine: What was measured of this machine.
    """
    planned = source.portable.planned
    sent = source.plans() if planned is not None else {}
    devices = tuple(sorted(sent)[:_PHONES])
    with tempfile.TemporaryDirectory(prefix="chordsim-") as folder:
        listing = export(Job(source, runtime, low_bits, Path(folder) / "export", devices))
        held = opened(Path(folder) / "export", source)
        ids: list[int | None] = [*devices] if devices else [None]
        loads, colds, warm = [], [], []
        for device in ids:
            user = device if device is not None else int(source.served()[0])
            history = source.history(np.array([user])).items[0]
            for _ in range(_LOADS):
                began = time.perf_counter()
                loaded = held.load(device)
                loads.append(time.perf_counter() - began)
                inputs = [*held.inputs(history), *loaded.weights]
                colds.append(_once(lambda given=inputs, session=loaded.session: session.run(given)))  # type: ignore[misc]
            warm += [_once(lambda: loaded.session.run(inputs)) for _ in range(-(-requests // len(ids)))]  # noqa: B023
        adapts = [0.0]
        if planned is not None:
            rows = sum(part.rows for part in source.portable.parts)
            codes = [unpack_codes(sent[device], rows) for device in devices]
            adapts = [_once(lambda: pack(planned.source, plan, planned.widths)) for plan in codes]  # noqa: B023
    sizes = [entry["bytes"] for entry in listing["phones"]] or [0]
    bits = np.mean([entry["bits_mean"] for entry in listing["phones"]]) if listing["phones"] else source.context.settings.get("bits", 32)
    return Line(
        runtime=machine.runtime,
        method=source.spec.name,
        form=listing["form"],
        shape=shape_text(source.context.backbone, source.context.n_items),
        bits=round(float(bits), 3),
        ms=_ms(warm),
        p95_ms=round(float(np.quantile(warm, 0.95)) * 1e3, 4),
        cold_ms=_ms(colds),
        load_ms=_ms(loads),
        adapt_ms=_ms(adapts),
        overhead_ms=machine.overhead_ms,
        mb=round((sum(listing["files"].values()) + float(np.mean(sizes))) / 1e6, 4),
        gmacs_per_s=machine.gmacs_per_s,
        machine=machine.name,
    )


@dataclass(frozen=True)
class Machine:
    """What is measured once: the runtime's name and its overhead, the machine's name and speed."""

    runtime: str
    overhead_ms: float
    gmacs_per_s: float
    name: str


def this_machine(runtime: Runtime, version: str, requests: int) -> Machine:
    """Measure this machine.

    Args:
        runtime: Whose overhead.
        version: Of the runtime.
        requests: How often its empty program is called.
    """
    positions, inputs, outputs = _USUAL
    given, weight = torch.ones(positions, inputs), torch.ones(inputs, outputs)
    with threads_per_product(1):
        best = min(_once(lambda: given @ weight) for _ in range(50))
    with tempfile.TemporaryDirectory(prefix="chordsim-") as folder:
        items = torch.zeros(1, 1, dtype=torch.int64)
        if runtime == "executorch":
            path = Path(folder) / "nothing.pte"
            path.write_bytes(on_executorch.lowered(_Nothing(), (items,)))
            session: on_executorch.Session | on_onnx.Session = on_executorch.Session(path)
        else:
            path = Path(folder) / "nothing.onnx"
            path.write_bytes(on_onnx.converted(_Nothing(), (items,), ["items"], "out"))
            session = on_onnx.Session(path)
        nothing = [_once(lambda: session.run([items.numpy()])) for _ in range(requests)]
    speed = positions * inputs * outputs / best / 1e9
    return Machine(f"{runtime} {version}", _ms(nothing), round(speed, 2), f"{_processor()}, one thread")


class _Nothing(nn.Module):
    """A program that computes next to nothing."""

    def forward(self, items: Tensor) -> Tensor:
        return items.to(torch.float32) + 1


def as_csv(lines: Sequence[Line]) -> tuple[str, list[str]]:
    """Return lines as a table for ``population.latency``, and what was left out because another model has the same bits."""
    out, kept, dropped = io.StringIO(), dict[float, str](), []
    writer = csv.DictWriter(out, [field.name for field in fields(Line)], lineterminator="\n")
    writer.writeheader()
    for line in lines:
        if line.bits in kept:
            dropped.append(f"{line.method}: as many bits as {kept[line.bits]}, so its line is not in the table")
            continue
        kept[line.bits] = line.method
        writer.writerow(asdict(line))
    return out.getvalue(), dropped


def _once(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _ms(seconds: Sequence[float]) -> float:
    return round(float(np.median(seconds)) * 1e3, 4)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
