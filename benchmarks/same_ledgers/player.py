"""The process that plays one checkout's scenarios: a job in as JSON on stdin, one JSON line out for each scenario.

It is started by path with that checkout first on PYTHONPATH, imports nothing of this folder, and uses of chordsim only what every
version has: `chordsim.run`, the command line and the files of a run directory.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

#: The `chordsim` command of whichever checkout comes first.
COMMAND = (
    "import sys; from importlib.metadata import entry_points; "
    "sys.exit(next(iter(entry_points(group='console_scripts', name='chordsim'))).load()())"
)
PACKAGES = ("chordsim", "server", "clients")
KEY = ["method", "round", "device_id"]
POLL_S = 0.005
#: Characters that tell one column from another; the whole hash is the ledger's.
SHORT = 12


def main() -> None:
    """Play all scenarios of the job."""
    # What runs print goes to the log, so that answers have stdout for themselves.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    job = json.load(sys.stdin)
    check_home(Path(job["checkout"]))
    for scenario in job["scenarios"]:
        began = time.monotonic()
        try:
            answer = play(scenario, job["methods"], Path(job["folder"]) / scenario["name"])
        except Exception as error:  # whatever a version raises is that version's answer
            answer = {"error": f"{type(error).__name__}: {error}"}
        answer["seconds"] = round(time.monotonic() - began, 1)
        print(json.dumps({"name": scenario["name"], **answer}), file=answers, flush=True)


def check_home(checkout: Path) -> None:
    """End where another installation's packages come first.

    Raises:
        SystemExit: Naming the package and where it was found.
    """
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        found = None if spec is None or spec.origin is None else Path(spec.origin).resolve()
        if found is None or found.parent.parent != checkout.resolve():
            raise SystemExit(f"{name} was found in {found}, not in {checkout}")


def play(scenario: Mapping[str, Any], registered: Sequence[str], folder: Path) -> dict[str, Any]:
    """Return what one scenario gave: its hash, and shorter ones of what it is made of."""
    import chordsim

    folder.mkdir(parents=True)
    names = scenario["methods"] if isinstance(scenario["methods"], list) else registered
    if scenario["methods"] == "able":
        names = [name for name in names if command("scenarios", "validate", write(folder / f"{name}.toml", scenario, [name])) == 0]
    path = write(folder / "scenario.toml", scenario, names)
    run = chordsim.run(path, out=folder / "run", report=False)
    answer = told(run, names)
    if scenario["recost"]:
        add_recosts(answer, folder, scenario["recost"])
    if scenario["killed"]:
        answer["told"] += f", {kill_and_resume(path, folder / 'killed')}"
        again = read(folder / "killed" / "manifest.json")["ledger_sha256"]
        if again != answer["sha256"]:
            answer["error"] = f"the resumed run's ledger is {again}, the unbroken one's {answer['sha256']}"
    return answer


def write(path: Path, scenario: Mapping[str, Any], names: Sequence[str]) -> Path:
    """Write the scenario with these methods and the settings of these alone."""
    import tomli_w

    tables = {"methods": list(names), **scenario["tables"]}
    tables["settings"] = {name: table for name, table in tables.get("settings", {}).items() if name in names}
    path.write_text("# Do two checkouts write the same ledger?\n" + tomli_w.dumps(tables))
    return path


def told(run: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return a run's hash, that of every column of every method, and what happened in it."""
    import pandas as pd

    ledger = run.ledger.sort_values(KEY, kind="stable")
    parts = {
        str(method): {
            str(name): short(pd.util.hash_pandas_object(column, index=False).to_numpy().tobytes()) for name, column in rows.items()
        }
        for method, rows in ledger.groupby("method", observed=True)
    }
    ends = {str(word): int(count) for word, count in ledger["outcome"].astype(str).value_counts().items() if count}
    stale = int((ledger["served_by"].astype(str) == "stale").sum())
    sha256 = run.manifest["ledger_sha256"]
    happened = ", ".join(f"{count:,} {word}" for word, count in sorted({**ends, "stale": stale}.items()) if count)
    answer = {"sha256": sha256, "methods": list(names), "parts": parts, "told": f"{len(names)} methods, {happened}"}
    return (
        answer if sha256 else {**answer, "error": f"the run is {run.manifest['status']} and claims no hash: {run.manifest.get('errors')}"}
    )


def add_recosts(answer: dict[str, Any], folder: Path, overrides: Sequence[Sequence[str]]) -> None:
    """Recost the finished run and put all numbers that come out into the answer's hash."""
    numbers = []
    for number, texts in enumerate(overrides, 1):
        path = folder / f"recost-{number}.json"
        code = command("recost", folder / "run", *(word for text in texts for word in ("--set", text)), "--json", path)
        if code:
            raise RuntimeError(f"recost {' '.join(texts)} ended with {code}")
        numbers.append(read(path))
        for part, inner in numbers[-1].items():
            for name, value in inner.items():
                whole = value if isinstance(value, dict) else {"values": value}
                answer["parts"][f"recost {number}, {part} {name}"] = {key: short(text(found).encode()) for key, found in whole.items()}
    answer["sha256"] = hashlib.sha256(text([answer["sha256"], numbers]).encode()).hexdigest()
    answer["told"] += f", recosted {len(overrides)} times"


def kill_and_resume(scenario: Path, out: Path) -> str:
    """Kill a run with SIGKILL after its first checkpoint, go on with it, and say how far it had come.

    Raises:
        RuntimeError: It was over before it could be killed, or the rest of it failed.
    """
    process = subprocess.Popen([sys.executable, "-P", "-c", COMMAND, "run", str(scenario), "--out", str(out)], stdin=subprocess.DEVNULL)
    try:
        while process.poll() is None and not any((out / "checkpoint").glob("*.json")):
            time.sleep(POLL_S)
    finally:
        process.kill()
        process.wait()
    status = read(out / "manifest.json")["status"]
    if status == "complete":
        raise RuntimeError("the run was over before it could be killed")
    written = len(list((out / "ledger").rglob("*.parquet")))
    code = command("run", "--resume", out)
    if code:
        raise RuntimeError(f"chordsim run --resume ended with {code}")
    return f"killed with {written} of {len(list((out / 'ledger').rglob('*.parquet')))} ledger files and resumed"


def command(*arguments: str | Path) -> int:
    """Return the exit code of a chordsim command, run in this process."""
    (entry,) = entry_points(group="console_scripts", name="chordsim")
    return int(entry.load()([str(argument) for argument in arguments]))


def read(path: Path) -> Any:
    """Return a JSON file."""
    return json.loads(path.read_text())


def text(value: Any) -> str:
    """Return a value as JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True)


def short(data: bytes) -> str:
    """Return the beginning of a hash."""
    return hashlib.sha256(data).hexdigest()[:SHORT]


if __name__ == "__main__":
    main()
