"""What cannot be trained together is refused, and what the refusal says to set lets it through."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.tasks.training.courses import plan

FITS: dict[str, Any] = {"compatible_with": "0" * 64}
CLASSES = FITS | {"supervision": "supervised", "compatible_by": "classes"}
CLIP: dict[str, Any] = {"supervision": "weakly_supervised", "method": "clip"}
LABELS: dict[str, Any] = {"supervision": "supervised"}
TRIPLETS = LABELS | {"network": "siamese_triplet"}
ADSH = LABELS | {"method": "adsh", "descriptor": "binary"}
TOWER: dict[str, Any] = {"text": "pretrained", "pretrained": "x", "epochs": 0}
BITS: dict[str, Any] = {"descriptor": "binary", "dimensions": 8, "learned_bits": 16}

REFUSED: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    (TRIPLETS | {"each": 5}, "batch, 16, must be a multiple of each, 5", {"batch": 15}),
    (TRIPLETS | {"each": 5}, "batch, 16, must be a multiple of each, 5", {"each": 4}),
    ({"patience": 2}, "set validation, the share", {"validation": 0.1}),
    (
        {"supervision": "pseudo_supervised", "validation": 0.2},
        "leave validation out, or set method: swav",
        {"method": "swav"},
    ),
    (
        {"supervision": "pseudo_supervised", "validation": 0.2},
        "leave validation out, or set method: swav",
        {"validation": 0.0},
    ),
    ({"method": "moco", "margin": 0.3}, "that of moco has none: leave it out.", {"margin": None}),
    (
        {"supervision": "unsupervised", "descriptor": "binary", "temperature": 0.2},
        "that of bihalf has none: leave it out, or set method: mutual_neighbours",
        {"method": "mutual_neighbours"},
    ),
    (
        {"supervision": "pseudo_supervised", "method": "swav", "margin": 0.3},
        "leave it out, or set method: deepcluster",
        {"method": "deepcluster", "temperature": 0.2},
    ),
    (FITS | {"temperature": 0.2}, "divides no cosine", {"temperature": None, "margin": 0.3}),
    ({"sketches": 0.3, "see": "edges"}, "would draw drawings: leave one", {"sketches": 0.0}),
    ({"descriptor": "binary", "bits_by": "lot"}, "set learned_bits", {"learned_bits": 24}),
    (BITS | {"learned_bits": 0, "bits_by": "lot"}, "leave bits_by out", {"bits_by": "worth"}),
    ({"workers": 9}, "set batch, 16, to 18 at least, or take fewer workers", {"batch": 18}),
    ({"workers": 9}, "set batch, 16, to 18 at least, or take fewer workers", {"workers": 8}),
    (TRIPLETS | {"workers": 2, "each": 2}, "set each, 2, to 4 at least", {"each": 4}),
    (ADSH | {"epochs": 0}, "set epochs to 1 at least", {"epochs": 1}),
    (ADSH | {"learned_bits": 32}, "leave it out", {"learned_bits": 0}),
    (ADSH | {"validation": 0.1}, "leave validation out", {"validation": 0.0}),
    (ADSH | {"workers": 1}, "set workers: 0, or choose another method", {"method": "csq"}),
    (ADSH | CLASSES, "leave it out, or choose another method", {"method": "csq"}),
    (CLIP | {"text": "pretrained"}, "set pretrained, or leave text out", {"pretrained": "x"}),
    (TOWER | {"epochs": 1}, "set epochs: 0, or method: clip", {"epochs": 0}),
    (TOWER | {"epochs": 1}, "set epochs: 0, or method: clip", CLIP),
    (CLIP | BITS, "would no longer be the same: leave it out", {"learned_bits": 0}),
    (
        TOWER | CLIP | BITS | {"epochs": 1},
        "would no longer be the same: leave it out",
        {"learned_bits": 0},
    ),
    (CLIP | {"whitening": "pca"}, "choose whitening: none", {"whitening": "none"}),
    (FITS | {"compatible_by": "classes"}, "set supervision: supervised", LABELS),
    (
        FITS | {"compatible_by": "classes"},
        "or compatible_by: descriptors",
        {"compatible_by": "descriptors"},
    ),
    (
        FITS | {"supervision": "unsupervised"},
        "or self_supervised, and not unsupervised",
        {"supervision": "self_supervised"},
    ),
    (FITS | LABELS | {"method": "triplet"}, "leave method: triplet out", {"method": ""}),
    (
        FITS | LABELS | {"method": "triplet"},
        "or set compatible_by: classes",
        {"compatible_by": "classes"},
    ),
    (FITS | {"whitening": "pca"}, "and whitening: none", {"whitening": "none"}),
    (
        FITS | {"descriptor": "aggregated"},
        "choose the descriptor real_valued or binary",
        {"descriptor": "real_valued"},
    ),
    (CLASSES | BITS, "would choose among them: leave it out", {"learned_bits": 0}),
    (FITS | {"epochs": 0}, "set epochs to 1 at least", {"epochs": 1}),
    (FITS | {"validation": 0.2}, "leave validation out", {"validation": 0.0}),
    (FITS | {"validation": 0.2}, "or set supervision: supervised", LABELS),
]


@pytest.mark.parametrize(("said", "why", "remedy"), REFUSED, ids=str)
def test_a_refusal_names_what_to_set_and_that_is_enough(
    said: dict[str, Any], why: str, remedy: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError, match=why):
        plan(**said)
    plan(**said | remedy)
