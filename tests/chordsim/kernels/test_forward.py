"""The compiled pass gives torch's states, the same bits for a phone whoever else is there, and takes what a scenario allows."""

from __future__ import annotations

import threading

import pytest
import torch

from chordsim.config.model import BackboneConfig
from chordsim.kernels.choose import told
from chordsim.kernels.forward import last_states
from chordsim.nets import backbone
from chordsim.nets.choice import Choice
from chordsim.quant.quantizer import table

SMALL = {"dim": 12, "ffn_dim": 20, "heads": 3, "max_len": 9}
SHAPES = [
    BackboneConfig(),
    BackboneConfig(**SMALL, blocks=3),
    BackboneConfig(**SMALL, blocks=1),
    BackboneConfig(dim=8, ffn_dim=4, heads=8, blocks=2, max_len=33),
    BackboneConfig(dim=64, ffn_dim=256, heads=1, max_len=130),
    BackboneConfig(dim=144, ffn_dim=80, heads=16, max_len=17),
]
KINDS = ("plan", "grouped", "shared", "own")


def case(config: BackboneConfig, phones: int, kind: str, seed: int = 0) -> tuple:
    """Histories of all lengths, embeddings, and weights of one kind, of the sizes that frozen ones have."""
    made = torch.Generator().manual_seed(seed)
    layers = backbone.net(config).layers(config)
    drawn = [torch.randn(n.channels, n.fan_in, generator=made) * (n.gain / n.fan_in) ** 0.5 for n in layers]
    item = torch.randn(301, config.dim, generator=made) * 0.3
    position = torch.randn(backbone.position_shape(config), generator=made) * 0.3
    items = torch.randint(1, 301, (phones, config.max_len), generator=made)
    lengths = torch.randint(0, config.max_len + 1, (phones,), generator=made)
    items[torch.arange(config.max_len)[None] < config.max_len - lengths[:, None]] = 0
    weights: list = drawn
    if kind in ("plan", "grouped"):
        rows = drawn if kind == "plan" else [w.reshape(-1, 4) for w in drawn]
        weights = [Choice(table(w), torch.randint(0, 4, (phones, w.shape[0]), generator=made)) for w in rows]
    if kind == "own":
        weights = [w * (1 + 0.1 * torch.randn(phones, 1, 1, generator=made)) for w in drawn]
    return items, item, position, weights, config


def only(given: tuple, rows: slice) -> tuple:
    """The same for some of the phones."""
    items, item, position, weights, config = given

    def part(weight: torch.Tensor | Choice) -> torch.Tensor | Choice:
        if isinstance(weight, Choice):
            return Choice(weight.rows, weight.codes[rows])
        return weight[rows] if weight.ndim == 3 else weight

    return items[rows], item, position, [part(w) for w in weights], config


def test_what_is_added_for_a_user_is_added_at_every_position() -> None:
    given = case(SHAPES[1], 40, "plan")
    user = torch.randn(40, 12, generator=torch.Generator().manual_seed(1))
    found = last_states(*given, user)
    assert torch.allclose(found, backbone.last_states(*given, user), atol=4e-6) and not torch.allclose(found, last_states(*given), atol=0.1)
    # The same as another table of positions for each phone.
    items, item, position, weights, config = only(given, slice(7, 8))
    alone = last_states(items, item, position + user[7], weights, config)
    assert torch.allclose(alone, found[7:8], atol=4e-6)
    assert torch.equal(last_states(*only(given, slice(3, 9)), user[3:9]), found[3:9])
    assert bool((found[given[0][:, -1] == 0] == 0).all())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("config", SHAPES, ids=lambda c: f"{c.dim}x{c.ffn_dim}x{c.heads}x{c.blocks}x{c.max_len}")
