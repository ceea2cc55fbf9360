"""Exports in the runtimes themselves: parity with the ledger, low-bit kernels, and one line where a runtime is not installed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chordsim.cli import main
from chordsim.errors import UserError
from chordsim.runtime import extras, nbits, phone_file, xnnpack_bits
from chordsim.runtime.exporting import Job, export
from chordsim.runtime.from_run import Source
from chordsim.runtime.opened import opened
from chordsim.runtime.parity import check
from chordsim.runtime.reference.steps import Part, checksum, draw, pack, unpack
from chordsim.runtime.reference.vectors import differences
from tests.chordsim.runtime.small import MORE

Read = Callable[[str], Source]


def installed(runtime: extras.Runtime) -> None:
    lacking = extras.missing(runtime)
    if lacking:
        pytest.skip(f"needs chordsim[{runtime}]: {', '.join(lacking)} not installed")


@pytest.mark.parametrize("runtime", extras.RUNTIMES)
def test_without_its_packages_a_runtime_is_one_line(
    runtime: extras.Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    code = main(["export", str(tmp_path), "--method", "fp32", "--to", runtime, "--out", str(tmp_path / "out")])
    said = capfd.readouterr().err.strip().splitlines()
    assert code == 2 and len(said) == 1 and f"pip install 'chordsim[{runtime}]'" in said[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", ["fp32", "uniform-2", "chord", "chord-plus"])
@pytest.mark.parametrize("low_bits", ["expand", "kernel"])
def test_onnx_ranks_as_the_ledger_says(source: Read, tmp_path: Path, method: str, low_bits: str) -> None:
    installed("onnx")
    if method == "fp32" and low_bits == "kernel":
        with pytest.raises(UserError, match="fp32 has no low bits"):
            export(Job(source(method), "onnx", "kernel", tmp_path / "out"))
        return
    listing = export(Job(source(method), "onnx", "kernel" if low_bits == "kernel" else "expand", tmp_path / "out"))
    found = check(opened(tmp_path / "out", source(method)), 6)
    assert found.ids.size == 6 and not found.unexplained.any() and found.score_difference.max() < 1e-4
    assert listing["ledger_sha256"] == source(method).manifest["ledger_sha256"] and listing["seed"] == source(method).world.scenario.seed
    on_disk = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*.*") if path.name not in ("export.json", "vectors.json"))
    assert on_disk == sum(listing["files"].values()) + sum(entry["bytes"] for entry in listing["phones"])


@pytest.mark.parametrize("method", MORE)
def test_onnx_takes_the_user_and_plans_that_phones_made(more: Read, tmp_path: Path, method: str) -> None:
    installed("onnx")
    listing = export(Job(more(method), "onnx", "expand" if method == "fp32" else "kernel", tmp_path / "out"))
    found = check(opened(tmp_path / "out", more(method)), 6)
    assert found.ids.size == 6 and not found.unexplained.any() and found.score_difference.max() < 1e-4
    assert listing["inputs"] == ["items", *([] if method == "chord" else ["user"])]


def test_an_onnx_model_holds_a_weight_once_however_often_it_is_used(tmp_path: Path) -> None:
    installed("onnx")
    import torch

    from chordsim.runtime import on_onnx

    class Steps(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("weight", torch.arange(1024.0).reshape(32, 32) / 1024)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for _ in range(6):
                x = torch.tanh(torch.nn.functional.linear(x, self.get_buffer("weight")))
            return x

    module, given = Steps(), torch.ones(1, 1, 32)
    (tmp_path / "steps.onnx").write_bytes(on_onnx.converted(module, (given,), ["x"], "y"))
    assert 4096 < (tmp_path / "steps.onnx").stat().st_size < 2 * 4096
    assert np.allclose(on_onnx.Session(tmp_path / "steps.onnx").run([given.numpy()]), module(given).numpy(), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fp32", "uniform-2", "chord", "chord-plus", *(f"more {name}" for name in MORE)])
def test_executorch_ranks_as_the_ledger_says(source: Read, more: Read, tmp_path: Path, method: str) -> None:
    installed("executorch")
    told = more(method.removeprefix("more ")) if method.startswith("more ") else source(method)
    export(Job(told, "executorch", "expand", tmp_path / "out"))
    found = check(opened(tmp_path / "out", told), 6)
    assert found.ids.size == 6 and not found.unexplained.any() and found.score_difference.max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(("method", "bits"), [("int8", 8), ("uniform-2", 4)])
def test_xnnpack_multiplies_by_levels_where_activations_are_rounded(source: Read, tmp_path: Path, method: str, bits: int) -> None:
    installed("executorch")
    told = source(method)
    listing = export(Job(told, "executorch", "kernel", tmp_path / "out"))
    assert listing["form"] == "kernel" and list(listing["files"]) == ["program.pte"] and xnnpack_bits.kernel_bits(int(method[-1])) == bits
    found = check(opened(tmp_path / "out", told), 6)
    ids = told.served()[:6]
    # Near the simulator's scores, and not the same: 8 bits of activations are another model.
    assert 1e-7 < found.score_difference.max() < 0.05 * np.ptp(told.simulated(ids)[:, 1:])
    assert found.ids.tolist() == ids.tolist()


def test_xnnpack_has_no_kernel_for_a_plan(source: Read, tmp_path: Path) -> None:
    installed("executorch")
    with pytest.raises(UserError, match="--low-bits kernel of chord goes with --to onnx"):
        export(Job(source("chord"), "executorch", "kernel", tmp_path / "out"))


def test_a_phone_s_file_and_vectors_are_its_plan_s(source: Read, tmp_path: Path) -> None:
    installed("onnx")
    told = source("chord-plus")
    device = sorted(told.plans())[2]
    listing = export(Job(told, "onnx", "expand", tmp_path / "out", (device,)))
    (entry,) = listing["phones"]
    assert entry["device_id"] == device and bytes.fromhex(entry["plan"]) == told.plans()[device]
    said = phone_file.about(tmp_path / "out" / entry["file"])
    assert said["scenario"] == told.world.scenario.name and said["plan"] == entry["plan"] and said["method"] == "chord-plus"
    _, packed = phone_file.read(tmp_path / "out" / entry["file"], told.portable.parts)
    assert checksum(packed.bits, packed.levels, packed.scales) == entry["weights_sha256"]
    assert differences(tmp_path / "out" / "vectors.json") == (1, [])
    assert json.loads((tmp_path / "out" / "export.json").read_text()) == listing


def test_mistakes_are_one_line(source: Read, tmp_path: Path) -> None:
    installed("onnx")
    with pytest.raises(UserError, match="the run kept no plan of it"):
        export(Job(source("chord"), "onnx", "expand", tmp_path / "one", (10**6,)))
    with pytest.raises(UserError, match="the same on every phone"):
        export(Job(source("fp32"), "onnx", "expand", tmp_path / "two", (1,)))
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / "mine").write_text("")
    with pytest.raises(UserError, match="is not empty"):
        export(Job(source("fp32"), "onnx", "expand", tmp_path / "three"))


def test_a_layer_whose_rows_mix_widths_is_one_product_for_each(tmp_path: Path) -> None:
    installed("onnx")
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper

    part = Part("layer", 40, 300, 1.0)

    source = draw([part], 4)
    rng = np.arange(600, dtype=np.float32).reshape(2, 300) / 300 - 1
    nodes = [helper.make_node("Transpose", ["weight0"], ["t"], perm=[1, 0]), helper.make_node("MatMul", ["x", "t"], ["y"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", [2, 300]), ("weight0", [40, 300]))]
    graph = helper.make_graph(nodes, "g", ends, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 40])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    for codes in (np.arange(40) % 4, np.zeros(40), np.arange(40) % 2, np.full(40, 3), 3 - np.arange(40) // 10):
        packed = pack(source, codes.astype(np.uint8), (0, 2, 4, 7))
        made = nbits.with_kernels(model.SerializeToString(), packed, [part], None, ["weight0"])
        products = [node for node in onnx.load_model_from_string(made).graph.node if node.op_type == "MatMulNBits"]
        assert len(products) == max(len(set(codes.tolist()) - {0}), 1)
        session = onnxruntime.InferenceSession(made, providers=["CPUExecutionProvider"])
        assert np.allclose(session.run(None, {"x": rng})[0], rng @ unpack(packed, [part])[0].T, atol=1e-4)


def test_blocks_hold_every_level_where_the_kernel_looks() -> None:
    levels = np.array([[-1, 0, 1, 1, -1], [1, 1, 0, -1, 0]], np.int16)
    stored, block = nbits._blocks(levels, 2)
    assert block == 16 and stored.shape == (2, 1, 4)
    spread = (stored.reshape(2, 4, 1) >> np.array([0, 2, 4, 6], np.uint8)) & 3
    assert np.array_equal(spread.reshape(2, 16)[:, :5].astype(int) - 2, levels) and (spread.reshape(2, 16)[:, 5:] == 2).all()
    assert nbits._blocks(np.zeros((1, 336), np.int16), 2)[0].shape == (1, 2, 64)
