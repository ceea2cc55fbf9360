"""Helpers of the engine tests: finding, killing and counting worker processes; a method that makes trouble."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.laid_out import laid_out

MARK = "CHORDSIM_TEST_MARK"

TROUBLE = '''"""A third party's method: the device half of fp32, which raises, hangs, dies or takes memory when a file says so."""
import dataclasses, os, time
from pathlib import Path
from chordsim.methods.shipped.spec import fp32
from chordsim.methods import load
from chordsim.methods.shipped import cloud as shipped

INNER = fp32("fp32")

def spec(name):
    return dataclasses.replace(INNER, name=name, device="trouble:Device")

class Device:
    def __init__(self, context):
        self.inner = load(INNER.device)(dataclasses.replace(context, name="fp32"))
    def load(self, blobs):
        return self.inner.load(blobs)
    def act(self, model, state, leg, who, history, inbox):
        orders = Path(os.environ["CHORDSIM_TEST_ORDERS"])
        what, devices = orders.read_text().split() if orders.exists() else ("", "0")
        if what and int(devices) in who.device_ids and who.round == 1:
            if what == "raise": raise ValueError("this phone makes trouble")
            if what == "hang": time.sleep(3600)
            if what == "exit": os._exit(3)
            if what == "swell":
                held = b"x" * int(float(os.environ["CHORDSIM_TEST_SWELL"]))
                time.sleep(60)
        return self.inner.act(model, state, leg, who, history, inbox)
'''


@pytest.fixture
def trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Install the method ``trouble`` and return what gives it orders: "raise 3" is to raise where device 3 plays round 1."""
    home = tmp_path / "site"
    laid_out(home, "trouble", "chordsim.methods", "trouble = trouble:spec")
    (home / "trouble.py").write_text(TROUBLE)
    monkeypatch.syspath_prepend(str(home))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(home), os.environ.get("PYTHONPATH", "")])))
    monkeypatch.setenv("CHORDSIM_TEST_ORDERS", str(tmp_path / "orders"))
    sys.modules.pop("trouble", None)
    return lambda orders: (tmp_path / "orders").write_text(orders) and None


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[psutil.Process]]:
    """Mark the processes that this test starts, and return what lists those that live, without this one."""
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv(MARK, mark)

    def living() -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.pid != os.getpid() and process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    return living


@pytest.fixture
def strike(marked: Callable[[], list[psutil.Process]]) -> Callable[..., contextlib.AbstractContextManager[list[int]]]:
    """Return a context in which workers get a signal while they answer; it gives the pids that were hit."""

    @contextlib.contextmanager
    def striking(times: int, what: signal.Signals = signal.SIGKILL, method: str = "ray::Worker.answer") -> Iterator[list[int]]:
        hit: list[int] = []
        over = threading.Event()

        def watch() -> None:
            # An answer takes milliseconds, and so does a look at all processes: workers are looked for now and then, and at all the time.
            workers, next_look = list[psutil.Process](), 0.0
            while not over.wait(0.0005) and len(hit) < times:
                if time.monotonic() >= next_look:
                    workers, next_look = [p for p in marked() if title(p).startswith("ray::Worker")], time.monotonic() + 0.1
                for process in workers:
                    if process.pid not in hit and len(hit) < times and method in title(process):
                        with contextlib.suppress(psutil.Error):
                            process.send_signal(what)
                            hit.append(process.pid)

        with beside(watch, over):
            yield hit

    return striking


@pytest.fixture
def harass(marked: Callable[[], list[psutil.Process]]) -> Callable[..., contextlib.AbstractContextManager[list[int]]]:
    """Return a context in which a worker is killed every now and then, at work or idle; it gives the pids that were hit."""

    @contextlib.contextmanager
    def harassing(times: int, seed: int, gap_s: tuple[float, float]) -> Iterator[list[int]]:
        hit: list[int] = []
        over, draw = threading.Event(), random.Random(seed)

        def loaded(process: psutil.Process) -> bool:
            # One that is still loading has no call that it could lose; three lost starts in a row give a worker up.
            return title(process).startswith("ray::Worker") and "__init__" not in title(process)

        def watch() -> None:
            while len(hit) < times and not over.wait(draw.uniform(*gap_s)):
                with contextlib.suppress(psutil.Error):
                    workers = [p for p in sorted(marked(), key=lambda p: p.pid) if p.pid not in hit and loaded(p)]
                    if workers:
                        chosen = draw.choice(workers)
                        chosen.kill()
                        hit.append(chosen.pid)

        with beside(watch, over):
            yield hit

    return harassing


def title(process: psutil.Process) -> str:
    """Return what a process calls itself; nothing of one that is gone."""
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


@contextlib.contextmanager
def beside(watch: Callable[[], None], over: threading.Event) -> Iterator[None]:
    """Watch in a thread of its own until the block ends."""
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def gone(living: Callable[[], list[psutil.Process]], within_s: float = 20.0) -> bool:
    """Return whether no process is left after a while."""
    deadline = time.monotonic() + within_s
    while left := living():
        if time.monotonic() > deadline:
            print("left:", [(p.pid, p.name()) for p in left])
            return False
        time.sleep(0.1)
    return True


@pytest.fixture
def nothing_left(marked: Callable[[], list[psutil.Process]]) -> Callable[[], bool]:
    """Return a question: is no process of this test left?"""
    return lambda: gone(marked)
