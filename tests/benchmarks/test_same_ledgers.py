"""The comparer of ledgers: made-up checkouts that write equal or other ledgers, played for real and without any training."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.same_ledgers import __main__ as command  # noqa: E402
from benchmarks.same_ledgers.checkout import Checkout  # noqa: E402
from benchmarks.same_ledgers.kept import Kept  # noqa: E402
from benchmarks.same_ledgers.scenarios import Scenario, merged, scenarios  # noqa: E402
from benchmarks.same_ledgers.verdict import differences, verdict  # noqa: E402

ROOT = Path(__file__).parents[2]
PROJECT = """
[project]
name = "chordsim"
version = "{version}"
[project.scripts]
chordsim = "chordsim.cli:main"
[project.entry-points."chordsim.methods"]
fp32 = "chordsim.made_up:of_{version}"
uniform-k = "chordsim.made_up:of_{version}"
"""
#: What stands in for chordsim: a ledger of one row per method, and a method that a backbone refuses.
RUN = """
import hashlib, pathlib, tomllib, types
from importlib.metadata import entry_points, version
import pandas as pd

def run(path, out, report):
    names = tomllib.loads(pathlib.Path(path).read_text())["methods"]
    assert version("chordsim") == {version!r}
    assert {{e.value for e in entry_points(group="chordsim.methods")}} == {{"chordsim.made_up:of_" + {version!r}}}
    if {error!r}:
        raise OSError({error!r})
    rows = [dict(method=n, round=1, device_id=7, outcome="served", served_by="fresh", down_bytes=len(n)) for n in names]
    rows[-1]["down_bytes"] += {more}
    ledger = pd.DataFrame(rows)
    return types.SimpleNamespace(ledger=ledger, manifest={{"ledger_sha256": hashlib.sha256(ledger.to_json().encode()).hexdigest()}})
"""
CLI = """
import pathlib, tomllib

def main(arguments):
    assert arguments[:2] == ["scenarios", "validate"]
    return 2 if tomllib.loads(pathlib.Path(arguments[2]).read_text())["methods"] == [{refused!r}] else 0
"""

Make = Callable[..., Checkout]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a maker of checkouts whose `chordsim.run` trains nothing."""

    def checkout(
        name: str, more: int = 0, refused: str = "", error: str = "", version: str = "1", packages: Sequence[str] = ("server", "clients")
    ):
        folder = tmp_path / name
        for package in ("chordsim", *packages):
            (folder / package).mkdir(parents=True)
            (folder / package / "__init__.py").write_text(
                RUN.format(more=more, error=error, version=version) if package == "chordsim" else ""
            )
        (folder / "chordsim" / "cli.py").write_text(CLI.format(refused=refused))
        (folder / "pyproject.toml").write_text(PROJECT.format(version=version))
        return Checkout(folder)

    return checkout


def compared(old: Checkout, new: Checkout, capsys: pytest.CaptureFixture[str], *chosen: Scenario) -> tuple[int, str]:
    parted = command.compare(old, new, list(chosen) or [Scenario("small", {})], Kept(None, ""))
    return parted, capsys.readouterr().out


