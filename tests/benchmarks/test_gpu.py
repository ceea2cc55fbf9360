"""The benchmark of a GPU says in one line that there is none, and measures whatever device it is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import gpu  # noqa: E402
from chordsim.kernels.accelerator import accelerator  # noqa: E402


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_where_there_is_no_gpu_one_line_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main([]) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1 and "engine.device" in said.err


def test_phones_are_counted_over_whole_chunks() -> None:
    assert gpu.phones_per_second(accelerator("cpu"), 2, 0.0) == 0.0
    assert gpu.phones_per_second(accelerator("cpu"), 2, 0.01) > 0


@pytest.mark.slow
def test_device_rounds_are_played_and_their_parts_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = dict(gpu.device_rounds("cpu", 800, tmp_path / "run"))
    assert set(parts) == {"start-up", "first round to closed ledger", "page and the rest"} and min(parts.values()) > 0
    assert "800 device-rounds" in capsys.readouterr().out
