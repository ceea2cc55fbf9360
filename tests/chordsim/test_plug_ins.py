"""Entry points are looked for once, and again when a package came or went."""

from __future__ import annotations

import shutil
import sys
import types
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from chordsim.errors import ChordsimError, MethodError, ScenarioError
from chordsim.methods import DOWN_PRESCRIPTION, UP_REPORT, MethodSpec, discovery
from chordsim.metrics.spec import MetricSpec
from chordsim.plug_ins import entry_points, registered, spec_of
from chordsim.scenario.load import parse
from tests.laid_out import laid_out


def test_what_is_installed_while_a_program_runs_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    assert registered("chordsim.made_up") == {}
    laid_out(tmp_path, "first", "chordsim.made_up", "one = first:one")
    assert registered("chordsim.made_up") == {"one": "first:one"}
    laid_out(tmp_path, "second", "chordsim.made_up", "two = second:two")
    assert set(registered("chordsim.made_up")) == {"one", "two"}
    shutil.rmtree(tmp_path / "first-0.1.0.dist-info")
    assert set(registered("chordsim.made_up")) == {"two"}


def test_nothing_is_looked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    found = entry_points(group="chordsim.methods")
    assert "fp32" in found.names
    monkeypatch.setattr(metadata, "entry_points", lambda **_: pytest.fail("looked for again"))
    assert list(entry_points(group="chordsim.methods")) == list(found)


def _made(name: str, *exchange: Any) -> MethodSpec:
    return MethodSpec(name, "of others", exchange, "theirs:Cloud", "theirs:Device")


class _Forgetful(MethodSpec):
    def as_set(self, settings: Any) -> Any:
        return None


class _Odd(MethodSpec):
    def check(self, settings: Any) -> None:
        raise KeyError("no such table")


@pytest.mark.parametrize(
    ("make", "kind", "says"),
    [
        (lambda name: {}[name], MethodError, "method theirs, its spec: KeyError: 'theirs'"),
        (lambda name: sys.exit(4), MethodError, "method theirs, its spec: SystemExit: 4"),
        (lambda name: None, ScenarioError, "methods: 'theirs' is registered as theirs:make, which makes no MethodSpec of that name"),
        (lambda name: _made("other", UP_REPORT), ScenarioError, "which makes no MethodSpec of that name"),
        (lambda name: _made(name), ScenarioError, "which makes an exchange that does not end with its only report"),
        (lambda name: _made(name, DOWN_PRESCRIPTION), ScenarioError, "an exchange that does not end with its only report"),
        (
            lambda name: _made(name, UP_REPORT, DOWN_PRESCRIPTION, UP_REPORT),
            ScenarioError,
            "an exchange that does not end with its only report",
        ),
        (
            lambda name: _Odd(name, "of others", (UP_REPORT,), "theirs:Cloud", "theirs:Device"),
            MethodError,
            "method theirs, its settings: KeyError: 'no such table'",
        ),
        (
            lambda name: _Forgetful(name, "of others", (UP_REPORT,), "theirs:Cloud", "theirs:Device"),
            ScenarioError,
            "methods: 'theirs': its as_set returns NoneType, which is no MethodSpec",
        ),
    ],
)
def test_a_method_of_others_that_makes_no_spec_is_named(
    make: Callable[[str], Any], kind: type[ChordsimError], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = types.ModuleType("theirs")
    module.make = make
    monkeypatch.setitem(sys.modules, "theirs", module)
    found = (*entry_points(group=discovery.GROUP), metadata.EntryPoint("theirs", "theirs:make", discovery.GROUP))
    monkeypatch.setattr(discovery, "entry_points", lambda group: found)
    with pytest.raises(kind) as caught:
        parse('methods = ["popularity", "theirs"]')
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("def (", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import no_such_package", "ModuleNotFoundError"),
        ("", "AttributeError"),
    ],
)
def test_what_cannot_be_loaded_is_named_whatever_its_code_raises(
    code: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    package = f"broken_{why.partition(':')[0].lower()}"
    laid_out(tmp_path, package, discovery.GROUP, f"theirs = {package}:make")
    laid_out(tmp_path, f"{package}_too", "chordsim.metrics", f"theirs = {package}:metric")
    (tmp_path / f"{package}.py").write_text(code)
    with pytest.raises(ScenarioError, match=f"methods: 'theirs' is registered but cannot be loaded \\({why}"):
        parse('methods = ["theirs"]')
    with pytest.raises(ScenarioError, match=f"KEY: 'theirs' is registered but cannot be loaded \\({why}"):
        spec_of("chordsim.metrics", "theirs", MetricSpec, "KEY")


def test_a_name_that_two_packages_register_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    laid_out(tmp_path, "usurper", discovery.GROUP, "fp32 = usurper:make")
    both = r"methods: 'fp32' is registered by several packages, as chordsim\.methods.* and usurper:make: uninstall all but one"
    with pytest.raises(ScenarioError, match=both):
        parse('methods = ["fp32"]')
    assert parse('methods = ["popularity"]').methods == ("popularity",)
