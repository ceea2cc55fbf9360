"""Item rows of few bits: trained with the rounding, the same for all methods, and stored as what training saw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import chordsim
from chordsim import methods
from chordsim.config.model import BackboneConfig
from chordsim.errors import WireError
from chordsim.methods import ITEM_TABLE
from chordsim.nets import blobs, by_frequency, embeddings, footprint
from chordsim.nets.recommender import Dense
from chordsim.nets.shapes import shapes_of
from chordsim.progress import Silent
from chordsim.scenario.load import load
from chordsim.scenario.text import dump
from chordsim.wire.item_rows import pack_tagged_rows, row_bytes, unpack_tagged_rows
from chordsim.world import World, of_text
from clients.half import item_table
from server.hosting import train
from server.item_tables import table_blobs
from server.training.rounding import WIDTHS, Rounding

DIM, ITEMS = 12, 57
POPULARITY = np.concatenate([[0], np.random.default_rng(3).zipf(1.5, ITEMS) % 50])
CACHED = ("protocol.candidates=20", "protocol.ranking=candidates", "backbone.items=cached", "clock.loss=0.0", "rounds.count=2")


def world_of(tiny: Callable[..., list[str]], *more: str, names: tuple[str, ...]) -> World:
    return of_text(dump(load("offline", tiny(*more, methods=names))))


def test_the_most_frequent_items_have_the_most_bits() -> None:
    widths = by_frequency.widths_of(POPULARITY)
    first, second, third = by_frequency.counts(ITEMS)
    assert (first, second, third) == (6, 18, 33) and widths[0] == 2
    for bits, others in ((8, (4, 2)), (4, (2,))):
        assert POPULARITY[1:][widths[1:] == bits].min() >= POPULARITY[1:][np.isin(widths[1:], others)].max()
    assert [(widths[1:] == bits).sum() for bits in by_frequency.WIDTHS] == [first, second, third]
    for n_items in (2, 3, 9, 10, 11, 1000):
        assert sum(by_frequency.counts(n_items)) == n_items and min(by_frequency.counts(n_items)) >= 0


@pytest.mark.parametrize("items", ["owned", "cached"])
def test_a_table_by_frequency_comes_back_as_its_rows_would_alone_and_weighs_what_is_said(items: str) -> None:
    config = BackboneConfig(dim=DIM, heads=2, embedding_bits="by-frequency", items=items)  # type: ignore[arg-type]
    shapes = shapes_of(config, ITEMS, 20 if items == "cached" else 0)
    widths = torch.from_numpy(by_frequency.widths_of(POPULARITY))
    item = torch.randn(ITEMS + 1, DIM)
    held = {blob.label: blob.data for blob in table_blobs(shapes, {"item": item, WIDTHS: widths}, {"position": torch.zeros(1, DIM)})}
    back = item_table(held, shapes)
    for bits in by_frequency.WIDTHS:
        assert torch.equal(back[widths == bits], embeddings.rounded(item, bits)[widths == bits])
    stored = embeddings.encode(item, "by-frequency", "item", widths)
    weighs = sum(part.numel() * part.element_size() for part in stored.values())
    assert weighs == embeddings.table_bytes(ITEMS + 1, DIM, "by-frequency")
    if items == "owned":
        assert footprint.embedding_bytes(shapes) >= weighs
        assert weighs < embeddings.table_bytes(ITEMS + 1, DIM, 8)
    else:
        # A cache may hold wide rows alone.
        assert footprint.embedding_bytes(shapes) >= config.cache_rows * by_frequency.most_bytes(DIM)


def test_widths_that_do_not_fit_their_rows_are_a_typed_error() -> None:
    widths = torch.from_numpy(by_frequency.widths_of(POPULARITY))
    stored = embeddings.encode(torch.randn(ITEMS + 1, DIM), "by-frequency", "item", widths)
    lying = {**stored, "item.widths": torch.zeros_like(stored["item.widths"])}
    with pytest.raises(WireError, match="rows of 8 bits"):
        embeddings.decode(lying, "item", DIM)
    config = BackboneConfig(dim=DIM, heads=2, embedding_bits="by-frequency")
    short = {**stored, "item.4": stored["item.4"][1:]}
    with pytest.raises(WireError, match=r"item\.4"):
        item_table({"embeddings": blobs.save(short)}, shapes_of(config, ITEMS))


def test_tagged_rows_come_back_and_damaged_ones_are_none() -> None:
    widths = by_frequency.widths_of(POPULARITY)
    held = [bytes([bits]) + bytes(range(row_bytes(DIM, int(bits)))) for bits in widths.tolist()]
    rows = {item: np.frombuffer(row, np.uint8) for item, row in enumerate(held)}
    asked = np.array([5, 1, 57, 20])
    sent = pack_tagged_rows(rows, [asked])[0]
    assert len(sent) == by_frequency.wire_bytes(widths, DIM)[asked].sum()
    got = unpack_tagged_rows(sent, asked.size, DIM, by_frequency.WIDTHS)
    assert got is not None and [bits for bits, _ in got] == widths[asked].tolist()
    assert [row for _, row in got] == [rows[item].tobytes()[1:] for item in asked.tolist()]
    for damaged in (sent[:-1], sent + b"\0", b"\3" + sent[1:], b"", bytes(len(sent))):
        assert unpack_tagged_rows(damaged, asked.size, DIM, by_frequency.WIDTHS) is None


def test_rounding_may_begin_later(tiny: Callable[..., list[str]]) -> None:
    """Until then steps are those of exact rows; from the first on they are others."""
    tables = []
    for more in (("backbone.embedding_bits=32",), *((f"training.rounding_from={step}", "backbone.embedding_bits=2") for step in (5, 0))):
        world = world_of(tiny, *more, names=("fp32",))
        (method,) = train(world, Silent()).methods
        tables.append(method.state["item"])
    assert torch.equal(tables[0], tables[1]) and not torch.equal(tables[0], tables[2])


@pytest.mark.parametrize("bits", [2, 4, "by-frequency", 8, 32])
def test_a_step_sees_the_rows_of_phones_and_leaves_the_exact_ones(bits: int | str, tiny: Callable[..., list[str]]) -> None:
    world = world_of(tiny, f"backbone.embedding_bits={bits}", names=("fp32",))
    model = Dense(world.shapes, 1)
    exact, rounding = model.item.detach().clone(), Rounding(model, world.logs)
    with rounding.in_place():
        seen = model.item.detach().clone()
        (model.item * torch.arange(model.item.shape[1])).sum().backward()
    assert torch.equal(model.item.detach(), exact)
    assert torch.equal(seen, model.item_as_shipped() if bits not in (8, 32) else exact)
    # Straight through: the gradient is that of the rounded rows, whole.
    assert model.item.grad is not None and torch.equal(model.item.grad[3], torch.arange(model.item.shape[1]).float())
    assert set(rounding.notes()) == ({WIDTHS} if bits == "by-frequency" else set())


def test_training_with_the_rounding_is_better_at_the_rows_of_phones_than_rounding_afterwards() -> None:
    """Fit rows whose products with some states should be given numbers, by plain steps, with and without the rounding."""
    generator = torch.Generator().manual_seed(5)
    # What one number of a row gets wrong, others can make good, since states do not fill their space.
    states = torch.randn(200, 4, generator=generator) @ torch.randn(4, DIM, generator=generator)
    states = states + 0.05 * torch.randn(200, DIM, generator=generator)
    wanted = states @ torch.randn(DIM, ITEMS + 1, generator=generator)
    shapes = shapes_of(BackboneConfig(dim=DIM, heads=2, embedding_bits=2), ITEMS)
    logs = None

    def loss_of(table: torch.Tensor) -> torch.Tensor:
        return (states @ table.T - wanted).square().mean()

    reached = {}
    for trained_with in (True, False):
        model = Dense(shapes, 7)
        optimiser = torch.optim.Adam([model.item], lr=0.02)
        rounding = Rounding(model, logs)  # type: ignore[arg-type]
        for step in range(400):
            optimiser.param_groups[0]["lr"] = 0.02 * (1 - step / 400)
            optimiser.zero_grad()
            if trained_with:
                with rounding.in_place():
                    loss_of(model.item).backward()
            else:
                loss_of(model.item).backward()
            optimiser.step()
        reached[trained_with] = float(loss_of(model.item_as_shipped()))
    assert reached[True] < reached[False]


NAMES = ("fp32", "uniform-2", "otaro", "film-192", "chord-plus", "diet", "duet", "cocorrrec", "chai", "forward-ofa", "dccl", "cloud-only")


@pytest.mark.parametrize(
    ("bits", "items"),
    [
        (2, "owned"),
        ("by-frequency", "cached"),
        *(pytest.param(*other, marks=pytest.mark.slow) for other in ((2, "cached"), ("by-frequency", "owned"))),
    ],
)
def test_every_method_holds_and_is_charged_for_rows_of_that_width(
    bits: int | str, items: str, tiny: Callable[..., list[str]], tmp_path: Path
) -> None:
    more = CACHED if items == "cached" else ("rounds.count=1", "clock.loss=0.0")
    overrides = tiny(*more, f"backbone.embedding_bits={bits}", methods=NAMES)
    run = chordsim.run("offline", overrides=overrides, out=tmp_path / "run")
    assert run.manifest["status"] == "complete"
    world = of_text(dump(load("offline", overrides)))
    for method in train(world, Silent()).methods:
        parts = {label: method.blobs[digest] for label, digest in method.labels.items()}
        if not parts:
            continue
        state = method.state
        expected = embeddings.rounded(state["item"], world.scenario.backbone.embedding_bits, state.get(WIDTHS))
        if method.spec.name != "chai":  # whose students are of another width
            assert torch.equal(item_table(parts, world.shapes), expected), method.spec.name
        assert (ITEM_TABLE in parts) == (items == "cached")
        half = methods.load(method.spec.device)(world.context(method.spec.name))
        assert half.load(parts) is not None
    if items == "cached":
        rows = run.ledger[(run.ledger.method == "fp32") & (run.ledger.outcome == "served") & (run.ledger["round"] == 1)]
        one = {2: row_bytes(16, 2), "by-frequency": by_frequency.most_bytes(16)}[bits]
        least = {2: row_bytes(16, 2), "by-frequency": 1 + row_bytes(16, 2)}[bits]
        assert (rows.rows_bytes <= rows.cached_rows * one).all() and (rows.rows_bytes >= rows.cached_rows * least).all()
        if bits == 2:
            assert (rows.rows_bytes == rows.cached_rows * one).all()
        else:
            assert (rows.rows_bytes < rows.cached_rows * one).any()


def test_bytes_by_frequency_are_those_of_the_rows_asked_for(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    overrides = tiny(*CACHED, "backbone.embedding_bits=by-frequency", methods=("fp32",))
    run = chordsim.run("offline", overrides=overrides, out=tmp_path / "run")
    world = of_text(dump(load("offline", overrides)))
    sizes = by_frequency.wire_bytes(by_frequency.widths_of(world.popularity), 16)
    served = run.ledger[(run.ledger.outcome == "served") & (run.ledger["round"] == 1)]
    assert len(served) > 10
    for row in served.itertuples():
        user = np.array([row.user_id])
        lists = world.candidates(user)
        assert lists is not None
        items = set(lists[0].tolist()) | set(world.split.history(user, 1, 12).items[0].tolist())
        assert row.rows_bytes == sum(int(sizes[item]) for item in items if item)


def test_a_wrong_width_is_one_line() -> None:
    with pytest.raises(chordsim.errors.ScenarioError, match="embedding_bits") as caught:
        load("offline", ["backbone.embedding_bits=3"])
    assert "\n" not in str(caught.value)
