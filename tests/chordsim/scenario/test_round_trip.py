"""Any valid scenario comes back from its own text, and any text gives a scenario or one clear line."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chordsim.config.model import Scenario, TierConfig
from chordsim.errors import ScenarioError
from chordsim.scenario.load import digest, dump, load, parse, resolve_settings

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
SMALL = st.floats(1e-6, 1.0)


@st.composite
def tiers(draw: st.DrawFn) -> dict[str, TierConfig]:
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    weights = [draw(st.floats(0.1, 1)) for _ in names]
    shares = [w / sum(weights) for w in weights]
    memory = draw(st.sampled_from([{"memory_mb": 3.5}, {"memory_of_fp32": 0.1}]))
    return {
        name: TierConfig(
            share=share,
            ram_gb=draw(SMALL),
            gmacs_per_s=draw(SMALL),
            down_mbps=draw(SMALL),
            up_mbps=1,
            round_trip_ms=draw(SMALL),
            nj_per_mac=draw(SMALL),
            radio_w=draw(SMALL),
            **memory,
        )
        for name, share in zip(names, shares, strict=True)
    }


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=400)
    return resolve_settings(
        Scenario.model_validate(
            {
                "question": draw(text),
                "name": draw(NAMES),
                "seed": draw(st.integers(0, 2**63 - 1)),
                "methods": draw(st.permutations(["fp32", "uniform-4", "chord", "cloud-only"])),
                "data": draw(st.sampled_from([{}, {"source": "synthetic"}, {"source": "file", "path": "/a b/ü.csv"}])),
                "training": {"lr": draw(SMALL), "dropout": draw(st.floats(0, 0.9))},
                "population": {"devices": draw(st.integers(0, 10**10)), "tiers": draw(tiers())},
                "clock": {"deadline_s": draw(st.floats(0, 1e9)), "loss": draw(st.floats(0, 1))},
                "settings": draw(st.sampled_from([{}, {"chord": {"bits": 2}}])),
            }
        )
    )


@given(scenarios())
@settings(max_examples=60)
def test_text_round_trip(scenario: Scenario) -> None:
    again = parse(dump(scenario))
    assert again == scenario
    assert digest(again) == digest(scenario)
    assert dump(again) == dump(scenario)


WHOLE = dump(load("offline"))
#: A sound scenario of which a few characters are other ones, so that most of it is read.
NEARLY = st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 12), st.text('0aeflrtu1.-_"=[]\n', max_size=6)).map(
    lambda cut: WHOLE[: cut[0]] + cut[2] + WHOLE[cut[0] + cut[1] :]
)


@given(st.text(max_size=300) | NEARLY)
@settings(max_examples=150)
def test_any_text_is_a_scenario_or_one_line(text: str) -> None:
    try:
        parse(text)
    except ScenarioError as error:
        assert "\n" not in str(error)


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(list(Scenario.model_fields)), JSONISH)
@settings(max_examples=150)
def test_any_value_of_any_key_is_taken_or_explained(key: str, value: object) -> None:
    from pydantic import ValidationError

    from chordsim.scenario.explain import explain

    try:
        Scenario.model_validate({key: value})
    except ValidationError as error:
        line = explain(error, "file.toml", {})
        assert key in line and line.startswith("file.toml: ")
