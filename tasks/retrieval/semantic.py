"""Semantic retrieval: what shows a thing of the same class."""

from typing import Final

from tasks.retrieval.kind import LABELS, Kind

SEMANTIC: Final = Kind(
    about="A picture asks for pictures of what it shows, whatever they look like.",
    asks=("image",),
    relevance="same_label",
    right="Those of the query's class, or of one near it in a tree of classes.",
    distances=("cosine", "hamming", "asmk"),
    headline="map[all]",
    also=("map@1000[hits]", "p@100"),
    says=LABELS,
    needs="labels",
    protocols=(
        "cifar10", "cifar10-1", "cifar10-2", "cifar10-unsupervised", "mnist", "svhn",
        "sun397-ssdh", "sun397-fold-01", "utzap50k-ssdh", "yahoo1m-ssdh", "ilsvrc2012-ssdh",
        "imagenet100-hashnet", "cifar10-hierarchy",
    ),
    command="nightjar search PICTURE --recipe cifar10",
    cite="Dubey, A Decade Survey of CBIR using Deep Learning, 2021, section VI",
)  # fmt: skip