def test_each_side_is_played_with_its_own_packages_and_entry_points(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """Versions differ, so that a side which took the other's metadata would fail in what stands in for chordsim."""
    parted, out = compared(make("old", version="1"), make("new", version="2"), capsys)
    assert parted == 0 and out.startswith("same") and "2 methods, 2 served" in out


def test_a_number_that_moved_is_named_by_method_and_column(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    parted, out = compared(make("old"), make("new", more=1), capsys, Scenario("small", {}), Scenario("first", {}, ("fp32",)))
    assert parted == 2 and out.count("DIFFERENT") == 2
    assert "down_bytes: uniform-2\n" in out and "down_bytes: fp32\n" in out and "outcome" not in out


def test_a_method_that_one_side_refuses_is_a_difference(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    parted, out = compared(make("old"), make("new", refused="uniform-2"), capsys, Scenario("able", {}, "able"))
    assert parted == 1 and "only old played uniform-2" in out
    assert compared(make("a", refused="fp32"), make("b", refused="fp32"), capsys, Scenario("able", {}, "able"))[0] == 0


def test_equal_errors_are_no_equal_ledgers(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    parted, out = compared(make("old", error="no disk"), make("new", error="no disk"), capsys)
    assert parted == 1 and out.startswith("FAILED") and out.count("OSError: no disk") == 2


def test_packages_of_another_installation_are_not_played(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    parted, out = compared(make("old"), make("new", packages=("server",)), capsys)
    assert parted == 1 and "clients was found in" in out and "old:" not in out


def test_the_command_ends_with_1_where_anything_differs(
    make: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "scenarios", lambda: [Scenario("small", {}), Scenario("other", {})])
    monkeypatch.setattr("signal.signal", lambda *given: None)
    old, same, moved = (make(name, more=name == "moved").path for name in ("old", "same", "moved"))
    assert command.main([str(old), "--new", str(same)]) == 0
    assert "2 of 2 scenarios gave the same ledger" in capsys.readouterr().out
    assert command.main([str(old), "--new", str(moved), "--only", "other"]) == 1
    assert "0 of 1 scenarios gave the same ledger" in capsys.readouterr().out


def test_what_is_kept_is_of_one_commit_one_scenario_and_no_error(tmp_path: Path) -> None:
    file, one, two = tmp_path / "kept.json", Scenario("one", {}), Scenario("one", {"rounds": {"count": 2}})
    kept = Kept(file, "c0ffee")
    kept.put(one, ["fp32"], {"sha256": "a"})
    kept.put(two, ["fp32"], {"error": "no disk"})
    again = Kept(file, "c0ffee")
    assert again.get(one, ["fp32"]) == {"sha256": "a", "kept": True}
    assert again.get(two, ["fp32"]) is None and again.get(one, ["int8"]) is None
    assert Kept(file, "decade").get(one, ["fp32"]) is None and Kept(file, "").get(one, ["fp32"]) is None


def test_a_kept_side_is_not_played_again(make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small, kept = Scenario("small", {}), Kept(tmp_path / "kept.json", "c0ffee")
    assert command.compare(make("old"), make("new"), [small], kept) == 0
    assert command.compare(make("broken", error="not played"), make("moved", more=1), [small], kept) == 1
    out = capsys.readouterr().out
    assert "down_bytes: uniform-2\n" in out and "(kept and " in out


def test_all_shipped_families_are_played_and_every_scenario_is_whole() -> None:
    methods = Checkout(ROOT).methods
    assert {"fp32", "uniform-2", "qat-2", "chord-aged-5", "film-192"} <= set(methods) and not any(name.endswith("-k") for name in methods)
    found = {scenario.name: scenario for scenario in scenarios()}
    assert {"sasrec", "caser", "losses", "deadlines", "new-model", "learning", "sizes", "recost", "resume"} <= set(found)
    assert found["sasrec"].methods == found["losses"].methods == "all" and found["caser"].methods == "able"
    families = {name.rstrip("0123456789") for name in methods}
    named = {name for scenario in found.values() if not isinstance(scenario.methods, str) for name in scenario.methods}
    assert named and {name.rstrip("0123456789") for name in named} <= families


def test_tables_are_merged_key_by_key() -> None:
    below: dict[str, Any] = {"a": {"b": 1, "c": 2}, "d": 3}
    assert merged(below, {"a": {"b": 9}, "e": {"f": 4}}) == {"a": {"b": 9, "c": 2}, "d": 3, "e": {"f": 4}}
    assert below["a"]["b"] == 1


def test_methods_that_part_in_the_same_columns_share_a_line() -> None:
    old: dict[str, Any] = {"methods": ["a", "b", "c"], "parts": {name: {"rank": 1, "macs": 1} for name in "abc"}}
    new = {**old, "parts": {"a": {"rank": 2, "macs": 1}, "b": {"rank": 2, "macs": 1}, "c": {"rank": 1, "macs": 2}}}
    assert differences(old, new) == ["rank: a; b", "macs: c"]


def test_where_one_side_has_more_columns_those_of_both_are_compared() -> None:
    old: dict[str, Any] = {"sha256": "a", "methods": ["fp32"], "parts": {"fp32": {"rank": "x", "macs": "y"}}, "told": "1 method"}
    wider = {**old, "sha256": "b", "parts": {"fp32": {"rank": "x", "macs": "y", "report_s": "z"}}}
    found = verdict("small", old, wider)
    assert found.same and "only new has report_s" in found.lines[0]
    moved = {**wider, "parts": {"fp32": {**wider["parts"]["fp32"], "macs": "?"}}}
    assert not verdict("small", old, moved).same and differences(old, moved) == ["macs: fp32"]


def test_the_new_side_alone_is_given_keys_that_restore(
    make: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "scenarios", lambda: [Scenario("small", {"clock": {"loss": 0.1}})])
    monkeypatch.setattr("signal.signal", lambda *given: None)
    given: dict[str, Any] = {}

    class Spy(command.Process):
        def __init__(self, checkout: Checkout, played: Sequence[Scenario], names: Sequence[str], folder: Path) -> None:
            given[checkout.path.name] = played[0].tables
            super().__init__(checkout, played, names, folder)

    monkeypatch.setattr(command, "Process", Spy)
    arguments = [str(make("old").path), "--new", str(make("new").path), "--new-set", "clock.count_report=true"]
    assert command.main(arguments) == 0
    assert given == {"old": {"clock": {"loss": 0.1}}, "new": {"clock": {"loss": 0.1, "count_report": True}}}
    with pytest.raises(SystemExit, match="not a TOML assignment"):
        command.main([*arguments[:3], "--new-set", "clock"])


def test_a_hash_that_differs_alone_is_told() -> None:
    old: dict[str, Any] = {"sha256": "a", "methods": ["fp32"], "parts": {"fp32": {"rank": "x"}}, "told": "", "seconds": 1.0}
    assert not verdict("small", old, {**old, "sha256": "b"}).same and "order of columns" in differences(old, old)[0]
