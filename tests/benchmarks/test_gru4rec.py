"""The table of GRU4Rec beside SASRec: ratio, difference and interval are those of the house's statistics."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.gru4rec import ratio_words, told


def test_the_ratio_is_of_the_means_and_the_difference_has_users_and_seeds() -> None:
    rng = np.random.default_rng(2)
    sasrec = [rng.random(80) for _ in range(3)]
    gru4rec = [values + 0.05 + 0.01 * rng.normal(size=80) for values in sasrec]
    lines, ratio = told({"sasrec": sasrec, "gru4rec": gru4rec}, 1)
    assert ratio == pytest.approx(np.mean(gru4rec) / np.mean(sasrec))
    assert lines["sasrec"].startswith(f"{np.mean(sasrec):.4f} (") and f"{gru4rec[2].mean():.4f}" in lines["gru4rec"]
    words = ratio_words({"sasrec": sasrec, "gru4rec": gru4rec}, 1)
    assert f"{np.mean(gru4rec) - np.mean(sasrec):+.4f}" in words and "80 users" in words and f"{ratio - 1:+.1%}" in words
