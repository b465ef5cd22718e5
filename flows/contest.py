"""The rows of the taxonomy's benchmark: what each trains, and what it must beat to be its name.

A row and what it is held against are trained on the same pictures for as many steps, by recipes
like anybody's, and measured by the same named protocol. Floors are recipes too: an encoder as its
weights are drawn, and the pixels themselves, rotated to bits or cut to principal directions.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from data.plan import Plan
from data.taxonomy import DescriptorType, Network, Supervision

Words = Mapping[str, Any]

Budget = Literal["minutes", "full"]

SIDES: Final[Mapping[str, int]] = {"mnist": 28, "cifar10": 32}
"""The datasets, with the side of their pictures in pixels."""

PROTOCOLS: Final[Mapping[str, str]] = {"mnist": "mnist", "cifar10": "cifar10-2"}
UNSEEN: Final[Mapping[str, str]] = {"mnist": "mnist-unseen", "cifar10": "cifar10-unseen"}
"""By dataset, the protocol of rows that learn from classes which are not asked for."""

BUDGETS: Final[Mapping[Budget, Words]] = {
    "minutes": {"epochs": 2, "width": 16, "threads": 1},
    "full": {"epochs": 100, "width": 64, "depth": 2, "precision": "bfloat16"},
}
"""What a training may take: minutes of a CPU's core a row, or a GPU's."""

BITS: Final = {"descriptor": "binary", "dimensions": 48}
NUMBERS: Final = {"descriptor": "real_valued", "dimensions": 64}

ALONE: Final = {"supervision": "unsupervised", "method": "reconstruction"}
"""What the network adds is all that teaches."""

TWINS: Final = {"supervision": "self_supervised"}
"""Two views of a picture teach, and what the network adds comes to that."""

BARE: Final = {"network": "convolutional", "options": {}}
"""The very encoder, to its first weights, without what a network puts beside it."""

CHOSEN: Final = ("learned_bits", "bits_by")
"""Words that choose among what was learned, which an untrained encoder has not."""

UNTRAINED: Final = {**TWINS, "epochs": 0}
PIXEL_BITS: Final = {**BITS, "pretrained": "pixels", "supervision": "unsupervised", "method": "itq"}
PIXEL_PCA: Final = {
    **NUMBERS,
    "pretrained": "pixels",
    "supervision": "unsupervised",
    "method": "pca",
}


FLOORS: Final = frozenset({"untrained", "pixels"})
"""What every row is held against, by name."""


class Row(Plan):
    """One word of the taxonomy, put to the test.

    Args:
        axis: of which the word is.
        word: the word; perhaps with the way of pooling, the kind of network, or its teacher.
        train: the words of the recipe that the row is about.
        against: what it is held against, by name: the words that differ from `train`, or all of
            them where it is a floor.
        must: the name of the one that it must beat; the others are told beside it.
        unseen: whether classes that are asked for are kept from it.
        tags: whether it learns from noisy words that are put in the place of the labels.
    """

    axis: Literal["supervision", "network", "descriptor"]
    word: str
    train: dict[str, Any]
    against: dict[str, dict[str, Any]]
    must: str
    unseen: bool = False
    tags: bool = False

    @property
    def name(self) -> str:
        """Its name in files and tables."""
        return f"{self.axis}-{self.word}".replace("_", "-").replace("+", "-")

    def changes(self, name: str) -> dict[str, Any]:
        """In what the words of the one that is called NAME differ from its own."""
        return {
            word: value
            for word, value in self.against[name].items()
            if self.train.get(word) != value
        }

    def protocol(self, dataset: str) -> str:
        """The protocol that measures it on DATASET."""
        return (UNSEEN if self.unseen else PROTOCOLS)[dataset]


def _row(
    axis: Literal["supervision", "network", "descriptor"],
    word: str,
    must: str,
    train: Words,
    against: Mapping[str, Words],
    **more: bool,
) -> Row:
    floor = PIXEL_BITS if train.get("descriptor") == "binary" else PIXEL_PCA
    untrained = {name: said for name, said in train.items() if name not in CHOSEN}
    others = {
        "untrained": {**untrained, **UNTRAINED, "method": ""},
        "pixels": floor | {"dimensions": train["dimensions"]},
        **{name: {**train, **words} for name, words in against.items()},
    }
    return Row(axis=axis, word=word, train=dict(train), against=others, must=must, **more)


ROWS: Final = (
    _row(
        "supervision", Supervision.SUPERVISED, "pixels", {**BITS, "supervision": "supervised"}, {}
    ),
    _row(
        "supervision",
        Supervision.UNSUPERVISED,
        "pixels",
        {**BITS, "supervision": "unsupervised", "method": "mutual_neighbours", "change": 0.3},
        {},
    ),
    _row(
        "supervision",
        Supervision.SEMI_SUPERVISED,
        "the labelled part alone",
        {**BITS, "supervision": "semi_supervised", "labelled": 0.01},
        {"the labelled part alone": {"supervision": "supervised"}},
    ),
    _row(
        "supervision",
        Supervision.WEAKLY_SUPERVISED,
        "untagged",
        {**BITS, "supervision": "weakly_supervised"},
        {"untagged": {"supervision": "self_supervised"}},
        tags=True,
    ),
    _row(
        "supervision",
        Supervision.PSEUDO_SUPERVISED,
        "untrained",
        {**NUMBERS, "supervision": "pseudo_supervised"},
        {},
    ),
    _row(
        "supervision",
        Supervision.SELF_SUPERVISED,
        "untrained",
        {**NUMBERS, "supervision": "self_supervised"},
        {},
    ),
    _row(
        "network",
        Network.CONVOLUTIONAL,
        "pixels",
        {**NUMBERS, "supervision": "supervised", "network": "convolutional"},
        {},
    ),
    _row(
        "network",
        Network.AUTOENCODER,
        "pixels",
        {**BITS, **ALONE, "network": "autoencoder"},
        {},
    ),
    _row(
        "network",
        f"{Network.AUTOENCODER}-bihalf",
        "without its decoder",
        {**BITS, "supervision": "unsupervised", "method": "bihalf", "network": "autoencoder"},
        {"without its decoder": BARE},
    ),
    _row(
        "network",
        f"{Network.AUTOENCODER}-cibhash",
        "without its decoder",
        {**BITS, **TWINS, "network": "autoencoder"},
        {"without its decoder": BARE},
    ),
    _row(
        "network",
        Network.SIAMESE_TRIPLET,
        "untrained",
        {**NUMBERS, "supervision": "supervised", "network": "siamese_triplet"},
        {},
        unseen=True,
    ),
    _row(
        "network",
        Network.GAN,
        "without its adversary",
        {**BITS, **ALONE, "network": "gan"},
        {"without its adversary": {"options": {"adversary": 0.0}}},
    ),
    _row(
        "network",
        f"{Network.GAN}-cibhash",
        "without its adversary",
        {**BITS, **TWINS, "network": "gan"},
        {"without its adversary": {"options": {"adversary": 0.0}}},
    ),
    _row(
        "network",
        f"{Network.GAN}-bingan",
        "without its adversary",
        {**BITS, **TWINS, "network": "gan", "options": {"kind": "bingan"}},
        {"without its adversary": BARE},
    ),
    _row(
        "network",
        Network.ATTENTION,
        "pixels",
        {**NUMBERS, "supervision": "supervised", "network": "attention"},
        {"convolutional": {"network": "convolutional"}},
    ),
    _row(
        "network",
        Network.REINFORCEMENT_LEARNING,
        "without its reward",
        {**BITS, "supervision": "supervised", "network": "reinforcement_learning"},
        {"without its reward": {"term": 0.0}},
    ),
    _row(
        "network",
        f"{Network.REINFORCEMENT_LEARNING}-bits",
        "bits drawn by lot",
        {**BITS, "dimensions": 16, "learned_bits": 48, "supervision": "supervised"},
        {"bits drawn by lot": {"bits_by": "lot"}},
    ),
    _row(
        "descriptor",
        DescriptorType.BINARY,
        "pixels",
        {**BITS, "supervision": "self_supervised"},
        {},
    ),
    _row(
        "descriptor",
        DescriptorType.REAL_VALUED,
        "pixels",
        {**NUMBERS, "supervision": "self_supervised"},
        {},
    ),
    *(
        _row(
            "descriptor",
            f"{DescriptorType.AGGREGATED}-{pooling}",
            "pixels",
            {
                "descriptor": "aggregated",
                "dimensions": 64,
                "supervision": "self_supervised",
                "pooling": pooling,
                "whitening": "half_pca",
            },
            {},
        )
        for pooling in ("gem", "rmac", "vlad")
    ),
)
"""Every supervision, network and descriptor of the survey."""
