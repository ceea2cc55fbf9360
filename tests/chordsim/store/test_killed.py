"""SIGKILL of a real process at random moments: what is resumed equals what was never broken."""

import multiprocessing
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from chordsim import api

ML_100K = [
    'data.source="ml-100k"',
    'methods=["fp32", "chord-plus", "cloud-only"]',
    "training.max_steps=40",
    "training.eval_every=20",
    "rounds.count=6",
    "clock.loss=0.1",
    "engine.workers=1",
    "engine.chunk_size=256",
    "backbone.max_len=20",
]


def play(cache, data, **what):
    """Run in a process of its own."""
    os.environ["CHORDSIM_CACHE"] = cache
    os.environ.update({"CHORDSIM_DATA": data} if data else {})
    os.nice(19)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    api.run(**what)


@pytest.fixture(scope="module")
def processes():
    """Return a context whose processes start quickly: what is imported is imported once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["server.app", "clients.app", "server.rounds", "chordsim.api"])
    return context


def kill_at_random_moments(processes, overrides, folder, *, kills, data="", seed=7):
    """Kill ``kills`` runs, each once, resume each, and return (hash of the unbroken run, hashes of the resumed ones, moments)."""
    moments = random.Random(seed)
    cache = str(folder / "cache")

    def start(**what):
        process = processes.Process(target=play, args=(cache, data), kwargs=what)
        process.start()
        return process

    def finished(**what):
        process = start(**what)
        process.join(600)
        assert process.exitcode == 0, what

    finished(scenario="offline", overrides=overrides, out=folder / "first")  # trains, so that the next one shows how long rounds take
    began = time.monotonic()
    finished(scenario="offline", overrides=overrides, out=folder / "whole")
    took = time.monotonic() - began
    want = api.RunResult(folder / "whole").manifest["ledger_sha256"]
    assert api.RunResult(folder / "first").manifest["ledger_sha256"] == want
    hashes, when = [], []
    for number in range(kills):
        out = folder / f"killed-{number}"
        if number % 4 == 3:
            shutil.rmtree(cache)  # now training is hit as well
        process = start(scenario="offline", overrides=overrides, out=out)
        when.append(moments.uniform(0.1, 0.95) * took)
        process.join(when[-1])
        os.kill(process.pid, signal.SIGKILL) if process.is_alive() else None
        process.join()
        if not (out / "manifest.json").exists():
            shutil.rmtree(out, ignore_errors=True)
            finished(scenario="offline", overrides=overrides, out=out)
        elif api.RunResult(out).manifest["status"] != "complete":
            finished(resume=out)
        hashes.append(api.RunResult(out).manifest["ledger_sha256"])
    return want, hashes, when


def test_one_kill(processes, tiny, tmp_path):
    overrides = tiny("rounds.count=8", "clock.loss=0.2", "engine.workers=1", methods=("chord-plus", "cloud-only"))
    want, hashes, when = kill_at_random_moments(processes, overrides, tmp_path, kills=1)
    assert hashes == [want], when


@pytest.mark.slow
def test_twenty_kills_on_real_data(processes, real_data, tmp_path):
    want, hashes, when = kill_at_random_moments(processes, ML_100K, tmp_path, kills=20, data=str(Path(real_data)))
    assert hashes == [want] * 20, when
