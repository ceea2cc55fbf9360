"""A plug-in that breaks one promise fails with that promise's name."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chordsim import testing
from chordsim.methods.cloud_only import cloud as cloud_only
from chordsim.methods.counts import cloud as counts
from chordsim.methods.counts import device as shown
from chordsim.metrics import MetricSpec, Ranked
from chordsim.nets import gru4rec
from chordsim.ragged import Ragged
from tests.laid_out import laid_out
from tests.properties.test_rooms import ROOT


def fails(name: str, check: Any, *args: Any) -> None:
    with pytest.raises(testing.PropertyFailed) as caught:
        check(*args)
    line = str(caught.value)
    assert caught.value.name == name and name in line and "\n" not in line and line.startswith(args[0])


def test_a_backbone_that_looks_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    true = gru4rec.forward

    def ahead(items: Any, states: Any, *args: Any, **keys: Any) -> Any:
        return true(items, states + states.mean(1, keepdim=True) * (items > 0).unsqueeze(-1), *args, **keys)

    monkeypatch.setattr(gru4rec, "forward", ahead)
    fails("blind to padding", testing.check_backbone, "gru4rec")

    def shifted(items: Any, states: Any, *args: Any, **keys: Any) -> Any:
        return true(items, torch.cat([states[:, 1:], states[:, -1:]], 1), *args, **keys)

    monkeypatch.setattr(gru4rec, "forward", shifted)
    fails("causal", testing.check_backbone, "gru4rec")


def test_a_backbone_that_mixes_phones(monkeypatch: pytest.MonkeyPatch) -> None:
    true = gru4rec.forward
    monkeypatch.setattr(gru4rec, "forward", lambda *args, **keys: (lambda out: out + out.mean(0, keepdim=True))(true(*args, **keys)))
    fails("the same alone and among others", testing.check_backbone, "gru4rec")


def test_a_backbone_whose_closed_form_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gru4rec, "activation_bytes", lambda config: 1.5)
    fails("sized in closed form", testing.check_backbone, "gru4rec")


def test_a_method_with_a_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, true = count(), shown.PopularityDevice.act

    def act(self: Any, *args: Any) -> Any:
        turn = true(self, *args)
        return replace(turn, scores=turn.scores + np.float32(next(calls)))

    monkeypatch.setattr(shown.PopularityDevice, "act", act)
    fails("deterministic", testing.check_method, "popularity")


def test_a_method_that_trains_otherwise_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, half = count(), counts.PopularityCloud
    true = half.train
    monkeypatch.setattr(half, "train", lambda self, *args: {k: v + next(calls) for k, v in true(self, *args).items()})
    fails("trained the same again", testing.check_method, "popularity")


def test_a_method_that_sends_more_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    true = cloud_only.CloudOnlyCloud.respond

    def respond(self: Any, *args: Any) -> Any:
        turn = true(self, *args)
        rows = [turn.outbox[row] + b"!" if len(turn.outbox[row]) else b"" for row in range(len(turn.outbox))]
        return replace(turn, outbox=Ragged.of_rows(rows))

    monkeypatch.setattr(cloud_only.CloudOnlyCloud, "respond", respond)
    fails("as large as its sizes say", testing.check_method, "cloud-only")


def hits(ranked: Ranked) -> Any:
    return np.where(np.isnan(ranked.rank), np.nan, ranked.rank <= 3)


@pytest.mark.parametrize(
    ("name", "keys", "function"),
    [
        ("of the right shape", {}, lambda r: hits(r).mean(keepdims=True)),
        ("pure", {}, lambda r: hits(r) + (np.copyto(r.rank, 1.0) or 0)),
        ("per user", {}, lambda r: hits(r) - np.nanmean(hits(r))),
        ("the same in any order", {"whole": True}, lambda r: r.rank[~np.isnan(r.rank)][:1]),
        ("blind to who did not rank", {}, lambda r: (r.rank <= 3).astype(np.float64)),
        ("blind to who did not rank", {"whole": True}, lambda r: np.array([r.rank.size * 1.0])),
        ("blind to padding", {"needs": "lists"}, lambda r: np.where(np.isnan(r.rank), np.nan, (r.lists > 0).mean(1))),
        ("of the right shape", {}, lambda r: r.no_such_thing),
    ],
)
def test_a_metric_that_is_none(name: str, keys: Any, function: Any) -> None:
    with pytest.raises(testing.PropertyFailed) as caught:
        testing.check_metric(MetricSpec("mine", "", function, **keys))
    assert caught.value.name == name and str(caught.value).startswith(f"mine: not {name}: ")


#: What is broken in a copy of each example's package: a file, what stands in it, and what stands there instead.
BREAKS = {
    "whats_next": ("device.py", "history.items[:, -1:]", "history.items[:, -1:] % 2 * np.arange(1, len(who) + 1)[:, None]"),
    "fading": ("net.py", "fade * (age[:, None] >= age)", "fade"),
    "long_tail": ("__init__.py", "share, np.nan)", "share - share.mean(), np.nan)"),
}


def broken_copy(site: Path, package: str) -> None:
    """Lay out a package of another name beside the example's, which does all that it does but for one line."""
    path, whole, instead = BREAKS[package]
    for source in (site / package).glob("*.py"):
        text = source.read_text().replace(f"{package}.", f"{package}_broken.")
        text = text.replace(f'"{package.replace("_", "-")}"', f'"{package.replace("_", "-")}-broken"')
        if source.name == path:
            assert whole in text
            text = text.replace(whole, instead)
        (site / f"{package}_broken").mkdir(exist_ok=True)
        (site / f"{package}_broken" / source.name).write_text(text)


def test_what_other_packages_bring_passes_and_what_is_broken_in_them_is_named(tmp_path: Path) -> None:
    """The examples, as an installer lays them out, and a copy of each with one broken line."""
    for example, package, group, line in (
        ("third_party_method", "whats_next", "methods", "whats-next = whats_next.spec:spec"),
        ("third_party_backbone", "fading", "backbones", "fading = fading.spec:FADING"),
        ("third_party_metric", "long_tail", "metrics", "long-tail = long_tail:LONG_TAIL"),
    ):
        laid_out(tmp_path, package, f"chordsim.{group}", line, ROOT / "examples" / example / package)
        broken_copy(tmp_path, package)
        name, _, target = line.partition(" = ")
        laid_out(tmp_path, f"{package}_broken", f"chordsim.{group}", f"{name}-broken = {target.replace(package, f'{package}_broken')}")
    code = (
        'from chordsim import testing\nprint(len(testing.check_method("whats-next", {"listed": 10})))\n'
        'print(len(testing.check_backbone("fading", {"hidden": 16})))\n'
        'print(len(testing.check_metric("long-tail")))\n'
        "def name(check, *given):\n    try:\n        check(*given)\n    except testing.PropertyFailed as failed:\n"
        '        print(failed.name.replace(" ", "_"))\n'
        'name(testing.check_method, "whats-next-broken", {"listed": 10})\n'
        'name(testing.check_backbone, "fading-broken", {"hidden": 16})\n'
        'name(testing.check_metric, "long-tail-broken")\n'
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]), "CHORDSIM_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr[-1500:]
    passed, failed = done.stdout.split()[:3], done.stdout.split()[3:]
    assert passed == ["8", "10", "6"] and failed == ["the_same_alone_and_among_others", "causal", "per_user"]
