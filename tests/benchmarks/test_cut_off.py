"""A suite that is cut off ends in one line, with the main program's exit code, and goes on with the same command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import chordsim  # noqa: E402
from benchmarks import cut_off, kept_runs  # noqa: E402
from benchmarks.personal_plans import __main__ as personal_plans  # noqa: E402
from benchmarks.reproduction import __main__ as reproduction  # noqa: E402
from benchmarks.suites import play  # noqa: E402
from benchmarks.suites.agenda import Group, Piece  # noqa: E402

#: Each suite's main, the name of what it plays, and where it takes that from.
SUITES = (
    (reproduction.main, lambda patch, suite: patch.setattr(reproduction, "SUITE", suite)),
    (personal_plans.main, lambda patch, suite: patch.setattr(personal_plans, "_suite", lambda tables: suite)),
)


@pytest.mark.parametrize(("main", "put"), SUITES, ids=("reproduction", "personal-plans"))
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_suite_that_is_cut_off_says_where_and_how_to_go_on(main, put, how, tmp_path, monkeypatch, capsys) -> None:
    put(monkeypatch, (Group("some", "offline", (1,), (Piece("first", ("popularity",)), Piece("second", ("markov",)))),))
    met: list[str] = []

    def plays(one: play.Play, path: Path) -> None:
        met.append(one.name)
        if len(met) == 2:
            os.kill(os.getpid(), how)

    monkeypatch.setattr(play, "_play", plays)
    mine = signal.signal(how, signal.default_int_handler if how == signal.SIGINT else signal.SIG_DFL)
    try:
        assert main(["run", "--runs", str(tmp_path), "--tables", str(tmp_path / "tables")]) == 130
    finally:
        signal.signal(how, mine)
    said = capsys.readouterr().err
    assert said == f"interrupted in some/second, seed 1; what is in {tmp_path} stays: give the same command again to go on with it\n"


def test_whoever_knows_no_better_says_what_stays(capsys: pytest.CaptureFixture[str]) -> None:
    def cut() -> int:
        raise KeyboardInterrupt

    assert cut_off.ended(cut, "give it again") == 130 and capsys.readouterr().err == "interrupted; give it again\n"
    assert cut_off.ended(lambda: 3, "give it again") == 3 and not capsys.readouterr().err


def test_a_measurement_that_keeps_its_runs_says_in_which_it_was(tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(chordsim, "run", lambda *given, **more: os.kill(os.getpid(), signal.SIGTERM))
    mine = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        assert cut_off.ended(lambda: bool(kept_runs.played(tmp_path / "bits-2", "offline", 1, ()))) == 130
    finally:
        signal.signal(signal.SIGTERM, mine)
    stays = f"what is in {tmp_path} stays: give the same command again to go on with it"
    assert capsys.readouterr().err == f"interrupted in bits-2; {stays}\n"


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_real_piece_that_is_cut_off_is_whole_the_second_time(how, tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    given = [text for text in tiny("rounds.count=8", methods=()) if not text.startswith("methods=")]
    words = f"""
import sys
from benchmarks.reproduction import __main__ as suite
from benchmarks.suites.agenda import Group, Piece
suite.SUITE = (Group("some", "offline", (1,), (Piece("first", ("fp32", "markov")),), {tuple(given)!r}),)
sys.exit(suite.main(["run", "--runs", "runs", "--tables", "tables"]))
"""
    reset = "import signal as s; [s.signal(n, s.SIG_DFL) for n in (s.SIGTERM, s.SIGHUP)]; s.signal(s.SIGINT, s.default_int_handler)\n"
    command = [sys.executable, "-c", reset + words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    log = tmp_path / "runs" / "some_first_seed-1.log"
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    while not log.exists() or "rounds ..." not in log.read_text():
        assert process.poll() is None, process.stderr and process.stderr.read()
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in said
    assert said.splitlines()[-1].startswith("interrupted in some/first, seed 1; what is in runs stays")
    again = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert again.returncode == 0 and "1 played, 0 failed" in again.stdout, again.stderr
