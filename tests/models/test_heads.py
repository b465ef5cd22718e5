"""Heads that are not learned: the pooling as it is, a whitening of it, a part of another head."""

import pytest
import torch
from torch.nn import functional

from data.taxonomy import DescriptorType, Network
from models.networks import NETWORKS
from models.networks.heads import WhiteningHead, keep
from models.pixels import Transform
from models.spec import Backbone, EncoderSpec
from models.weights import build, load, save
from models.whitening import pca_whitening

SPEC = EncoderSpec(
    arguments={"width": 8, "pooling": "rmac"},
    descriptor=DescriptorType.AGGREGATED,
    dimensions=12,
    transform=Transform(size=32),
)
BAGS = SPEC.model_copy(
    update={
        "arguments": {"width": 8, "pooling": {"asmk": {"words": 5, "bits": 16}}},
        "dimensions": 80,
    }
)


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(count))


def test_until_it_is_fixed_the_pooling_is_what_is_learned_from() -> None:
    encoder = build(SPEC, seed=1)
    assert encoder.dimensions == 32
    seen = encoder(images(6))
    assert torch.equal(seen, functional.normalize(encoder.pooled(images(6))))
    seen[:, 0].sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())
    assert not list(encoder.head.parameters())


def test_a_fixed_head_whitens_and_is_part_of_the_file() -> None:
    encoder = build(SPEC, seed=1).eval()
    with torch.no_grad():
        pooled = functional.normalize(encoder.pooled(images(40)))
        found = pca_whitening(pooled, 12)
        assert isinstance(encoder.head, WhiteningHead)
        encoder.head.fix(*found)
        made = encoder(images(40))
    expected = functional.normalize((pooled - found.mean) @ found.matrix.T)
    assert torch.allclose(made, expected, atol=1e-6)
    again = load(save(encoder, SPEC))
    assert again.encoder.dimensions == 12
    rows = again.describe(again.features((images(40) * 255).to(torch.uint8)))
    assert rows.shape == (40, 12)
    apart = torch.from_numpy(rows) - made
    assert apart.abs().max() < 0.05  # but for pixels in whole numbers
    assert "head.project.weight" not in encoder.state_dict()


def test_a_set_of_visual_words_has_no_head() -> None:
    encoder = build(BAGS)
    assert encoder(images(2)).shape == (2, 80)
    assert isinstance(encoder.head, torch.nn.Identity)
    embedder = load(save(encoder, BAGS))
    assert (embedder.metric, embedder.width) == ("asmk", 1 + 5 * 2)
    with pytest.raises(ValueError, match="at float32, not at bfloat16"):
        load(save(encoder, BAGS), precision="bfloat16")


@pytest.mark.parametrize(("size", "stem", "slots"), [(32, 1, 64), (30, 1, 64), (64, 2, 64),
                                                     (100, 8, 16), (28, 1, 49)])  # fmt: skip
def test_a_row_has_a_slot_for_each_cell_of_the_map(size: int, stem: int, slots: int) -> None:
    spec = EncoderSpec(
        arguments={
            "width": 4, "stem": stem, "pooling": {"asmk": {"words": 500, "bits": 16}},
        },
        descriptor=DescriptorType.AGGREGATED,
        dimensions=8000,
        transform=Transform(size=size),
    )  # fmt: skip
    assert spec.stored().width == 1 + 2 * slots
    maps: list[torch.Tensor] = []
    encoder = build(spec)
    encoder.pool.register_forward_pre_hook(lambda _, given: maps.append(given[0]))  # type: ignore[union-attr]
    encoder.pooled(torch.rand(1, 3, size, size))
    assert maps[0][0, 0].numel() == slots


def test_what_no_whitening_can_make_is_refused() -> None:
    with pytest.raises(ValueError, match=r"The pooling makes 32 numbers .* dimensions up to 32"):
        build(SPEC.model_copy(update={"dimensions": 33}))
    with pytest.raises(ValueError, match=r"makes 80 numbers of a picture, where .* 96"):
        build(BAGS.model_copy(update={"dimensions": 96}))


@pytest.mark.parametrize("network", [word for word in Network if not NETWORKS[word].sequential])
def test_a_part_of_a_head_makes_the_bits_that_the_whole_makes(network: Network) -> None:
    spec = EncoderSpec(
        network=network,
        arguments={"width": 8, "depth": 1},
        descriptor=DescriptorType.BINARY,
        dimensions=24,
        transform=Transform(size=32),
    )
    encoder = build(spec, seed=2)
    encoder(images(40))  # so that the normalisation has counted something
    encoder.eval()
    places = torch.tensor([17, 3, 20, 0, 8, 23, 11, 5])
    with torch.no_grad():
        whole = encoder(images(12))
        keep(encoder, places)
        part = encoder(images(12))
    assert encoder.dimensions == 8
    torch.testing.assert_close(part, functional.normalize(whole[:, places]), atol=1e-6, rtol=0)
    again = load(save(encoder, spec.model_copy(update={"dimensions": 8})))
    assert not again.encoder.training
    torch.testing.assert_close(again.encoder(images(12)), part, atol=1e-4, rtol=0)


def test_a_backbone_without_a_head_gets_one_that_leaves_features_out() -> None:
    backbone = Backbone(source="pixels", name="pixels")
    spec = EncoderSpec(
        backbone=backbone,
        descriptor=DescriptorType.BINARY,
        dimensions=3072,
        transform=Transform(size=32),
    )
    encoder = build(spec).eval()
    assert isinstance(encoder.head, torch.nn.Identity)
    places = torch.arange(3071, -1, -384)
    whole = encoder(images(5))
    keep(encoder, places)
    part = encoder(images(5))
    torch.testing.assert_close(part, functional.normalize(whole[:, places]), atol=1e-6, rtol=0)
    load(save(encoder, spec.model_copy(update={"dimensions": 8})))


def test_of_a_sequence_of_bits_none_can_be_left_out() -> None:
    encoder = build(
        EncoderSpec(
            network=Network.REINFORCEMENT_LEARNING,
            arguments={"width": 8},
            descriptor=DescriptorType.BINARY,
            dimensions=16,
            transform=Transform(size=32),
        )
    )
    with pytest.raises(ValueError, match="Policy depend on each other"):
        keep(encoder, torch.arange(8))
