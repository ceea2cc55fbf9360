"""What a runtime's own tools measured, on a phone or elsewhere: three public formats read as milliseconds of one model.

- ExecuTorch's benchmark app (extension/benchmark, `benchmark_results.json`): a list of metrics with `benchmarkModel`.
- ONNX Runtime's profile (`SessionOptions.enable_profiling`, `onnxruntime_perf_test -p`): a list of trace events, microseconds.
- ExecuTorch's ETDump (file identifier ED00), nanoseconds where the runtime's clock gives them, as on Linux and Android. It is read by
  ExecuTorch itself.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chordsim.door import read_regular
from chordsim.errors import DataError, UserError
from chordsim.population.latency import shape_text
from chordsim.runtime.exporting import bits_mean
from chordsim.runtime.extras import need
from chordsim.runtime.from_run import Source
from chordsim.runtime.reference.steps import unpack_codes

#: Columns of the table that is made of such files.
COLUMNS = ("runtime", "method", "shape", "bits", "ms", "cold_ms", "load_ms", "tier")
#: Plans whose mean bits stand for a method's.
_PHONES = 5
_LARGEST = 1 << 28
_KNOWN = "ExecuTorch's benchmark_results.json or ETDump, or ONNX Runtime's profile"


@dataclass(frozen=True)
class Timing:
    """One model's milliseconds, as a file tells them.

    Attributes:
        tool: Which tool, and the device where the file names it.
        ms: One request: the mean without the slowest and fastest tenth of the benchmark app, else the median behind the first request.
        cold_ms: The first request; 0 where it is not told.
        load_ms: Loading the program; 0 where it is not told.
    """

    tool: str
    ms: float
    cold_ms: float
    load_ms: float


def timing(path: Path) -> Timing:
    """Read a file of any of the three formats.

    Raises:
        DataError: Not such a file, one beyond 256 MiB, or one without a single request; names the file.
        UserError: An ETDump, and ExecuTorch is not installed.
    """
    data = read_regular(path, _LARGEST)
    # ExecuTorch 1.5.1 writes the size in front, other writers of the same format do not.
    for at in (8, 4):
        if data[at : at + 4] == b"ED00":
            return _etdump(path, data, at == 8)
    try:
        # An ONNX profile of a process that was killed has no closing bracket, which JSON needs and trace viewers do not.
        text = data.decode().rstrip().rstrip(",")
        told = json.loads(text if text.endswith("]") else text + "]")
    except (ValueError, RecursionError):
        told = None
    entries = [entry for entry in told if isinstance(entry, dict)] if isinstance(told, list) else []
    if any("benchmarkModel" in entry for entry in entries):
        return _benchmark(path, entries)
    if any("dur" in entry for entry in entries):
        return _profile(path, entries)
    raise DataError(f"{path}: neither {_KNOWN}")


def _benchmark(path: Path, entries: list[dict[str, Any]]) -> Timing:
    metrics = {str(entry.get("metric")): _number(entry.get("actualValue")) for entry in entries}
    ms = metrics.get("trimmean_inference_latency(ms)") or metrics.get("avg_inference_latency(ms)") or 0.0
    device: dict[str, Any] = next((entry["deviceInfo"] for entry in entries if isinstance(entry.get("deviceInfo"), dict)), {})
    where = " ".join(str(device[name]) for name in ("device", "arch", "os") if device.get(name))
    return _checked(path, Timing(f"executorch benchmark app {where}".strip(), ms, 0.0, metrics.get("model_load_time(ms)") or 0.0))


def _profile(path: Path, entries: list[dict[str, Any]]) -> Timing:
    def durations(name: str) -> list[float]:
        return [_number(entry.get("dur")) / 1e3 for entry in entries if entry.get("name") == name]

    runs = durations("model_run")
    load = sum(durations("model_loading_uri")) + sum(durations("session_initialization"))
    return _checked(path, Timing("onnxruntime profile", _warm(runs), runs[0] if runs else 0.0, load))


def _etdump(path: Path, data: bytes, prefixed: bool) -> Timing:
    need("executorch")
    from executorch.devtools.etdump.serialize import deserialize_from_etdump_flatcc

    try:
        runs = deserialize_from_etdump_flatcc(data, prefixed).run_data
    except Exception as error:  # a decoder's errors are of every kind
        raise DataError(f"{path}: ExecuTorch cannot read this ETDump: {type(error).__name__}") from error
    events = [event.profile_event for run in runs for event in run.events or () if event.profile_event is not None]

    def durations(name: str) -> list[float]:
        return [(event.end_time - event.start_time) / 1e6 for event in events if event.name == name]

    requests = durations("Method::execute")
    return _checked(
        path, Timing("executorch ETDump", _warm(requests), requests[0] if requests else 0.0, sum(durations("Program::load_method")))
    )


def _warm(runs: Sequence[float]) -> float:
    return float(np.median(runs[1:] or runs)) if runs else 0.0


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _checked(path: Path, found: Timing) -> Timing:
    if not (math.isfinite(found.ms) and found.ms > 0):
        raise DataError(f"{path}: no request in it")
    if not all(math.isfinite(value) and value >= 0 for value in (found.cold_ms, found.load_ms)):
        raise DataError(f"{path}: a time that is no number of milliseconds")
    return found


def line(source: Source, found: Timing, tier: str) -> dict[str, object]:
    """Return one line of a table for ``population.latency``.

    Args:
        source: The method whose model was measured.
        found: What its file says.
        tier: Whose phone it was; empty for a machine that seconds are scaled from.

    Raises:
        UserError: The run kept no plan of the method, so nobody knows how many bits its models have.
    """
    planned, bits = source.portable.planned, float(source.context.settings.get("bits", 32))
    if planned is not None:
        rows, sent = sum(part.rows for part in source.portable.parts), source.plans()
        if not sent:
            raise UserError(f"{source.run}: the run kept no plan of {source.spec.name}, so its stored bits are not known")
        some = [planned.packed(unpack_codes(sent[device], rows)) for device in sorted(sent)[:_PHONES]]
        bits = float(np.mean([bits_mean(source.portable, packed) for packed in some]))
    shape = shape_text(source.context.backbone, source.context.n_items)
    times = (round(value, 4) for value in (found.ms, found.cold_ms, found.load_ms))
    return dict(zip(COLUMNS, (found.tool, source.spec.name, shape, round(bits, 3), *times, tier), strict=True))


def as_csv(lines: Sequence[dict[str, object]]) -> str:
    """Return lines as a table."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()
