"""The book-keeping: rows that add up pass, and each way of not adding up is named with its place."""

import dataclasses

import numpy as np
import pytest

from chordsim.errors import InvariantError
from chordsim.ledger.columns import COLUMNS
from chordsim.ledger.invariants import DOWN_PARTS, UP_PARTS, check
from chordsim.ledger.rows import Rows


def with_cell(rows, column, value, row):
    """Return rows with one stored cell changed, past the checks of `Rows.of`."""
    values = rows[column].copy()
    values[row] = value
    return dataclasses.replace(rows, values={**rows.values, column: values})


def with_null(rows, column, null, row):
    nulls = rows.nulls[column].copy()
    nulls[row] = null
    return dataclasses.replace(rows, nulls={**rows.nulls, column: nulls})


def first(rows, column, word):
    return int(np.argmax(rows.is_word(column, word)))


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_add_up_pass(make_rows, moved, seed):
    rows = make_rows(200, seed)
    check(rows, moved(rows))


def test_no_rows_pass(make_rows, moved):
    rows = make_rows(0)
    check(rows, moved(rows))


@pytest.mark.parametrize("part", [*DOWN_PARTS, *UP_PARTS, "down_bytes", "up_bytes", "cut_down_bytes", "cut_up_bytes"])
def test_parts_must_add_up(make_rows, moved, part):
    rows = make_rows(100, method="fp32", round=4)
    row = first(rows, "outcome", "dropped")
    whole = "down_bytes" if part in DOWN_PARTS or "down" in part else "up_bytes"
    with pytest.raises(InvariantError, match=f"ledger of fp32, round 4, device {rows['device_id'][row]}: {whole} and"):
        check(with_cell(rows, part, rows[part][row] + 1, row), moved(rows))


@pytest.mark.parametrize(
    ("field", "column"), [("message_down_bytes", "down_bytes"), ("charged_bootstrap_bytes", "down_bytes"), ("message_up_bytes", "up_bytes")]
)
def test_the_ledger_must_reconcile_with_the_engine(make_rows, moved, field, column):
    rows = make_rows(method="fp32", round=4)
    right = moved(rows)
    wrong = dataclasses.replace(right, **{field: getattr(right, field) - 1})
    with pytest.raises(InvariantError, match=f"fp32, round 4: {column} sum to .*, but the engine moved"):
        check(rows, wrong)


@pytest.mark.parametrize("column", [c.name for c in COLUMNS if c.unit in ("B", "s", "J", "MAC", "bit")])
def test_nothing_is_negative(make_rows, moved, column):
    rows = make_rows()
    with pytest.raises(InvariantError, match=f"{column} is negative"):
        check(with_cell(rows, column, -1, 3), moved(rows))


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_nothing_is_infinite(make_rows, moved, value):
    rows = make_rows()
    with pytest.raises(InvariantError, match="total_s is not finite"):
        check(with_cell(rows, "total_s", value, 3), moved(rows))


@pytest.mark.parametrize("outcome", ["served", "offline"])
def test_waste_needs_an_outcome_that_wastes(make_rows, moved, outcome):
    rows = make_rows(200)
    row = first(rows, "outcome", outcome)
    with pytest.raises(InvariantError, match=f"device {rows['device_id'][row]}: wasted_bytes is above 0"):
        check(with_cell(rows, "wasted_bytes", 1, row), moved(rows))


def test_a_refusal_wastes_only_after_download(make_columns, moved):
    columns = make_columns(200)
    row = int(np.argmax(columns["outcome"] == 1))
    for part in (*DOWN_PARTS, "down_bytes", "cut_down_bytes"):
        columns[part][row] = 0
    columns["wasted_bytes"][row] = 1
    rows = Rows.of("m", 1, columns, tiers="abc")
    with pytest.raises(InvariantError, match="wasted_bytes is above 0"):
        check(rows, moved(rows))


def test_no_more_is_wasted_than_crossed(make_rows, moved):
    rows = make_rows(200)
    row = first(rows, "outcome", "late")
    with pytest.raises(InvariantError, match="wasted_bytes is more than crossed"):
        check(with_cell(rows, "wasted_bytes", rows["down_bytes"][row] + rows["up_bytes"][row] + 1, row), moved(rows))


@pytest.mark.parametrize(
    ("column", "code", "outcome", "says"),
    [
        ("refused_by", 0, "refused", "refused_by is none"),
        ("refused_by", 1, "served", "refused_by names a side"),
        ("served_by", 2, "served", "served_by is fallback"),
    ],
)
def test_outcomes_agree(make_rows, moved, column, code, outcome, says):
    rows = make_rows(200)
    with pytest.raises(InvariantError, match=says):
        check(with_cell(rows, column, code, first(rows, "outcome", outcome)), moved(rows))


@pytest.mark.parametrize("column", ["hr_5", "ndcg_5", "hr_10", "ndcg_10", "mrr"])
@pytest.mark.parametrize("outcome", ["served", "offline"])
def test_metrics_are_null_exactly_where_the_model_did_not_rank(make_rows, moved, column, outcome):
    rows = make_rows(200)
    row = first(rows, "outcome", outcome)
    with pytest.raises(InvariantError, match=f"{column} is null without rank"):
        check(with_null(rows, column, outcome == "served", row), moved(rows))


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [("rank", 0.5, "rank is below 1"), ("hr_10", 2.0, "hr_10 is above 1"), ("ndcg_10_all", 0.123, "ndcg_10_all is not ndcg_10")],
)
def test_scores_are_possible(make_rows, moved, column, value, says):
    rows = make_rows(200)
    with pytest.raises(InvariantError, match=says):
        check(with_cell(rows, column, value, first(rows, "outcome", "served")), moved(rows))
