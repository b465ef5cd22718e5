"""What goes together, and what is said of what does not."""

import itertools
from dataclasses import replace

import pytest

from data.taxonomy import DescriptorType, Network, Supervision
from models.aggregation import AGGREGATIONS
from models.aggregation.wanted import Pooling
from models.composition import (
    check,
    check_annotations,
    check_learned_bits,
    check_pooling,
    options_of,
)
from models.descriptors import DESCRIPTORS
from models.networks import NETWORKS
from models.supervision import SUPERVISIONS

EVERY = list(itertools.product(sorted(SUPERVISIONS), sorted(NETWORKS), sorted(DESCRIPTORS)))


@pytest.mark.parametrize(("supervision", "network", "descriptor"), EVERY)
def test_what_goes_together_has_a_method_and_what_does_not_is_told_what_would_do(
    supervision: Supervision, network: Network, descriptor: DescriptorType
) -> None:
    methods = SUPERVISIONS[supervision].methods_for(descriptor)
    build = NETWORKS[network]
    able = bool(methods) and not (build.binary and descriptor != "binary")
    if not able or (build.alike and not SUPERVISIONS[supervision].alike):
        with pytest.raises(ValueError, match="choose"):
            check(supervision, network, descriptor)
        return
    assert check(supervision, network, descriptor) == methods[0]
    for method in methods:
        way = SUPERVISIONS[supervision].methods[method]
        if (way.needs_term and not build.term) or ((way.reads or way.codes) and build.alike):
            with pytest.raises(ValueError, match="choose the network"):
                check(supervision, network, descriptor, method)
        elif way.closed_form and descriptor == "aggregated":
            with pytest.raises(ValueError, match=r"descriptor real_valued.*whitening: pca"):
                check(supervision, network, descriptor, method)
        else:
            assert check(supervision, network, descriptor, method) == method


def test_each_supervision_and_each_network_goes_with_something() -> None:
    able = set()
    for supervision, network, descriptor in EVERY:
        try:
            check(supervision, network, descriptor)
        except ValueError:
            continue
        able |= {supervision, network}
    assert able == {*SUPERVISIONS, *NETWORKS}


def test_a_method_of_another_descriptor_is_refused_with_what_would_do() -> None:
    with pytest.raises(ValueError, match="by arcface makes no binary descriptors: choose the desc"):
        check(Supervision.SUPERVISED, Network.CONVOLUTIONAL, DescriptorType.BINARY, "arcface")
    with pytest.raises(ValueError, match="Did you mean 'arcface'"):
        check(Supervision.SUPERVISED, Network.CONVOLUTIONAL, DescriptorType.BINARY, "arcfase")


def test_a_method_without_a_loss_asks_for_a_network_that_adds_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = Supervision.UNSUPERVISED, Network.CONVOLUTIONAL, DescriptorType.BINARY
    plain = NETWORKS[Network.CONVOLUTIONAL]
    others = {
        Network.AUTOENCODER: replace(plain, term=True),
        Network.GAN: replace(plain, term=True),
        Network.SIAMESE_TRIPLET: replace(plain, term=True, alike=True),
    }
    monkeypatch.setattr("models.composition.NETWORKS", {words[1]: plain, **others})
    with pytest.raises(ValueError, match=r"by reconstruction has no loss but what a network adds, a"
        r"nd convolutional adds none: choose the network autoencoder or gan, or ano"):  # fmt: skip
        check(*words, "reconstruction")
    assert check(words[0], Network.GAN, words[2], "reconstruction") == "reconstruction"


@pytest.mark.parametrize("network", sorted(NETWORKS))
def test_the_table_says_which_networks_add_a_term(network: Network) -> None:
    encoder = NETWORKS[network].load()(16)
    assert NETWORKS[network].term == (encoder.term(0) is not None)


