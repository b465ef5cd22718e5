"""Which supervision, network and descriptor go together, decided without torch.

What does not make sense is refused when a recipe is read, with what would do; `nightjar methods`
prints the rest.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from pydantic import ValidationError

from data.taxonomy import DescriptorType, Network, Supervision, choose, unknown
from models.aggregation import BAGS
from models.aggregation.wanted import Pooling, width_of
from models.descriptors import DESCRIPTORS
from models.descriptors.base import Storage
from models.networks import NETWORKS
from models.supervision import SUPERVISIONS, Annotation

Whitening = Literal["none", "pca", "half_pca", "learned"]
"""What is put after the training into the place of a head."""

PARTS: Final = 16
"""Bytes of a product-quantised row, where nobody says how many."""

MOST_BITS: Final = 128
"""Learned bits of which some can be kept: looking for an order takes the square of them."""


def check(
    supervision: Supervision, network: Network, descriptor: DescriptorType, method: str = ""
) -> str:
    """By what method SUPERVISION teaches a NETWORK to make a DESCRIPTOR: METHOD, or its default.

    Raises:
        ValueError: they do not go together; says why, and what would do.
    """
    teaching = choose(SUPERVISIONS, supervision, "supervision")
    build = choose(NETWORKS, network, "network")
    choose(DESCRIPTORS, descriptor, "descriptor")
    suitable = teaching.methods_for(descriptor)
    if method and method not in teaching.methods:
        raise ValueError(unknown(f"method of {supervision}", method, teaching.methods))
    if not suitable or (method and method not in suitable):
        others = teaching.methods[method].descriptors if method else teaching.descriptors
        raise ValueError(
            f"{supervision}{f' by {method}' if method else ''} makes no {descriptor} descriptors: "
            f"choose the descriptor {_or(others)}"
            + (f", or the method {_or(suitable)}." if method and suitable else ".")
        )
    if build.binary and descriptor != DescriptorType.BINARY:
        raise ValueError(
            f"{network} makes bits: choose the descriptor binary for it, or another network for "
            f"{descriptor}."
        )
    if build.alike and not teaching.alike:
        able = [word for word, one in SUPERVISIONS.items() if one.alike]
        raise ValueError(
            f"{network} learns from which pictures are alike, and {supervision} cannot say: choose "
            f"the supervision {_or(able)}, or another network."
        )
    way = teaching.methods[method or suitable[0]]
    if way.needs_term and not build.term:
        networks = [
            word for word, one in NETWORKS.items() if one.term and (teaching.alike or not one.alike)
        ]
        raise ValueError(
            f"{supervision} by {method} has no loss but what a network adds, and {network} adds "
            f"none: choose the network {_or(networks)}, or another method."
        )
    if way.closed_form and descriptor == DescriptorType.AGGREGATED:
        raise ValueError(
            f"{supervision} by {method} finds a projection, and in its place an aggregated "
            "descriptor has a whitening, which is found too: choose the descriptor real_valued, or "
            f"the method {_or(name for name in suitable if not teaching.methods[name].closed_form)}"
            " with whitening: pca."
        )
    if way.reads and build.alike:
        networks = [word for word, one in NETWORKS.items() if not one.alike]
        raise ValueError(
            f"{supervision} by {method} teaches a tower for text beside the network, and "
            f"{network} learns by a term of its own: choose the network {_or(networks)}, or "
            "another method."
        )
    if way.codes and build.alike:
        networks = [word for word, one in NETWORKS.items() if not one.alike]
        raise ValueError(
            f"{supervision} by {method} learns the codes of the pictures by its own loss, in whose "
            f"place {network} puts a term of its own: choose the network {_or(networks)}, or "
            "another method."
        )
    return method or suitable[0]


def check_annotations(
    supervision: Supervision, there: Iterable[Annotation], dataset: str, taught: Iterable[str]
) -> None:
    """Return if DATASET, which has the annotations THERE, has what SUPERVISION needs.

    Raises:
        ValueError: it has not; names it, and those of TAUGHT, the supervisions it can serve.
    """
    missing = SUPERVISIONS[supervision].missing(there)
    if missing:
        raise ValueError(
            f"{supervision} needs {' and '.join(missing)}, and {dataset} has "
            f"{' and '.join(sorted(there)) or 'pictures only'}: choose the supervision "
            f"{_or(taught)}, or another dataset."
        )


def check_pooling(
    network: Network, descriptor: DescriptorType, pooling: Pooling, dimensions: int, width: int
) -> None:
    """Return if a NETWORK that pools its maps by POOLING can make a DESCRIPTOR of DIMENSIONS.

    Args:
        network: its word.
        descriptor: its word.
        pooling: as `pooling_of` says it.
        dimensions: numbers a descriptor; of asmk bits a visual word.
        width: of the network; 0 where that says nothing of its maps.

    Raises:
        ValueError: it cannot; says why, and what would do.
    """
    bags = isinstance(pooling, dict) and BAGS in pooling
    if bags and descriptor is not DescriptorType.AGGREGATED:
        raise ValueError(
            f"The pooling {BAGS} makes sets of visual words, no {descriptor} descriptors: choose "
            "the descriptor aggregated, or another pooling."
        )
    channels = NETWORKS[network].channels * width
    if descriptor is not DescriptorType.AGGREGATED or not channels:
        return
    most = channels if bags else width_of(pooling, channels)
    if dimensions > most:
        raise ValueError(
            f"What is pooled has {most} numbers at width {width}, and no aggregated descriptor has "
            f"more: choose dimensions up to {most}, a greater width, or another pooling."
        )


def check_whitening(
    supervision: Supervision, descriptor: DescriptorType, pooling: Pooling, whitening: Whitening
) -> None:
    """Return if WHITENING can be found for a DESCRIPTOR of what is pooled by POOLING.

    Raises:
        ValueError: it cannot; says why, and what would do.
    """
    if whitening == "none":
        return
    if descriptor is DescriptorType.BINARY:
        raise ValueError(
            f"whitening: {whitening} scales numbers, and of bits only their signs are kept: choose "
            "whitening: none, or another descriptor."
        )
    if isinstance(pooling, dict) and BAGS in pooling:
        raise ValueError(
            f"whitening: {whitening} makes one vector of another, and {BAGS} makes none: choose "
            "whitening: none."
        )
    if whitening == "learned" and "labels" not in SUPERVISIONS[supervision].needs:
        raise ValueError(
            f"whitening: learned asks which pictures share a class, and {supervision} looks at no "
            "labels: choose whitening: pca or half_pca, or a supervision that needs labels."
        )


def check_learned_bits(
    network: Network, descriptor: DescriptorType, learned: int, kept: int, looks: bool
) -> None:
    """Return if of LEARNED bits the best can be KEPT; of 0 learned bits, which are all, they can.

    Args:
        network: that learns them.
        descriptor: that is made.
        learned: bits.
        kept: of them.
        looks: whether the training looks at pictures.

    Raises:
        ValueError: they cannot; says why, and what would do.
    """
    if not learned:
        return
    if descriptor is not DescriptorType.BINARY:
        raise ValueError(
            f"learned_bits: {learned} are bits, and {descriptor} descriptors have none: choose the "
            "descriptor binary, or leave learned_bits out."
        )
    if not kept < learned <= MOST_BITS or learned % 8:
        raise ValueError(
            f"learned_bits: {learned} must be a multiple of 8, more than dimensions, {kept}, and "
            f"at most {MOST_BITS}."
        )
    if NETWORKS[network].sequential:
        able = [word for word, one in NETWORKS.items() if not one.sequential]
        raise ValueError(
            f"{network} sets each bit knowing those before it, so none can be left out: choose the "
            f"network {_or(able)}, or leave learned_bits out."
        )
    if not looks:
        raise ValueError(
            "learned_bits chooses among bits that were learned, and nothing is: set epochs, or "
            "leave learned_bits out."
        )


def check_storage(
    descriptor: DescriptorType, pooling: Pooling, storage: Storage, parts: int
) -> None:
    """Return if a DESCRIPTOR of what is pooled by POOLING can be stored as STORAGE in PARTS bytes.

    Args:
        descriptor: its word.
        pooling: as `pooling_of` says it.
        storage: how an index stores it.
        parts: bytes a row, of pq.

    Raises:
        ValueError: it cannot; says why, and what would do.
    """
    if storage != "pq":
        if parts != PARTS:
            raise ValueError(
                f"pq_parts: {parts} says how many bytes a row has, and storage: {storage} keeps "
                "numbers: set storage: pq, or leave pq_parts out."
            )
        return
    if descriptor is DescriptorType.BINARY:
        raise ValueError(
            "storage: pq quantises numbers, and a binary descriptor is bits already, dimensions / "
            "8 bytes a row: choose the descriptor real_valued or aggregated, or leave storage out."
        )
    if isinstance(pooling, dict) and BAGS in pooling:
        raise ValueError(
            f"storage: pq quantises one vector a picture, and {BAGS} makes a set of visual words "
            "with bits: choose another pooling, or leave storage out."
        )


def options_of(network: Network, said: Mapping[str, Any]) -> dict[str, Any]:
    """What NETWORK is built with besides width, depth and pooling: its defaults and what is SAID.

    Raises:
        ValueError: an option that the network does not know or cannot take; names the choices.
    """
    kind = choose(NETWORKS, network, "network").options
    for word in said:
        if word not in kind.model_fields:
            raise ValueError(unknown(f"option of the network {network}", word, kind.model_fields))
    try:
        return kind(**said).model_dump()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(
            f"The network {network} cannot take {where}: {first['input']!r}: {first['msg']}."
        ) from error


def _or(words: Iterable[str]) -> str:
    """WORDS as a choice: "a", "a or b", "a, b or c"."""
    *most, last = [str(word) for word in words] or ["none"]
    return f"{', '.join(most)} or {last}" if most else last
