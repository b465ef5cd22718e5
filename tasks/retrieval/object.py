"""Object retrieval: the thing that a part of a picture shows."""

from typing import Final

from tasks.retrieval.kind import LABELS, Kind

OBJECT: Final = Kind(
    about="A box in a picture asks for boxes of the object that it shows, and the pictures they "
    "are in.",
    asks=("image", "region"),
    relevance="same_label",
    right="Boxes of the same object, by their label or by the list that the truth gives; a "
    "picture is as good as its best box.",
    distances=("cosine", "hamming", "asmk"),
    rerankings=("alpha_qe", "database_augmentation", "k_reciprocal", "diffusion", "geometric"),
    headline="map@100[min]",
    also=("cmc@1", "mrr@100"),
    says=LABELS | {"boxes", "query boxes"},
    needs="boxes, or labels: of a picture without boxes a grid of regions is searched",
    protocols=(
        "coco-objects", "coco-objects-images",
        "roxford5k-easy", "roxford5k-medium", "roxford5k-hard",
        "rparis6k-easy", "rparis6k-medium", "rparis6k-hard",
    ),
    command="nightjar search PICTURE --box 10,20,64,48 --recipe coco-objects",
    cite="Philbin, Chum, Isard, Sivic, Zisserman, Object Retrieval with Large Vocabularies and "
    "Fast Spatial Matching, CVPR 2007",
    per_image=True,
)  # fmt: skip