def test_a_dataset_without_what_is_needed_is_refused_with_what_it_can_serve() -> None:
    check_annotations(Supervision.SUPERVISED, ["labels", "boxes"], "coco", ["supervised"])
    check_annotations(Supervision.SELF_SUPERVISED, [], "photos", [])
    with pytest.raises(ValueError, match=r"supervised needs labels, and photos has pictures only: c"
        r"hoose the supervision unsupervised or self_supervised, or another dataset"):  # fmt: skip
        check_annotations(Supervision.SUPERVISED, [], "photos", ["unsupervised", "self_supervised"])


def test_an_option_that_a_network_does_not_know_is_refused() -> None:
    assert options_of(Network.CONVOLUTIONAL, {}) == {}
    with pytest.raises(ValueError, match="Unknown option of the network convolutional 'heads'"):
        options_of(Network.CONVOLUTIONAL, {"heads": 4})


CONVOLUTIONAL, AGGREGATED = Network.CONVOLUTIONAL, DescriptorType.AGGREGATED


@pytest.mark.parametrize(
    ("pooling", "most"),
    [
        ("gem", 32),
        ({"gem": {"share": 1.0}, "mac": {"share": 1.0}}, 64),
        ({"vlad": {"words": 5}}, 160),
        ({"asmk": {"words": 5}}, 32),
    ],
)
def test_an_aggregated_descriptor_has_no_more_numbers_than_are_pooled(
    pooling: Pooling, most: int
) -> None:
    check_pooling(CONVOLUTIONAL, AGGREGATED, pooling, most, 8)
    with pytest.raises(ValueError, match=f"choose dimensions up to {most}, a greater width"):
        check_pooling(CONVOLUTIONAL, AGGREGATED, pooling, most + 1, 8)
    check_pooling(CONVOLUTIONAL, AGGREGATED, pooling, most + 1, 0)  # nobody knows the width
    if "asmk" not in pooling:
        check_pooling(CONVOLUTIONAL, DescriptorType.BINARY, pooling, most + 1, 8)


@pytest.mark.parametrize("descriptor", [DescriptorType.BINARY, DescriptorType.REAL_VALUED])
def test_sets_of_visual_words_are_no_vectors(descriptor: DescriptorType) -> None:
    with pytest.raises(ValueError, match="choose the descriptor aggregated, or another pooling"):
        check_pooling(CONVOLUTIONAL, descriptor, {"asmk": {"words": 5}}, 16, 8)


def test_networks_with_maps_pool_them_in_every_way() -> None:
    assert NETWORKS[CONVOLUTIONAL].poolings == tuple(AGGREGATIONS)
    assert all("gem" in one.poolings for one in NETWORKS.values())


@pytest.mark.parametrize(
    ("network", "descriptor", "learned", "kept", "looks", "why"),
    [
        (CONVOLUTIONAL, DescriptorType.REAL_VALUED, 32, 16, True, "choose the descriptor binary"),
        (CONVOLUTIONAL, DescriptorType.BINARY, 16, 16, True, "more than dimensions, 16"),
        (CONVOLUTIONAL, DescriptorType.BINARY, 20, 16, True, "a multiple of 8"),
        (CONVOLUTIONAL, DescriptorType.BINARY, 136, 16, True, "at most 128"),
        (CONVOLUTIONAL, DescriptorType.BINARY, 32, 16, False, "set epochs"),
        (
            Network.REINFORCEMENT_LEARNING,
            DescriptorType.BINARY,
            32,
            16,
            True,
            "choose the network convolutional, ",
        ),
    ],
)
def test_bits_are_chosen_among_more_that_were_learned(
    network: Network, descriptor: DescriptorType, learned: int, kept: int, looks: bool, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        check_learned_bits(network, descriptor, learned, kept, looks)
    check_learned_bits(network, descriptor, 0, kept, looks)
    check_learned_bits(CONVOLUTIONAL, DescriptorType.BINARY, 32, 16, looks=True)
