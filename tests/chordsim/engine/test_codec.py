"""Messages survive the way to a worker, blobs apart; and `flwr run` gets an environment of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Error, Message
from hypothesis import given
from hypothesis import strategies as st

from chordsim.cli import main
from chordsim.engine import codec, flower_env
from chordsim.engine.cell import CellCall, pack_columns, unpack_columns
from chordsim.engine.grid import LocalGrid
from chordsim.engine.records import ACTION, call_from_record, call_to_record
from chordsim.ragged import Ragged

ROWS = st.lists(st.binary(max_size=40), min_size=1, max_size=6)
BLOBS = st.dictionaries(st.text("abc", min_size=1), st.binary(max_size=99))


@given(rows=ROWS, blobs=BLOBS)
def test_a_call_comes_out_as_it_went_in(rows: list[bytes], blobs: dict[str, bytes]) -> None:
    grid = LocalGrid(3)
    columns = {"device_id": np.arange(len(rows))}
    call = CellCall(7, {"round": 2}, columns, {"prescription": Ragged.of_rows(rows)}, blobs)
    message = grid.number(Message(call_to_record(call), grid.get_node_ids()[1], ACTION, group_id="7"))
    data, taken = codec.encode(message)
    assert taken == blobs
    back = codec.decode(data, taken)
    assert back.metadata.message_id == message.metadata.message_id and back.metadata.dst_node_id == message.metadata.dst_node_id
    read = call_from_record(back.content)
    assert (read.cell, read.header, read.blobs) == (7, {"round": 2}, blobs)
    assert [bytes(read.wire["prescription"][n]) for n in range(len(rows))] == rows
    assert (read.columns["device_id"] == columns["device_id"]).all()
    reply = codec.decode(codec.encode(Message(Error(2, "no"), reply_to=back))[0])
    assert reply.error.reason == "no" and reply.metadata.reply_to_message_id == message.metadata.message_id


def test_columns_that_lie_in_memory_in_another_order_arrive_as_they_were() -> None:
    """safetensors 0.8 writes memory as it lies, without a word: of every second row, the first ones."""
    block = np.arange(24.0).reshape(4, 6)
    columns = {"turned": block.T, "steps": block[:, ::2], "column": block[:, 3], "fortran": np.asfortranarray(block), "one": np.array(7)}
    back = unpack_columns(pack_columns(columns))
    assert all(np.array_equal(back[name], column) for name, column in columns.items()) and back.keys() == columns.keys()


def test_blobs_do_not_travel_in_the_message() -> None:
    grid = LocalGrid(1)
    call = CellCall(0, {}, {"device_id": np.arange(1)}, {}, {"digest": bytes(100_000)})
    assert len(codec.encode(grid.number(Message(call_to_record(call), 2, ACTION)))[0]) < 1_000


def test_the_environment_of_flwr_run_can_be_read_by_a_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flwr-env", "--home", str(tmp_path / "a b")]) == 0
    said = capsys.readouterr().out
    assert f"export FLWR_HOME='{tmp_path / 'a b'}'" in said and "export FLWR_TELEMETRY_ENABLED=0" in said


def test_nothing_to_stop_is_no_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert flower_env.superlinks(tmp_path) == []
    assert main(["flwr-stop", "--home", str(tmp_path)]) == 0
    assert "no SuperLink" in capsys.readouterr().out


def test_a_superlink_is_found_however_narrow_the_terminal(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    told = ["flower-superlink", "--database", str(tmp_path / "local-superlink" / "state.db")]
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", *told]) as process:
        try:
            assert flower_env.superlinks(tmp_path) == [process.pid]
        finally:
            process.kill()
