"""Object retrieval: the thing that a part of a picture shows."""

from typing import Final

from tasks.retrieval.kind import LABELS, Kind

OBJECT: Final = Kind(
    about="A part of a picture asks for pictures of the object that it shows.",
    asks=("image",),
    relevance="same_label",
    right="Those of the same object, by its label or by the list that the truth gives.",
    distances=("cosine", "hamming", "asmk"),
    headline="map@100[min]",
    also=("cmc@1", "mrr@100"),
    says=LABELS | {"boxes", "query boxes"},
    needs="labels, or boxes of what asks",
    protocols=(
        "roxford5k-easy", "roxford5k-medium", "roxford5k-hard",
        "rparis6k-easy", "rparis6k-medium", "rparis6k-hard",
    ),
    command="nightjar search CUT-OUT --recipe RECIPE",
    cite="Philbin, Chum, Isard, Sivic, Zisserman, Object Retrieval with Large Vocabularies and "
    "Fast Spatial Matching, CVPR 2007",
)  # fmt: skip
