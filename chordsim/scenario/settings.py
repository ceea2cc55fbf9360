"""The settings of a scenario's methods and backbone: checked against what each takes, and filled with its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chordsim import methods
from chordsim.config.model import BackboneConfig, Scenario
from chordsim.errors import ScenarioError
from chordsim.methods.blame import blamed
from chordsim.metrics import spec as metrics
from chordsim.nearest import suggest
from chordsim.nets import spec as backbones


def resolve_settings(scenario: Scenario) -> Scenario:
    """Return the scenario with every setting of its backbone and of every method written out, in the order of its methods.

    Raises:
        ScenarioError: An unknown method or backbone, an unknown setting, a value of another type than the default or outside of
            what is allowed, a method, backbone or metric that is registered but cannot be loaded, or one that cannot work with this
            backbone, under this ranking or without lists.
    """
    scenario = scenario.model_copy(update={"backbone": resolved_backbone(scenario.backbone)})
    if scenario.retriever is not None:
        resolved_backbone(scenario.lister[0])
    metrics.asked_for(scenario.protocol)
    filled = {}
    chosen = {name: _as_set(name, methods.find(name), scenario.settings.get(name, {})) for name in scenario.methods}
    # What is wrong with settings that a control takes over is said of the method that they were given to, which is looked at first.
    for name, spec in sorted(chosen.items(), key=lambda item: bool(item[1].settings_of)):
        _check_backbone(spec, scenario.backbone.kind)
        _check_ranking(spec, scenario.protocol.ranking)
        _check_mode(spec, scenario.rounds.mode)
        given = {**_shared(spec, scenario), **scenario.settings.get(name, {})}
        table = _filled(f"settings.{name}", name, given, spec.defaults, spec.allowed)
        with blamed(name, "its settings"):
            spec.check(table)
            spec.check_on(table, scenario.backbone)
        playing = _as_set(name, spec, table)
        _check_items(playing, scenario)
        _check_lists(playing, scenario.protocol.ranking)
        if table:
            filled[name] = table
    return scenario.model_copy(update={"settings": {name: filled[name] for name in scenario.methods if name in filled}})


def resolved_backbone(backbone: BackboneConfig) -> BackboneConfig:
    """Return the backbone with every setting of its kind written out.

    Raises:
        ScenarioError: An unknown kind, or settings that it does not take.
    """
    spec = backbones.find(backbone.kind)
    table = _filled("backbone.settings", spec.name, backbone.settings, spec.defaults, spec.allowed)
    filled = backbone.model_copy(update={"settings": table})
    spec.check(filled)
    return filled


def _as_set(name: str, spec: methods.MethodSpec, settings: Mapping[str, Any]) -> methods.MethodSpec:
    """Return the method ``name`` as settings choose it."""
    with blamed(name, "its settings"):
        chosen = spec.as_set(settings)
    if not isinstance(chosen, methods.MethodSpec):
        raise ScenarioError(f"methods: {name!r}: its as_set returns {type(chosen).__name__}, which is no MethodSpec")
    return chosen


def _filled(
    where: str, name: str, given: Mapping[str, Any], defaults: Mapping[str, Any], bounds: Mapping[str, methods.Allowed]
) -> dict[str, Any]:
    """Return all settings of the table ``where`` of the method or backbone ``name``, those that are not given at their defaults."""
    for key in given:
        if key not in defaults:
            near = suggest(key, defaults) if defaults else f": {name} has no settings"
            raise ScenarioError(f"unknown key '{where}.{key}'{near}")
    table = {key: _typed(f"{where}.{key}", given.get(key, default), default) for key, default in defaults.items()}
    for key, allowed in bounds.items():
        _check_value(f"{where}.{key}", table[key], allowed)
    return table


def _shared(spec: methods.MethodSpec, scenario: Scenario) -> Mapping[str, Any]:
    """Return what the scenario says about the method whose settings this one shares."""
    return {key: value for key, value in scenario.settings.get(spec.settings_of, {}).items() if key in spec.defaults}


def _check_backbone(spec: methods.MethodSpec, kind: str) -> None:
    if spec.backbones and kind not in spec.backbones:
        able = " or ".join(f'"{name}"' for name in spec.backbones)
        raise ScenarioError(f'methods: {spec.name!r} needs backbone.kind = {able}, and this scenario has "{kind}"')


def _check_items(spec: methods.MethodSpec, scenario: Scenario) -> None:
    """Refuse a method that cannot play, or not with so small a cache, where the catalogue stays in the cloud."""
    backbone = scenario.backbone
    if backbone.items == "owned":
        return
    if spec.cached == "no":
        raise ScenarioError(f'methods: {spec.name!r} {spec.not_cached}: leave it out, or set backbone.items = "owned"')
    least = spec.history_length(backbone.max_len) + scenario.protocol.list_length
    if spec.cached == "rows" and backbone.cache_rows < least:
        raise ScenarioError(f"backbone.cache_rows = {backbone.cache_rows}: {spec.name!r} reads older items too, and needs at least {least}")


def _check_ranking(spec: methods.MethodSpec, ranking: str) -> None:
    if spec.ranks != "scores" and ranking == "sampled-100":
        raise ScenarioError(f'protocol.ranking: "{ranking}" needs scores, and {spec.name!r} sends a list: use "all", or leave it out')


def _check_lists(spec: methods.MethodSpec, ranking: str) -> None:
    if spec.needs_lists and ranking != "candidates":
        raise ScenarioError(
            f'settings.{spec.name} reads what the cloud lists, and protocol.ranking = "{ranking}" has no lists: set it to "candidates"'
        )


def _check_mode(spec: methods.MethodSpec, mode: str) -> None:
    if mode == "buffered" and not spec.buffers:
        why = "takes in no update that was made from an older model" if spec.learns else "learns nothing from phones"
        raise ScenarioError(f'methods: {spec.name!r} {why}, so rounds.mode = "buffered" is not for it: leave one of them out')


def _typed(key: str, value: Any, default: Any) -> Any:
    """Return the value in the default's type: whole numbers where floats are meant, lists for tuples."""
    value, default = _plain(value), _plain(default)
    if default is None or type(value) is type(default):
        return value
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    raise ScenarioError(f"{key}: must be {_kind(default)}, such as {_toml(default)}, not {_toml(value)}")


def _check_value(key: str, value: Any, allowed: methods.Allowed) -> None:
    if isinstance(value, list):
        if not value:
            raise ScenarioError(f"{key}: must have an entry")
        for entry in value:
            _check_value(f"{key}: each", entry, allowed)
    elif isinstance(allowed[0], str):
        if value not in allowed:
            raise ScenarioError(f"{key}: must be {' or '.join(_toml(word) for word in allowed)}, not {_toml(value)}")
    elif isinstance(value, bool) or not isinstance(value, int | float) or not allowed[0] <= value <= allowed[-1]:
        only = f"must be {allowed[0]:g}" if allowed[0] == allowed[-1] else f"must be a number from {allowed[0]:g} to {allowed[-1]:g}"
        raise ScenarioError(f"{key}: {only}, not {_toml(value)}")


def _plain(value: Any) -> Any:
    """Return the value as TOML would give it back."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return value


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "an integer", float: "a number", str: "a text", list: "a list", dict: "a table"}
    return names.get(type(value), "of another type")


def _toml(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
