"""Rows take what the round loop gives and refuse what does not fit the contract, naming the place."""

import numpy as np
import pytest

from chordsim.errors import InvariantError
from chordsim.ledger.rows import Rows


def test_nulls_and_types(make_rows):
    rows = make_rows(4, rank=np.array([1.0, np.nan, 2.5, np.nan]), plan_age_rounds=np.array([0.0, np.nan, 3.0, 1.0]))
    assert rows["rank"].tolist() == [1.0, 0.0, 2.5, 0.0]
    assert rows.nulls["rank"].tolist() == [False, True, False, True]
    assert rows["plan_age_rounds"].dtype == np.int64
    assert rows.nulls["plan_age_rounds"].tolist() == [False, True, False, False]
    assert np.array_equal(rows.floats("rank"), [1.0, np.nan, 2.5, np.nan], equal_nan=True)


def test_texts_and_codes_are_the_same(make_columns):
    columns = make_columns(6)
    columns["outcome"], columns["tier"] = np.array([0, 1, 2, 3, 4, 5]), np.array([2, 2, 0, 1, 0, 1])
    coded = Rows.of("m", 1, columns, tiers=("low", "mid", "high"))
    texts = {
        "outcome": ["served", "refused", "offline", "dropped", "late", "failed"],
        "tier": ["high", "high", "low", "mid", "low", "mid"],
    }
    written = Rows.of("m", 1, columns | texts)
    for name, want in texts.items():
        assert coded.texts(name).tolist() == written.texts(name).tolist() == want
    assert coded.is_word("outcome", "late", "served").tolist() == [True, False, False, False, True, False]


def test_no_rows(make_rows):
    rows = make_rows(0)
    assert len(rows) == 0
    assert rows.texts("tier").size == 0
    assert not rows.is_word("outcome", "served").any()


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("down_bytes", [1.0, np.nan, 2.0], "device 2: down_bytes is null"),
        ("down_bytes", [1.0, 2.0, 2.5], "device 3: down_bytes is not a whole number"),
        ("down_bytes", np.array([1, 2, 2**63], np.uint64), "device 3: down_bytes does not fit int64"),
        ("down_bytes", ["1", "2", "3"], "down_bytes is <U1, not int64"),
        ("down_bytes", [1, 2], r"down_bytes has shape \(2,\)"),
        ("total_s", [np.nan, 1, 2], "device 1: total_s is null"),
        ("total_s", [True, False, True], "total_s is bool"),
        ("outcome", [0, 6, 1], "device 2: outcome is a code outside"),
        ("outcome", [0, -1, 1], "device 2: outcome is a code outside"),
        ("outcome", ["served", "lost", "late"], "device 2: outcome is not one of served, refused"),
        ("binding", [0.0, 1.0, 2.0], "binding is float64, neither"),
        ("tier", [0, 1, 3], "device 3: tier is a code outside its 3 words"),
        ("tier", np.array(["low", None, "mid"], object), "device 2: tier is not a text"),
        ("device_id", [1, 1, 2], "device 1: device_id is not above"),
        ("device_id", [3, 2, 1], "device 2: device_id is not above"),
        ("device_id", [1.0, 2.0, 3.0], "device_id is float64"),
    ],
)
def test_what_does_not_fit_is_refused(make_columns, column, value, says):
    columns = make_columns(3) | {"device_id": np.array([1, 2, 3]), column: np.asarray(value)}
    with pytest.raises(InvariantError, match=f"ledger of chord, round 7.*{says}"):
        Rows.of("chord", 7, columns, tiers=("low", "mid", "high"))


def test_missing_and_unknown_columns_are_named(make_columns):
    columns = make_columns(2)
    del columns["radio_j"]
    with pytest.raises(InvariantError, match="radio_j is missing"):
        Rows.of("m", 1, columns)
    with pytest.raises(InvariantError, match="rss_bytes is not in the contract"):
        Rows.of("m", 1, make_columns(2) | {"rss_bytes": np.zeros(2)})
