"""The moving average equals a naive loop, stands in the model only where it is asked for, and changes what validation keeps."""

import pytest
import torch

from server.training.average import Average
from tests.server.training.test_partial import same, trained, world_of


def test_it_equals_a_naive_loop_and_leaves_the_model_as_it_was():
    model = torch.nn.Linear(3, 2)
    average, made = Average(model, 4), torch.Generator().manual_seed(5)
    steps = [torch.randn(2, 3, generator=made) for _ in range(11)]
    naive = None
    for n, step in enumerate(steps):
        with torch.no_grad():
            model.weight.copy_(step)
        average.update()
        share = max(1 / (n + 1), 1 / 4)
        naive = step if naive is None else naive + share * (step - naive)
    with average.in_place():
        torch.testing.assert_close(model.weight.detach(), naive)
    assert torch.equal(model.weight.detach(), steps[-1])
    with pytest.raises(KeyError), average.in_place():
        raise KeyError
    assert torch.equal(model.weight.detach(), steps[-1])


def test_it_starts_anew_and_goes_on_from_its_state():
    model = torch.nn.Linear(2, 2)
    average = Average(model, 9)
    average.update()
    average.restart()
    with average.in_place():
        pass
    with torch.no_grad():
        model.weight.fill_(7.0)
    average.update()
    other = Average(torch.nn.Linear(2, 2), 9)
    other.load(average.state())
    assert same(other.state(), average.state())
    assert bool((other.state()["weight"] == 7.0).all())


def test_without_steps_there_is_none():
    model = torch.nn.Linear(2, 2)
    average = Average(model, 0)
    before = model.weight.detach().clone()
    average.update()
    with average.in_place():
        assert torch.equal(model.weight.detach(), before)
    assert average.state() == {}


@pytest.mark.parametrize("method", ["fp32", "chord-plus", "qat-2"])
def test_validation_keeps_the_average(method, tmp_path, monkeypatch):
    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path))
    last, _ = trained(world_of(method), method)
    mean, _ = trained(world_of(method, "training.average_steps=4"), method)
    assert not same(last, mean)
