"""Fine-grained retrieval: the same species, model or product among its like."""

from typing import Final

from tasks.retrieval.kind import LABELS, Kind

FINE_GRAINED: Final = Kind(
    about="A picture asks for the same species, model or product among many that are nearly alike.",
    asks=("image",),
    relevance="same_label",
    right="Those of the query's class, which no picture of the training is of.",
    distances=("cosine", "hamming", "asmk"),
    rerankings=("within", "k_reciprocal"),
    headline="cmc@1",
    also=("cmc@10", "map_at_r"),
    says=LABELS,
    needs="labels, of classes that are alike",
    protocols=("cub200", "cars196", "sop", "inshop", "cifar10-unseen", "mnist-unseen"),
    command="nightjar search PICTURE --recipe RECIPE",
    cite="Oh Song, Xiang, Jegelka, Savarese, Deep Metric Learning via Lifted Structured Feature "
    "Embedding, CVPR 2016",
)
