"""Asymmetric retrieval: a query is not described as the pictures of the index are."""

from typing import Final

from tasks.retrieval.kind import LABELS, Kind

ASYMMETRIC: Final = Kind(
    about="A query is described in another way than the pictures that answer it.",
    asks=(),
    relevance="same_label",
    right="Those that share a label with the query.",
    distances=(),
    headline="map[all]",
    also=("map@1000[hits]", "p@100"),
    says=LABELS,
    needs="labels",
    protocols=("cifar10", "cifar10-1", "cifar10-2", "mnist", "svhn"),
    command="",
    cite="Jiang and Li, Asymmetric Deep Supervised Hashing, AAAI 2018",
    refusal="asks with a descriptor that is not made as those of the index are, which an index "
    "does not answer yet",
)
