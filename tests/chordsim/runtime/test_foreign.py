"""What runtimes' own tools wrote becomes lines of a latency table; anything else is one line that names the file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chordsim.cli import main
from chordsim.errors import DataError
from chordsim.runtime import extras
from chordsim.runtime.foreign import Timing, timing
from chordsim.runtime.from_run import Source

Read = Callable[[str], Source]
MODEL = {"name": "program", "backend": "", "quantization": ""}
DEVICE = {"device": "google", "arch": "Pixel 8", "os": "Android 15", "totalMem": 0, "availMem": 0}


def app(**metrics: float) -> list[dict[str, object]]:
    """What ExecuTorch's benchmark app writes."""
    return [
        {"benchmarkModel": MODEL, "metric": f"{name}(ms)", "actualValue": value, "targetValue": 0.0, "deviceInfo": DEVICE}
        for name, value in metrics.items()
    ]


def written(tmp_path: Path, value: object) -> Path:
    path = tmp_path / "told.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_the_benchmark_app_s_middle_requests_count(tmp_path: Path) -> None:
    told = app(avg_inference_latency=0.9, trimmean_inference_latency=0.4, model_load_time=3.5)
    assert timing(written(tmp_path, told)) == Timing("executorch benchmark app google Pixel 8 Android 15", 0.4, 0.0, 3.5)
    assert timing(written(tmp_path, app(avg_inference_latency=0.9))).ms == 0.9


def test_a_profile_s_first_request_is_the_cold_one(tmp_path: Path) -> None:
    spans = [("model_loading_uri", 900), ("session_initialization", 2100), *(("model_run", us) for us in (700, 200, 300, 250))]
    told = [{"cat": "Session", "ph": "X", "ts": 0, "name": name, "dur": us} for name, us in spans]
    expected = Timing("onnxruntime profile", 0.25, 0.7, 3.0)
    assert timing(written(tmp_path, told)) == expected
    # A process that ended early leaves the list open.
    assert timing(written(tmp_path, json.dumps(told)[:-1] + ",\n")) == expected


@pytest.mark.parametrize(
    "told",
    [
        "",
        "no",
        "{}",
        "[]",
        "[1]",
        [{"name": "model_run"}],
        app(model_load_time=3.0),
        app(avg_inference_latency=float("nan")),
        app(avg_inference_latency=-1.0),
    ],
)
def test_anything_else_is_one_line(tmp_path: Path, told: object) -> None:
    with pytest.raises(DataError) as caught:
        timing(written(tmp_path, told))
    assert "told.json" in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="/dev/zero: not a file, but a device"):
        timing(Path("/dev/zero"))  # which never ends
    with pytest.raises(DataError, match="no such file"):
        timing(tmp_path / "told.json")


def test_a_table_of_phones_own_files_is_one_that_a_scenario_reads(
    run: Path, source: Read, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, out = written(tmp_path, app(avg_inference_latency=0.5, model_load_time=2.0)), tmp_path / "latency.csv"
    asked = ["measure", str(run), "--from", f"fp32={path}", "--from", f"chord-plus={path}", "--out", str(out)]
    assert main([*asked, "--tier", "low"]) == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    model = source("fp32").world.population.model
    assert model is not None and [row["shape"] for row in rows] == [model.shape] * 2
    assert [(row["method"], row["tier"], float(row["ms"])) for row in rows] == [("fp32", "low", 0.5), ("chord-plus", "low", 0.5)]
    assert float(rows[0]["bits"]) == 32 and 0 < float(rows[1]["bits"]) < 8
    assert main(asked) == 0 and main(["recost", str(run), "--set", f'population.latency="{out}"']) == 0
    assert main([*asked, "--tier", "lowest"]) == 2 and "the run has low, mid, high" in capfd.readouterr().err
    assert main(["measure", str(run), "--from", "fp32", "--out", str(out)]) == 2 and "METHOD=FILE" in capfd.readouterr().err


def test_onnx_runtime_s_own_profile_is_read(tmp_path: Path) -> None:
    if extras.missing("onnx"):
        pytest.skip(f"needs chordsim[onnx]: {', '.join(extras.missing('onnx'))} not installed")
    import onnxruntime
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Abs", ["x"], ["y"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "profile")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    for _ in range(5):
        session.run(None, {"x": np.ones(4, np.float32)})
    found = timing(Path(session.end_profiling()))
    assert found.tool == "onnxruntime profile" and 0 < found.ms < 1e3 and found.cold_ms > 0 and found.load_ms > 0


@pytest.mark.slow
def test_an_etdump_is_read(tmp_path: Path) -> None:
    if extras.missing("executorch"):
        pytest.skip(f"needs chordsim[executorch]: {', '.join(extras.missing('executorch'))} not installed")
    import torch
    from executorch.runtime import Runtime

    from chordsim.runtime import on_executorch
    from chordsim.runtime.measuring import _Nothing

    (tmp_path / "nothing.pte").write_bytes(on_executorch.lowered(_Nothing(), (torch.zeros(1, 1, dtype=torch.int64),)))
    program = Runtime.get().load_program(tmp_path / "nothing.pte", enable_etdump=True, debug_buffer_size=0)
    method = program.load_method("forward")
    for _ in range(5):
        method.execute([torch.zeros(1, 1, dtype=torch.int64)])
    program.write_etdump_result_to_file(str(tmp_path / "x.etdp"), str(tmp_path / "x.bin"))
    found = timing(tmp_path / "x.etdp")
    assert found.tool == "executorch ETDump" and 0 < found.ms < 1e3 and found.load_ms > 0
    (tmp_path / "cut.etdp").write_bytes((tmp_path / "x.etdp").read_bytes()[:40])
    with pytest.raises(DataError, match=r"cut.etdp: ExecuTorch cannot read this ETDump"):
        timing(tmp_path / "cut.etdp")
