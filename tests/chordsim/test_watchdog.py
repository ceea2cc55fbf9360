"""What a process started ends with it, whatever ends it, and no folder that it named outlives it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from chordsim import signals
from chordsim.api import RunResult
from chordsim.report.source import Source
from chordsim.store.directory import RunDirectory
from chordsim.watchdog import MARK, Watchdog, marked

TEST_MARK = "CHORDSIM_TEST_MARK"
#: Whoever runs the tests in the background may ignore some of these, which children inherit.
HEED = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_DFL), signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
PARENT = f"""{HEED}
import os, subprocess, sys, time
from pathlib import Path
from chordsim.watchdog import Watchdog
folder = Path(sys.argv[1])
with Watchdog([folder]) as dog:
    (folder / "node.key").write_text("secret")
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)"
    subprocess.Popen([sys.executable, "-c", child], env={{**os.environ, **dog.mark}}, start_new_session=True)
    print(dog.mark["CHORDSIM_ENDS_WITH"], flush=True)
    time.sleep(float(sys.argv[2]))
"""


def wait(ready, what: str, limit_s: float = 10.0) -> None:
    deadline = time.monotonic() + limit_s
    while not ready():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_children_and_keys_end_with_their_parent(how: signal.Signals, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    command = [sys.executable, "-c", PARENT, str(folder), "600"]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert parent.stdout is not None
    mark = parent.stdout.readline().strip()
    wait(lambda: len(marked(mark)) == 2, "a child and its child")
    parent.send_signal(how)
    parent.wait()
    if how != signal.SIGINT:  # by which the block ends in order, and clears up what it likes
        wait(lambda: not folder.exists() and not marked(mark), "processes and keys are gone")
    for pid in marked(mark):
        os.kill(pid, signal.SIGKILL)


def test_an_end_in_order_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with Watchdog([tmp_path / "kept"]) as dog:
        other = subprocess.Popen(["sleep", "600"], env={**os.environ, **dog.mark})
        assert marked(dog.mark[MARK]) == [other.pid]
    assert (tmp_path / "kept").exists() and other.poll() is None
    other.kill()
    other.wait()


def test_a_program_that_is_just_being_loaded_carries_its_mark() -> None:
    # Linux shows its environment as empty for an instant after Popen has returned: of two busy cores one in four was missed.
    for turn in range(100):
        value = f"{os.getpid()}-loaded-{turn}"
        other = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: value})
        found = marked(value)
        other.kill()
        other.wait()
        assert found == [other.pid]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_as_ctrl_c_does(how: signal.Signals) -> None:
    mine = signal.signal(how, signal.SIG_DFL)  # a background shell may have it ignored
    before = signal.getsignal(how)
    closed = []
    with pytest.raises(KeyboardInterrupt), signals.as_interrupts():
        try:
            os.kill(os.getpid(), how)
            time.sleep(5)
        finally:
            os.kill(os.getpid(), how)  # a second one does not disturb what is being closed
            closed.append(True)
    assert closed and signal.getsignal(how) == before
    signal.signal(how, mine)


def test_one_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        with signals.as_interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_manifest_that_says_running_of_a_dead_process_is_recognised(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path / "run", name="x", seed=1) as run:
        run.write_scenario("")
        run.write_manifest("running", schema_version=Schema())
        assert RunResult(run.path).status == Source.read(run.path).status == "running"
    assert RunResult(tmp_path / "run").status == "interrupted"
    source = Source.read(tmp_path / "run")
    assert source.status == "interrupted" and "gone without a word" in source.manifest["errors"][-1]


class Schema(int):
    """The ledger's schema, as a manifest has it."""

    def __new__(cls) -> Schema:
        from chordsim.ledger.columns import SCHEMA_VERSION

        return super().__new__(cls, SCHEMA_VERSION)


CLI = [sys.executable, "-c", f"{HEED}import sys; from chordsim.cli import main; sys.exit(main(sys.argv[1:]))"]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["inprocess", "ray"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_no_process_and_no_folder(
    how: signal.Signals, engine: str, tiny: Any, tmp_path: Path, shared_cache: Path
) -> None:
    # Ray's sockets want a short path.
    out, temporary = tmp_path / "run", Path(tempfile.mkdtemp(prefix="end-", dir="/tmp"))
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    more = ("data.synthetic.mean_length=300", "data.synthetic.items=400", "rounds.count=150")
    sets = [word for text in tiny(*more, methods=("fp32", "chord-plus")) for word in ("--set", text)]
    command = [*CLI, "run", "offline", *sets, "--engine", engine, "--workers", "2", "--out", str(out)]
    environment = {**os.environ, "TMPDIR": str(temporary), TEST_MARK: mark, "CHORDSIM_CACHE": str(shared_cache)}
    run = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        wait(lambda: (out / "rounds.csv").exists() or run.poll() is not None, "the run plays", 600)
        run.send_signal(how)
        _, said = run.communicate(timeout=60)
        assert run.returncode == (-9 if how == signal.SIGKILL else 130), said
        wait(lambda: not marked(mark, TEST_MARK), "all processes are gone")
        ours = "chordsim-" if how != signal.SIGKILL else "chordsim-ray-"  # a folder with a scenario's text is no harm
        assert not list(temporary.glob(f"{ours}*"))
        assert RunResult(out).status == "interrupted"
    finally:
        for pid in marked(mark, TEST_MARK):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(temporary)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_a_deployment_that_is_ended_leaves_no_process_and_no_key(
    how: signal.Signals, tiny: Any, tmp_path: Path, shared_cache: Path
) -> None:
    temporary, mark = tmp_path / "tmp", f"{os.getpid()}-{time.monotonic_ns()}"
    temporary.mkdir()
    sets = [word for text in tiny(methods=("popularity",)) if "chunk_size" not in text for word in ("--set", text)]
    command = [*CLI, "deploy", "offline", "--nodes", "3", *sets, "--out", str(tmp_path / "run")]
    environment = {**os.environ, "TMPDIR": str(temporary), TEST_MARK: mark, "CHORDSIM_CACHE": str(shared_cache)}
    log = tmp_path / "said"
    with open(log, "w") as out:
        run = subprocess.Popen(command, env=environment, stderr=out, stdout=out)
    try:
        wait(lambda: "nodes online" in log.read_text() or run.poll() is not None, "three nodes", 600)
        assert run.poll() is None and len(list(temporary.rglob("*.key"))) == 4, log.read_text()
        time.sleep(3 if how == signal.SIGKILL else 0)  # so that apps run on the nodes, too
        run.send_signal(how)
        assert run.wait(30) == (-9 if how == signal.SIGKILL else 130)
        wait(lambda: not marked(mark, TEST_MARK), "all processes are gone")
        assert not list(temporary.rglob("*.key")) and not list(temporary.glob("chordsim-deploy-*"))
    finally:
        for pid in marked(mark, TEST_MARK):
            os.kill(pid, signal.SIGKILL)
