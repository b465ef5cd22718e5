"""Multi-label retrieval: what shares most of several classes."""

from typing import Final

from tasks.retrieval.kind import Kind

MULTI_LABEL: Final = Kind(
    about="A picture of several things, or an expression of labels, asks for pictures of them.",
    asks=("image", "labels"),
    relevance="shared_label",
    right="Those that share a label with the query, the more of them the better.",
    distances=("cosine", "hamming", "asmk"),
    headline="ndcg@100[exp]",
    also=("acg@100", "wap@100", "map[all]"),
    says=frozenset({"multi"}),
    needs="several labels a picture",
    protocols=(
        "coco-hashnet", "mirflickr25k-deephash", "nuswide-hashnet", "nuswide-ssdh", "nuswide-tc21",
    ),
    command="nightjar search PICTURE --recipe RECIPE",
    cite="Zhao, Huang, Wang, Tan, Deep Semantic Ranking Based Hashing, CVPR 2015",
)  # fmt: skip
