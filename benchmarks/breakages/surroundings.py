"""Surroundings: a file without an end, no pip, a method of others, streams that take nothing."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from benchmarks.breakages.ground import COMMAND, Ground, Seen, manifest

#: Hides pip from a Python and from those that it starts.
_NO_PIP = """
import importlib.machinery
find = importlib.machinery.PathFinder.find_spec
def found(name, path=None, target=None):
    return None if name.partition(".")[0] == "pip" else find(name, path, target)
importlib.machinery.PathFinder.find_spec = staticmethod(found)
"""
#: A method of somebody else's, which exits in its cloud half or scores with NaN.
_THEIRS = '''"""A third party's method: it ranks by popularity, until it is told to break."""
import os, sys
import numpy as np
import torch
from chordsim.methods import DOWN_PRESCRIPTION, UP_REPORT, Blob, CloudTurn, Cost, MethodSpec, Turn
from chordsim.ragged import Ragged

WHAT = os.environ.get("THEIRS", "")

class Spec(MethodSpec):
    def sizes(self, context, who):
        return {DOWN_PRESCRIPTION: np.full(len(who), 4)}

def make(name):
    return Spec("theirs", "of others", (DOWN_PRESCRIPTION, UP_REPORT), "theirs:Cloud", "theirs:Device")

class Cloud:
    def __init__(self, context):
        self.n_items = context.n_items
    def recipe(self):
        return {"n": self.n_items}
    def train(self, logs, progress):
        return {"counts": torch.from_numpy(logs.popularity).double()}
    def bootstrap(self, state):
        return [Blob("counts", state["counts"].numpy().astype("<f8").tobytes())]
    def admit(self, state, budgets):
        return np.zeros(budgets.memory_bytes.size, np.uint8)
    def respond(self, state, leg, who, inbox):
        if WHAT == "exits" and who.round == 2:
            sys.exit(0)
        zero = np.zeros(len(who), np.uint8)
        return CloudTurn(Ragged.of_rows([b"plan"] * len(who)), np.full(len(who), 7), zero, zero)
    def learn(self, state, reports):
        return state

class Device:
    def __init__(self, context):
        pass
    def load(self, blobs_by_label):
        return np.frombuffer(blobs_by_label["counts"], "<f8").astype(np.float32)
    def act(self, model, state, leg, who, history, inbox):
        rows = len(who)
        scores = np.tile(model, (rows, 1)) * (np.nan if WHAT == "nan" else 1)
        none = np.zeros(rows, np.uint8)
        return Turn(Ragged.empty(rows), none, Cost.zero(rows), np.full(rows, np.nan), scores if leg.kind == "report" else None)
'''


def endless(ground: Ground) -> Seen:
    """A table of phones that is a pipe into which nobody writes."""
    pipe = ground.folder / "phones.csv"
    os.mkfifo(pipe)
    given = ground.give(*ground.run(ground.folder / "run", f'population.csv="{pipe}"', "rounds.count=1"), limit_s=240)
    return Seen(given.code == 2, f"{given.ended}{'' if given.code is None else f': {given.last}'}")


def no_pip(ground: Ground) -> Seen:
    """MovieLens-100K in an environment without pip, such as `uv venv` makes; the publisher is tried first."""
    (ground.folder / "hidden").mkdir()
    (ground.folder / "hidden" / "sitecustomize.py").write_text(_NO_PIP)
    ground.environment["PYTHONPATH"] = os.pathsep.join([str(ground.folder / "hidden"), ground.environment["PYTHONPATH"]])
    given = ground.give("data", "fetch", "ml-100k")
    helped = given.code == 0 or "ensurepip" in given.said
    return Seen(helped, f"{given.ended}{': fetched' if given.code == 0 else f': {given.said.strip()[-200:]}'}")


def others(ground: Ground) -> Seen:
    """A method of others beside fp32 whose cloud half exits in round 2, and one alone whose scores are no numbers."""
    site = ground.folder / "site"
    (site / "theirs-0.1.0.dist-info").mkdir(parents=True)
    (site / "theirs-0.1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 0.1.0\n")
    (site / "theirs-0.1.0.dist-info" / "entry_points.txt").write_text("[chordsim.methods]\ntheirs = theirs:make\n")
    (site / "theirs.py").write_text(_THEIRS)
    ground.environment["PYTHONPATH"] = os.pathsep.join([ground.environment["PYTHONPATH"], str(site)])
    told, held = [], True
    for what, methods in (("", '["fp32", "theirs"]'), ("exits", '["fp32", "theirs"]'), ("nan", '["theirs"]')):
        ground.environment["THEIRS"] = what
        run = ground.folder / (what or "sound")
        none = "settings.chord-plus.profile_dim="
        given = ground.give(*ground.run(run, f"methods={methods}", none, "rounds.count=2"))
        status = manifest(run).get("status")
        if not what:
            if given.code:
                return Seen(False, f"the sound method does not play: {given.last}")
            continue
        held &= given.code == 1 and status == "failed" and "theirs" in given.said
        told.append(f"{'exit in the cloud' if what == 'exits' else 'NaN scores'}: {given.ended}, status {status}, {given.last}")
    return Seen(held, "; ".join(told))


def streams(ground: Ground) -> Seen:
    """Streams that are closed, full or of another encoding; and a folder that a mistake in the scenario must leave free."""
    mine = ground.folder / "mine.toml"
    mine.write_text('question = "Größer → besser ± 1?"\nmethods = ["fp32"]\n', encoding="utf-8")
    chordsim = shlex.join(COMMAND)
    latin = {"LC_ALL": "C", "PYTHONIOENCODING": "latin-1"}
    cases: list[tuple[str, str, int, dict[str, str]]] = [
        ("a pipe that closes", f"{chordsim} scenarios | head -c 1", 0, {}),
        ("stdout closed", f"{chordsim} scenarios 1>&-", 0, {}),
        ("stderr closed", f"{chordsim} scenarios show nowhere 2>&-", 2, {}),
        ("stdout full", f"{chordsim} scenarios >/dev/full", 1, {}),
        ("Latin-1", f"{chordsim} scenarios show {mine}; {chordsim} scenarios", 0, latin),
    ]
    wrong = []
    for name, line, want, more in cases:
        environment = {**ground.environment, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", **more}
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line}"], env=environment, cwd=ground.folder, capture_output=True, check=False
        )
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        if done.returncode != want or any(word in said for word in ("Traceback", "a bug", "Exception ignored", "lost sys.std")):
            wrong.append(f"{name}: exit code {done.returncode}, {_last(said)}")
    run = ground.folder / "run"
    ground.give(*ground.run(run, 'data.source="file"', f'data.path="{Path("/nowhere/nothing.csv")}"'))
    again = ground.give(*ground.run(run, "rounds.count=1"))
    if again.code != 0:
        wrong.append(f"--out after a mistake: {again.ended}, {again.last}")
    return Seen(not wrong, "; ".join(wrong) or f"{len(cases)} streams and a folder after a mistake: all right")


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:120] if lines else "nothing said"
