"""Whole nights that are measured by the trees of labels that data sets ship, as loops have it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.data.miniatures_ilsvrc2012 import IDS, ilsvrc2012
from tests.data.miniatures_landmarks import TEST, gldv2
from tests.flows.album import TRAIN, Album
from tests.flows.brute import ranking
from tests.flows.test_reindex_protocols import stands

Draw = Callable[..., bytes]

TENCH, GOLDFISH, TISSUE = sorted(IDS.values())
IS_A = {
    "n00001740": {TISSUE, "n02512053", "n01317541"},
    "n02512053": {TENCH, GOLDFISH},
    "n01317541": {GOLDFISH},
}
"""What is below each synset: both fishes below fish, of which one is kept at home besides."""

OWN: dict[str, Any] = {
    "queries": {"splits": ["val"]},
    "database": {"splits": ["train"]},
    "train": {"splits": ["train"]},
    "relevance": "hierarchical",
    "metric": "ahp@5",
    "defined": "this test",
}


def groups(label: str) -> set[str]:
    """LABEL, and all that is above it in `IS_A`."""
    above = {name for name, below in IS_A.items() if label in below}
    return {label}.union(*map(groups, above))


def precision(worth: list[int], k: int) -> float:
    """Average hierarchical precision of answers that are WORTH so much, in their order."""
    best = sorted(worth, reverse=True)
    return float(np.mean([sum(worth[:i]) / sum(best[:i]) for i in range(1, k + 1)]))


@pytest.fixture
def imagenet(bare: Album, draw: Draw) -> Album:
    """Nine training pictures of three classes, three that ask, and the tree beside the recipe."""
    ilsvrc2012(bare.folder / "official", draw)
    lines = [f"{parent} {child}\n" for parent, each in IS_A.items() for child in sorted(each)]
    (bare.folder / "wordnet.is_a.txt").write_text("".join(lines))
    own = OWN | {"dataset": "ilsvrc2012", "parents": "wordnet.is_a.txt"}
    bare.fields |= {
        "source": {"dataset": "ilsvrc2012", "root": "official"},
        "train": TRAIN | {"split": "train"},
        "evaluate": {"protocol": own},
    }
    return bare


def test_imagenet_is_measured_by_wordnet_s_own_file(imagenet: Album) -> None:
    ledger = imagenet.night()
    stands(imagenet, ledger, ledger.protocol, "ahp@5")
    rows = imagenet.rows()
    database = [key for key in rows if key.startswith("train/")]
    values = []
    for key in rows.keys() - set(database):
        order = ranking(imagenet, rows[key][2], database)
        mine = groups(rows[key][1][0])
        values.append(precision([len(mine & groups(rows[one][1][0])) for _, one in order], 5))
    assert len(values) == 3
    assert ledger.metrics["ahp@5"] == pytest.approx(np.mean(values), abs=1e-4)


def test_a_label_that_the_file_does_not_know_holds_the_gate_and_is_named(imagenet: Album) -> None:
    path = imagenet.folder / "wordnet.is_a.txt"
    path.write_text(path.read_text().replace(f"n00001740 {TISSUE}\n", ""))
    ledger = imagenet.night()
    said = f"wordnet.is_a.txt does not say where the label '{TISSUE}' is: it knows labels such"
    assert said in " ".join(ledger.notes)
    assert not ledger.metrics


def test_a_damaged_file_and_one_that_is_not_there_are_refused_with_the_recipe(
    imagenet: Album,
) -> None:
    path = imagenet.folder / "wordnet.is_a.txt"
    path.write_text(path.read_text() + f"{TENCH} n00001740\n")
    with pytest.raises(ValueError, match=r"wordnet.is_a.txt: '.*' stands above itself in the tree"):
        _ = imagenet.recipe
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"wordnet\.is_a\.txt"):
        _ = imagenet.recipe


def test_landmarks_are_measured_by_their_kinds(bare: Album, draw: Draw) -> None:
    gldv2(bare.folder / "official", draw)
    file = "official/train_label_to_hierarchical.csv"
    own = OWN | {"dataset": "gldv2", "parents": [file], "metric": "ahp@4"}
    bare.fields |= {
        "source": {"dataset": "gldv2", "root": "official"},
        "train": TRAIN | {"split": "train"},
        "evaluate": {"protocol": own | {"queries": {"splits": ["test"]}}},
    }
    ledger = bare.night()
    rows = bare.rows()
    database = [key for key in rows if key.startswith("train/")]
    order = ranking(bare, rows[f"test/{TEST[0]}"][2], database)
    # it shows both landmarks: a church, two groups and itself, and a waterfall, with one more
    worth = [{"train/0": 3, "train/1": 4}[rows[one][1][0]] for _, one in order]
    assert ledger.metrics["ahp@4"] == pytest.approx(precision(worth, 4), abs=1e-4)
