"""Instance retrieval: the very same thing, place or building."""

from typing import Final

from tasks.retrieval.kind import LABELS, Kind

INSTANCE: Final = Kind(
    about="A picture asks for other pictures of the very same thing or place.",
    asks=("image",),
    relevance="same_label",
    right="Those of the same thing, by its label or by the list that the truth gives.",
    distances=("cosine", "hamming", "asmk"),
    rerankings=("alpha_qe", "database_augmentation", "k_reciprocal", "diffusion", "geometric"),
    headline="map@100[min]",
    also=("cmc@1", "mrr@100"),
    says=LABELS | {"answers"},
    needs="labels that name one thing each, or listed answers",
    protocols=(
        "gldv1-retrieval", "gldv2-retrieval", "gldv2-recognition", "mirflickr1m-mfnd",
        "roxford5k-easy", "roxford5k-medium", "roxford5k-hard",
        "rparis6k-easy", "rparis6k-medium", "rparis6k-hard", "ukbench",
    ),
    command="nightjar search PICTURE --recipe RECIPE",
    cite="Radenovic, Iscen, Tolias, Avrithis, Chum, Revisiting Oxford and Paris, CVPR 2018",
)  # fmt: skip