def test_states_are_those_of_torch(config: BackboneConfig, kind: str) -> None:
    given = case(config, 40, kind)
    exact = backbone.last_states(
        *(part.double() if isinstance(part, torch.Tensor) and part.is_floating_point() else part for part in given[:3]),
        [_double(w) for w in given[3]],
        config,
    )
    found, reference = last_states(*given), backbone.last_states(*given)
    assert found.dtype == torch.float32 and found.shape == reference.shape
    # As close to the exact states as torch is, up to the luck of single roundings.
    ours, theirs = (float((states.double() - exact).abs().max()) for states in (found, reference))
    assert ours < max(2 * theirs, 4e-6)
    assert bool((found[given[0][:, -1] == 0] == 0).all())


@pytest.mark.parametrize("kind", ["shared", "own"])
def test_a_feed_forward_may_be_wider_than_the_scenario_says(kind: str) -> None:
    # Adapters beside it, as `dccl` has them, are hidden units of its own.
    wide = BackboneConfig(dim=12, ffn_dim=28, heads=3, max_len=9, blocks=2)
    *given, _ = case(wide, 20, kind, seed=6)
    narrow = wide.model_copy(update={"ffn_dim": 20})
    assert torch.allclose(last_states(*given, narrow), backbone.last_states(*given, narrow), atol=4e-6)
    assert torch.equal(last_states(*given, narrow), last_states(*given, wide))


def test_layers_of_other_sizes_are_refused() -> None:
    *given, config = case(SHAPES[1], 4, "shared", seed=7)
    for layer, cut in ((0, 11), (4, 19), (5, 11)):
        weights = [w[:cut] if n == layer else w for n, w in enumerate(given[3])]
        with pytest.raises(ValueError, match="the compiled pass wants layers of 12"):
            last_states(*given[:3], weights, config)


def _double(weight: torch.Tensor | Choice) -> torch.Tensor | Choice:
    return Choice(weight.rows.double(), weight.codes) if isinstance(weight, Choice) else weight.double()


@pytest.mark.parametrize("kind", KINDS)
def test_a_phone_has_the_same_bits_alone_and_among_others(kind: str) -> None:
    given = case(SHAPES[0], 24, kind, seed=3)
    together = last_states(*given)
    for rows in (slice(0, 1), slice(5, 6), slice(3, 20), slice(23, 24)):
        assert torch.equal(last_states(*only(given, rows)), together[rows])


def test_a_phone_without_numbers_spoils_no_other() -> None:
    given = case(SHAPES[1], 12, "own", seed=4)
    clean = last_states(*given)
    items, item, position, weights, config = given
    spoilt = [w.clone() for w in weights]
    spoilt[2][5] = torch.nan
    spoilt[3][8] = torch.inf
    found = last_states(items, item, position, spoilt, config)
    others = [n for n in range(12) if n not in (5, 8)]
    assert torch.equal(found[others], clean[others])


def test_gaps_in_a_history_are_as_in_torch() -> None:
    given = case(SHAPES[1], 30, "shared", seed=5)
    given[0][:, 3] = 0
    given[0][:, 6] = 0
    assert torch.allclose(last_states(*given), backbone.last_states(*given), atol=4e-6)


def test_threads_do_not_meet() -> None:
    given = [case(SHAPES[0], 16, "plan", seed=n) for n in range(4)]
    alone = [last_states(*one) for one in given]
    found: dict[int, list[torch.Tensor]] = {}

    def work(n: int) -> None:
        found[n] = [last_states(*given[n]) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(state, alone[n]) for n in range(4) for state in found[n])


def test_other_kinds_are_left_to_torch() -> None:
    config = BackboneConfig(kind="caser", dim=16, max_len=12)
    given = case(config, 8, "plan")
    assert torch.equal(last_states(*given), backbone.last_states(*given))
    assert told("native", config) == "native, compiled by numba; the forward pass of caser stays with torch"


def test_no_gradients_are_taken_along() -> None:
    items, item, position, weights, config = case(SHAPES[1], 4, "shared")
    assert not last_states(items, item.requires_grad_(), position, [w.requires_grad_() for w in weights], config).requires_grad
