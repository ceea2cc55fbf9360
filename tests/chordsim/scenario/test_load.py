"""Scenarios load, refuse what is wrong in one line that names file, key and remedy, and come back from text unchanged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chordsim.config.model import Scenario
from chordsim.errors import ScenarioError
from chordsim.methods import find, known
from chordsim.scenario.load import digest, dump, load, parse, resolve_settings, shipped


def write(folder: Path, text: str | bytes, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def complaint(path: str | Path, overrides: tuple[str, ...] = (), seed: int | None = None) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(path, overrides, seed)
    text = str(caught.value)
    assert "\n" not in text and caught.value.exit_code == 2
    return text


@pytest.mark.parametrize("name", ["quickstart", "textbook", "offline"])
def test_shipped_scenarios_load_and_answer_a_question(name: str) -> None:
    scenario = load(name)
    assert scenario.name == name
    assert scenario.question.endswith("?")
    assert shipped()[name].read_text().startswith(f"# {scenario.question}\n")
    assert parse(dump(scenario)) == scenario


def test_shipped_scenarios_are_what_the_readme_says() -> None:
    quickstart, textbook, offline = load("quickstart"), load("textbook"), load("offline")
    assert quickstart.data.source == textbook.data.source == "ml-100k" and offline.data.source == "synthetic"
    assert quickstart.population.devices == 0 and quickstart.rounds.count == 3
    assert offline.methods == ("fp32", "uniform-2", "chord", "chord-plus", "chord-shared", "cloud-only")
    assert quickstart.methods == ("retriever", *offline.methods), "where lists are re-ranked, the cloud's own order stands in the table"


def test_quickstart_re_ranks_and_two_flags_give_back_the_whole_catalogue() -> None:
    scenario, whole = load("quickstart"), load("quickstart", ["backbone.items=owned", "protocol.ranking=all"])
    assert (scenario.backbone.items, scenario.protocol.ranking, scenario.protocol.list_length) == ("cached", "candidates", 100)
    assert (whole.backbone.items, whole.protocol.ranking) == ("owned", "all")
    for name in (name for name in shipped() if name.startswith("repro-")):
        repro = load(name)
        assert (repro.backbone.items, repro.protocol.ranking) == ("owned", "all"), name


def test_textbook_plays_one_phone_at_a_time() -> None:
    textbook = load("textbook")
    assert textbook.engine.chunk_size == 1 and textbook.engine.cells == textbook.population.devices == 50


def test_settings_are_resolved_and_resolving_twice_changes_nothing() -> None:
    scenario = load("offline", ["settings.chord-plus.bits=1"])
    assert set(scenario.settings) == set(scenario.methods)
    assert scenario.settings["chord-plus"]["bits"] == 1.0 and isinstance(scenario.settings["chord-plus"]["bits"], float)
    assert resolve_settings(scenario) == scenario


def test_controls_take_the_settings_of_the_method_whose_training_they_share() -> None:
    names = '["chord-plus", "chord-swapped", "chord-aged-5", "chord-shared"]'
    scenario = load("offline", [f"methods={names}", "settings.chord-plus.bits=1", "settings.chord-plus.mask_keep=0.25"])
    controlled = {**scenario.settings["chord-plus"], "plans_of": "chord-plus"}
    assert scenario.settings["chord-swapped"] == {**controlled, "swaps": "user"} and scenario.settings["chord-aged-5"] == controlled
    assert scenario.settings["chord-shared"]["mask_keep"] == 0.5
    own = load("offline", [f"methods={names}", "settings.chord-plus.bits=1", "settings.chord-aged-5.bits=3"])
    assert [own.settings[name]["bits"] for name in ("chord-plus", "chord-swapped", "chord-aged-5")] == [1.0, 1.0, 3.0]
    assert parse(dump(own)) == own
    alone = load("offline", ['methods=["chord-aged-5"]'])
    assert alone.settings["chord-aged-5"]["bits"] == 2.0


def test_what_is_wrong_with_settings_that_a_control_takes_over_is_said_of_the_method_that_has_them() -> None:
    names = 'methods=["frozen-3", "chord-empty", "chord", "chord-plus"]'
    for name in ("chord", "chord-plus"):
        given = f'settings.{name}.law="flat"'
        with pytest.raises(ScenarioError, match=rf"^--set {given}: settings\.{name}\.law: must be"):
            load("offline", [names, given])
    assert list(load("offline", [names]).settings) == ["frozen-3", "chord-empty", "chord", "chord-plus"]


def test_a_control_keeps_the_settings_of_what_it_controls_where_that_is_not_played() -> None:
    for name in (name for name in shipped() if name.startswith("repro-")):
        chord, plus = load(name, ['methods=["chord"]']).settings["chord"], load(name, ['methods=["chord-plus"]']).settings["chord-plus"]
        alone = load(name, ['methods=["frozen-3", "chord-swapped", "chord-empty"]', 'settings.chord-swapped.plans_of="chord"']).settings
        assert alone["chord-swapped"] == {**chord, "plans_of": "chord", "swaps": "user"} and alone["chord-empty"] == {
            **plus,
            "plans_of": "chord-plus",
        }
        assert alone["frozen-3"]["start"] == chord["start"]
    named, own = (load("repro-ml-100k", ['methods=["frozen-3"]', *more]) for more in ((), ("settings.frozen-3.start=scratch",)))
    assert [one.settings["frozen-3"]["start"] for one in (named, own)] == ["reference", "scratch"]
    with pytest.raises(ScenarioError, match="unknown method 'frozn-3'"):
        load("repro-ml-100k", ['methods=["frozn-3"]'])


def test_digest_depends_on_every_value_and_on_nothing_else(tmp_path: Path) -> None:
    one = write(tmp_path, "# Q?\nseed = 3\n[rounds]\ncount = 2\nrequests_per_round = 4\n", "same.toml")
    (tmp_path / "b").mkdir()
    two = write(tmp_path / "b", "# Q?\nseed=0x3\nrounds = {requests_per_round = 4, count = 2} # other words\n", "same.toml")
    assert digest(load(one)) == digest(load(two)) == digest(parse(dump(load(one))))
    assert digest(load(one)) != digest(load(one, seed=4)) != digest(load(one, ["rounds.count=1"]))


def test_overrides_are_toml_values_or_text() -> None:
    scenario = load("offline", ["rounds.count=5", "name=other", 'methods=["fp32"]', "clock.loss=0.5", "protocol.mask_seen=false"], seed=9)
    assert (scenario.rounds.count, scenario.name, scenario.methods, scenario.seed) == (5, "other", ("fp32",), 9)
    assert scenario.clock.loss == 0.5 and scenario.protocol.mask_seen is False


def test_later_overrides_win() -> None:
    assert load("offline", ["rounds.count=5", "rounds.count=6"]).rounds.count == 6


def test_a_default_tier_can_be_changed_in_one_value() -> None:
    tiers = load("offline", ["population.tiers.low.memory_mb=1.5"]).population.tiers
    assert list(tiers) == ["low", "mid", "high"]
    assert tiers["low"].memory_mb == 1.5 and tiers["low"].memory_of_fp32 is None and tiers["mid"].memory_of_fp32 == 1.3


def outside(allowed: Any, default: Any) -> list[Any]:
    """Values that a range or a choice of words does not hold."""
    if isinstance(allowed[0], str):
        return ["nothing of the kind"]
    values = [allowed[0] - 1, allowed[1] + 1]
    return [[value] for value in values] + [[]] if isinstance(default, list) else [type(default)(value) for value in values]


FAMILIES = [name.replace("-k", "-2") for name in sorted(known()) if not name.startswith("chord")]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_setting_of_every_method_says_what_it_may_be(name: str) -> None:
    spec = find(name)
    # A table that is passed on to somebody else's code is checked by what takes it.
    assert {key for key, value in spec.defaults.items() if not isinstance(value, bool | dict)} == set(spec.allowed)
    for key, allowed in spec.allowed.items():
        assert load("offline", [f'methods=["{name}"]']).settings[name][key] == spec.defaults[key]
        for value in outside(allowed, spec.defaults[key]):
            with pytest.raises(ScenarioError, match=rf"settings\.{name}\.{key}.*must (be|have)") as caught:
                load("offline", [f'methods=["{name}"]', f"settings.{name}.{key}={json.dumps(value)}"])
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["chord", "chord-plus", "chord-shared", "chord-swapped", "chord-aged-5"])
def test_settings_that_make_no_plan_are_refused_when_the_scenario_is_read(name: str) -> None:
    for key, value in (
        ("widths", [0, 4, 2, 8]),
        ("law", "signd"),
        ("horizon", 0),
        ("gains_of", "code"),
        ("mask_keep", 1e-9),
        ("temperature", 1e-9),
    ):
        with pytest.raises(ScenarioError, match=rf"settings\.{name}\.{key}"):
            load("offline", [f'methods=["{name}"]', f"settings.{name}.{key}={json.dumps(value)}"])


@pytest.mark.parametrize(("kind", "layer"), [("sasrec", "block0.query"), ("gru4rec", "input"), ("caser", "vertical")])
def test_groups_that_no_layer_of_the_backbone_has_are_refused_by_name(kind: str, layer: str) -> None:
    with pytest.raises(ScenarioError, match=rf"chord-plus\.group=7: settings\.chord-plus\.group: 7 weights.* {layer}") as caught:
        load("offline", ['methods=["fp32","chord-plus"]', f'backbone.kind="{kind}"', "settings.chord-plus.group=7"])
    assert "use a divisor of" in str(caught.value)


def test_a_backbone_that_leaves_a_head_one_number_is_refused() -> None:
    with pytest.raises(ScenarioError, match="'cocorrrec' needs backbone.dim = 8 or more, and it is 4"):
        load("offline", ['methods=["cocorrrec"]', "backbone.dim=4"])


@pytest.mark.parametrize(("key", "value"), [("heads", 3), ("dim", 30), ("ffn_dim", 33)])
def test_a_student_that_is_no_backbone_is_refused(key: str, value: int) -> None:
    with pytest.raises(ScenarioError, match=rf"settings\.chai\.{key}: must"):
        load("offline", ['methods=["chai"]', f"settings.chai.{key}={value}"])


def test_checking_a_scenario_needs_no_torch() -> None:
    code = "import sys; from chordsim.scenario.load import load; load('quickstart'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_settings_of_methods_taken_out_by_an_override_go_with_them(tmp_path: Path) -> None:
    resolved = write(tmp_path, dump(load("offline")))
    assert load(resolved, ['methods=["fp32"]']).methods == ("fp32",)
    assert "settings.chord" in complaint(resolved, ('methods=["fp32"]', "settings.chord.bits=2"))


def test_data_path_is_absolute_from_the_file_or_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, '[data]\nsource = "file"\npath = "log.csv"\n')
    monkeypatch.chdir("/")
    assert load(path).data.path == str(tmp_path / "log.csv")
    assert load(path, ["data.path=else.csv"]).data.path == "/else.csv"


def test_a_file_of_any_name_gets_a_usable_name(tmp_path: Path) -> None:
    assert load(write(tmp_path, "seed = 1", "my scenario.toml")).name == "my-scenario"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed = 1\nround = {}\n", ["mine.toml", "'round'", "'rounds'"]),
        ("[rounds]\ncuont = 3\n", ["mine.toml", "rounds.cuont", "'count'"]),
        ("devices = 5\n", ["'devices'", "'population.devices'"]),
        ("[population.tiers.low]\nram_gbs = 3\n", ["population.tiers.low.ram_gbs", "'ram_gb'"]),
        ("[population.tiers.low]\nshare = 1\n", ["population.tiers.low.", "missing"]),
        ("[rounds]\ncount = 0\n", ["rounds.count", "1", "not 0"]),
        ("[rounds]\ncount = '3'\n", ["rounds.count", "integer", "'3'"]),
        ("[rounds]\ncount = true\n", ["rounds.count", "integer", "true"]),
        ("rounds = 3\n", ["rounds", "table"]),
        ("[backbone]\nkind = 'sasrek'\n", ["backbone.kind", "did you mean 'sasrec'"]),
        ("requests_per_round = 5\n", ["unknown key 'requests_per_round'", "did you mean 'rounds.requests_per_round'"]),
        ("[backbone]\nheads = 3\n", ["backbone.heads must divide backbone.dim"]),
        ("[backbone]\nkind = 'caser'\nffn_dim = 256\n", ["backbone.ffn_dim is for", '"sasrec"', '"caser"', "at 64"]),
        ("[backbone]\nhorizontal = 8\n", ["backbone.horizontal is for", '"caser"', "at 16"]),
        ("[backbone]\nkind = 'caser'\nwindow = 0\n", ["backbone.window", "not 0"]),
        ("[backbone]\nkind = 'caser'\nwindow = 6\nmax_len = 5\n", ["backbone.window", "backbone.max_len"]),
        ("[backbone]\nkind = 'caser'\nwindo = 6\n", ["'backbone.windo'", "'window'"]),
        ("methods = ['fp32', 'dccl']\n[backbone]\nkind = 'caser'\n", ["mine.toml", "'dccl'", "backbone.kind"]),
        ("[data]\nsource = 'file'\n", ["data.path"]),
        ("[population.tiers]\n", ["population.tiers", "empty"]),
        ("methods = 'fp32'\n", ["methods", "list"]),
        ("methods = []\n", ["methods", "at least 1"]),
        ("methods = ['fp32', 'fp32']\n", ["methods", "twice"]),
        ("methods = ['fp33']\n", ["unknown method 'fp33'", "'fp32'"]),
        ("methods = ['uniform-3']\n", ["uniform-3", "2, 4, 8"]),
        ("methods = ['chord']\n[settings.chord]\nbtis = 3\n", ["settings.chord.btis", "'bits'"]),
        ("methods = ['chord']\n[settings.chord]\nbits = 'a'\n", ["settings.chord.bits", "number", "'a'"]),
        ("methods = ['fp32']\n[settings.chord]\nbits = 3\n", ["settings.chord"]),
        ("a = \n", ["mine.toml: line 1, column"]),
        ("seed = 1\n\nx = [1,\n", ["mine.toml: line 4, at the end"]),
        ("seed = 1\nseed = 2\n", ["mine.toml: line 2"]),
        ("seed = nan\n", ["seed", "finite"]),
        (f"seed = {2**63}\n", ["seed", "64 bits"]),
        (f"seed = {'9' * 5000}\n", ["digits"]),
        ("seed = 1979-05-27\n", ["seed", "date"]),
        (f"question = '{'x' * 5000}'\n", ["question", "4,096"]),
        ('name = "a\\u0000b"\n', ["name", "not valid text"]),
        (f"# {'x' * 1_000_001}", ["mine.toml", "1,000,000"]),
        (f"x = {'[' * 100_000}", ["mine.toml", "deep"]),
        (b"# ok\nquestion = '\xff'\n", ["mine.toml: line 2", "UTF-8", "0xff"]),
    ],
)
def test_a_mistake_gives_one_line_that_names_it(tmp_path: Path, text: str | bytes, words: list[str]) -> None:
    line = complaint(write(tmp_path, text))
    assert all(word in line for word in words), line
    assert len(line) < 500


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("rounds.conut=1", ["--set rounds.conut=1", "'count'"]),
        ("rounds.count=0", ["--set rounds.count=0", "not 0"]),
        ("rounds", ["--set rounds", "key=value"]),
        ("=1", ["key=value"]),
        ("rounds..count=1", ["key=value"]),
        ("question.x=1", ["question is a value, not a table"]),
        ('methods=["fp33"]', ["--set methods", "'fp32'"]),
        ("settings.chord.btis=1", ["--set settings.chord.btis=1", "'bits'"]),
        ("population.tiers.low.share=0.9", ["--set population.tiers.low.share", "sum to 1.6"]),
        ("name=1\nseed=2", ["--set name=1\\nseed=2", "no name"]),
        ("name=\udcff", ["not valid text"]),
        ("seed=inf", ["finite"]),
        ("settings.nobody.x=1", ["--set settings.nobody.x=1: settings.nobody", "no such method"]),
        ("data.columns.user=0", ["--set data.columns.user=0: data.columns", 'data.source = "file"']),
        ("rounds.buffer=3", ["--set rounds.buffer=3: rounds.buffer", "buffered"]),
        ("backbone.items=cached", ["--set backbone.items=cached: backbone.items", '"candidates"']),
        (f"settings.chord.reads={[1] * 1000}", ["settings.chord.reads: must be", "1, ...]"]),
        (f"question={'x' * 100_000}", ["4,096"]),
    ],
)
def test_a_wrong_override_is_named_instead_of_the_file(override: str, words: list[str]) -> None:
    line = complaint("offline", (override,))
    assert all(word in line for word in words), line
    assert "offline.toml" not in line and len(line) < 500


def test_a_wrong_seed_is_named() -> None:
    assert complaint("offline", seed=-1).startswith("--seed: seed")


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "did you mean 'quickstart'" in complaint("quikstart")
    assert "no such file" in complaint(tmp_path / "none.toml")
    assert "folder" in complaint(tmp_path)
    assert "device" in complaint(Path("/dev/zero"))
    assert "cannot be read" in complaint("x" * 5000 + ".toml")
    for ref in ("", "a\0b"):
        assert "shipped name or a path" in complaint(ref)


def test_unknown_keys_are_refused_in_resolved_text_too() -> None:
    with pytest.raises(ScenarioError, match="scenario text: unknown key 'sed'"):
        parse("sed = 1\n")


def test_a_scenario_does_not_change_after_validation() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Scenario().seed = 2  # type: ignore[misc]
