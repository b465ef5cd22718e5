"""Instance retrieval on real photographs: by how much it beats a guess, pixels, no re-ranking."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.recipe import SHIPPED
from tests.flows.album import Album, balanced
from tests.flows.test_reindex_reranked import without

pytestmark = pytest.mark.real

GUESS: dict[str, float] = {"ukbench": 1 + 3 * 3 / 55}
"""Relevant answers among the first four, by chance: the query itself, and 3 of the other 55."""
PIXELS: dict[str, Any] = {"pretrained": "pixels", "dimensions": 3072, "epochs": 0, "device": "cpu"}


def told(album: Album, name: str, root: Path, **fields: Any) -> None:
    """Let ALBUM follow the shipped recipe NAME on the real files at ROOT, but for FIELDS."""
    said = yaml.safe_load((SHIPPED / f"{name}.yaml").read_text())
    said["source"]["root"] = str(root)
    said["train"]["device"] = "cpu"
    album.fields |= {part: said[part] for part in ("source", "train", "evaluate")} | fields


@pytest.fixture
def things(shared_datasets: Path) -> Path:
    """Four photographs each of 14 things."""
    return shared_datasets / "ukbench-56"


def test_things_are_found_by_an_untrained_network_and_better_re_ranked(
    things: Path, bare: Album
) -> None:
    told(bare, "ukbench", things, train=PIXELS)
    pixels = without(bare.night().notes[-1])["ns_score"]
    assert pixels > GUESS["ukbench"] + 1.5

    told(bare, "ukbench", things)
    ledger = bare.night("fall")
    assert balanced(ledger) == (56, 0, 0, 0)
    assert ledger.protocol == "ukbench (re-ranked by database_augmentation {n: 3})"
    plain = without(ledger.notes[-1])["ns_score"]
    assert plain > pixels + 0.4  # 3.41 and 2.82
    assert ledger.metrics["ns_score"] > plain + 0.2  # 3.70


@pytest.mark.slow
def test_things_are_found_nearly_always_where_pictures_are_compared(
    things: Path, bare: Album
) -> None:
    measured = {"protocol": "ukbench", "measures": ["map[all]"], "rerank": "geometric"}
    told(bare, "ukbench", things, evaluate=measured)
    ledger = bare.night()
    assert ledger.protocol == "ukbench (re-ranked by geometric)"
    plain = without(ledger.notes[-1])["ns_score"]
    assert ledger.metrics["ns_score"] > plain + 0.4  # 3.93 and 3.41
    assert ledger.metrics["map[all]"] > 0.96


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_product_is_found_by_a_photograph_from_the_shop(
    shared_datasets: Path, bare: Album
) -> None:
    root = shared_datasets / "grocerystore-val"
    told(bare, "grocery", root)
    shown = bare.fields["evaluate"]
    told(bare, "grocery", root, train=PIXELS, evaluate={"protocol": shown["protocol"]})
    pixels = bare.night()
    assert balanced(pixels) == (296 + 81, 0, 0, 0)
    assert pixels.metrics["cmc@1"] < 0.05
    told(bare, "grocery", root, evaluate={"protocol": shown["protocol"]})
    plain = bare.night("fall")
    # 0.054 and 0.024; a guess: 0.012
    assert plain.metrics["cmc@1"] > pixels.metrics["cmc@1"] + 0.015
    assert plain.metrics["mrr@81"] > pixels.metrics["mrr@81"] + 0.03

    told(bare, "grocery", root, evaluate=shown | {"queries": 60})
    ledger = bare.night()
    assert ledger.protocol.endswith(" (at most 60 queries, re-ranked by geometric {first: 81})")
    assert ledger.metrics["cmc@1"] > without(ledger.notes[-1])["cmc@1"] + 0.15
