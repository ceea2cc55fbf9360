"""A method that learns ships a new version, and a phone is charged for the parts that changed."""

from __future__ import annotations

import numpy as np

from chordsim import methods
from chordsim.methods import Blob
from chordsim.round.enrolled import Hosted


class _Half:
    """Ships a part that never changes and one that is the state."""

    def bootstrap(self, state):
        return [Blob("fixed", b"x" * 100), Blob("model", state["model"])]


def _method():
    held = np.array([0, 1, 0, 0])
    return Hosted(methods.find("fedavg"), held=held, half=_Half(), state={"model": b"a" * 10})


def test_only_changed_parts_are_missing():
    method = _method()
    assert method.missing_bytes(np.array([0, 1, 3])).tolist() == [110, 0, 110]
    method.update({"model": b"b" * 20}, 2)
    assert method.missing_bytes(np.arange(4)).tolist() == [120, 20, 120, 120]
    method.held[2] = 2
    method.update({"model": b"c" * 5}, 3)
    assert method.missing_bytes(np.arange(4)).tolist() == [105, 5, 5, 105]


def test_an_unchanged_model_is_no_news():
    method = _method()
    method.update({"model": b"a" * 10}, 2)
    assert method.missing_bytes(np.arange(2)).tolist() == [110, 0]


def test_a_checkpoint_brings_back_when_parts_changed():
    method, again = _method(), _method()
    method.update({"model": b"b" * 20}, 2)
    again.update({"model": b"b" * 20}, 2, method.introduced)
    assert again.missing_bytes(np.arange(4)).tolist() == method.missing_bytes(np.arange(4)).tolist()


def test_phones_download_new_weights_but_not_the_embeddings_again(talk):
    t = talk("fedavg")
    blobs = t.blobs()
    method = Hosted(t.spec, held=np.array([1, 0]), half=t.cloud, state=t.state)
    method.update({**t.state, "weights.0": t.state["weights.0"] + 1}, 2)
    assert method.missing_bytes(np.array([0, 1])).tolist() == [len(blobs["weights"]), sum(map(len, blobs.values()))]
