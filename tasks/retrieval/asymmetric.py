"""Asymmetric retrieval: a query is not described as the pictures of the index are."""

from typing import Final

from tasks.retrieval.kind import LABELS, Kind

ASYMMETRIC: Final = Kind(
    about="A query is described in another way than the pictures that answer it.",
    asks=("image",),
    relevance="same_label",
    right="Those that share a label with the query.",
    distances=("cosine", "hamming"),
    headline="map[all]",
    also=("map@1000[hits]", "p@100"),
    says=LABELS,
    needs="labels",
    protocols=("cifar10", "cifar10-1", "cifar10-2", "mnist", "svhn"),
    command="nightjar search PICTURE --recipe RECIPE --encoder ENCODER",
    cite="Budnik and Avrithis, Asymmetric Metric Learning for Knowledge Transfer, CVPR 2021; of "
    "real numbers against bits: Gordo, Perronnin, Gong, Lazebnik, Asymmetric Distances for Binary "
    "Embeddings, TPAMI 2014; against product-quantised rows: Jegou, Douze, Schmid, Product "
    "Quantization for Nearest Neighbor Search, TPAMI 2011; of codes that are learned themselves: "
    "Jiang and Li, Asymmetric Deep Supervised Hashing, AAAI 2018",
)
