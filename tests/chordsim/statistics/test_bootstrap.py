"""The one bootstrap over users is the books' bootstrap, draws users alike for all columns, and stays within its memory."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from chordsim.statistics import bootstrap
from chordsim.statistics.bootstrap import intervals, resampled_means


def test_intervals_and_p_agree_with_scipys_bootstrap():
    values = np.random.default_rng(1).exponential(0.1, 300) - 0.09
    ((ends, p),) = intervals(values[:, None], 1)
    reference = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2), batch=1000)
    assert ends == pytest.approx(tuple(reference.confidence_interval), abs=3e-4)
    draws = reference.bootstrap_distribution
    assert p == pytest.approx(2 * min((draws <= 0).mean(), (draws >= 0).mean()), abs=0.02)


def test_users_are_drawn_alike_in_all_columns_and_users_without_a_value_are_nobody():
    values = np.random.default_rng(0).random(60)
    table = np.stack([values, 2 * values, np.where(np.arange(60) < 30, values, np.nan)], axis=1)
    draws = resampled_means(table, 3)
    assert np.allclose(draws[:, 1], 2 * draws[:, 0])
    alone = intervals(values[:30, None], 3)[0][0]
    assert intervals(table, 3)[2][0] == pytest.approx(alone, abs=0.03)
    nobody = np.concatenate([table, np.full((500, 3), np.nan)])
    assert intervals(nobody, 3) == intervals(table, 3)


def test_how_the_work_is_blocked_does_not_matter(monkeypatch):
    values = np.random.default_rng(4).random((50, 1))
    whole = resampled_means(values, 1)
    monkeypatch.setattr(bootstrap, "_BLOCK_VALUES", 50 * 300)
    assert np.allclose(resampled_means(values, 1), whole)


def test_many_users_take_the_normal_approximation_and_agree_with_the_bootstrap_and_the_t_test(monkeypatch):
    values = np.random.default_rng(3).exponential(1.0, (3000, 1)) - 1.02
    ((ends, p),) = intervals(values, 1)
    monkeypatch.setattr(bootstrap, "BOOTSTRAP_USERS", 1000)
    ((normal_ends, normal_p),) = intervals(values, 1)
    assert normal_ends == pytest.approx(ends, abs=0.002) and normal_p == pytest.approx(p, abs=0.02)
    assert normal_p == pytest.approx(stats.ttest_1samp(values[:, 0], 0).pvalue, abs=1e-3)


def test_no_difference_is_zero_wide_with_p_1_and_one_user_has_no_interval():
    assert intervals(np.zeros((9, 1)), 1) == [((0.0, 0.0), 1.0)]
    assert intervals(np.array([[1.0, np.nan], [np.nan, np.nan]]), 1) == [None, None]
    assert intervals(np.zeros((0, 2)), 1) == [None, None]
