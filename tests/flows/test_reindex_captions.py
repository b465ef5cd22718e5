"""A night measured by captions: sentences ask for pictures, and pictures for sentences."""

import csv
import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from flows.gather import write_report
from tasks.training.train import load_encoder
from tests.flows.album import TRAIN, Album

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 50, 220), "grey": (120,) * 3}
READS = TRAIN | {
    "supervision": "weakly_supervised",
    "method": "clip",
    "epochs": 6,
    "batch": 16,
    "lr": 5e-3,
    "size": 16,
    "flip": False,
    "split": "train",
}
PROTOCOL: dict[str, Any] = {
    "dataset": "list",
    "queries": {"splits": ["test"]},
    "database": {"splits": ["test"]},
    "train": {"splits": ["train"]},
    "relevance": "caption",
    "metric": "cmc@1[text-to-image]",
    "also": ["cmc@5[text-to-image]", "cmc@1[image-to-text]", "cmc@5[image-to-text]"],
    "own": "counted",
    "defined": "here",
}


def halves(left: str, right: str, seed: int) -> bytes:
    """A picture of two colours side by side, with noise, as PNG."""
    noise = np.random.default_rng(seed).integers(-25, 26, (24, 24, 3))
    pixels = np.empty((24, 24, 3), np.int64)
    pixels[:, :12], pixels[:, 12:] = COLOURS[left], COLOURS[right]
    out = io.BytesIO()
    Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def captioned(album: Album, count: int = 72) -> dict[str, list[str]]:
    """A list of COUNT pictures of two colours with two captions each; those of the test, by key."""
    draw, said = np.random.default_rng(1), {}
    with (album.folder / "list.csv").open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["path", "key", "captions", "split"])
        for number in range(count):
            left, right = draw.choice(list(COLOURS), 2, replace=False).tolist()
            (album.folder / f"{number}.png").write_bytes(halves(left, right, number))
            # in one order, for another would say the same in numbers that float32 tells apart
            first, other = sorted((left, right))
            texts = [f"a {first} side and a {other} side", f"{first} beside {other}"]
            split = "test" if number % 3 == 0 else "train"
            rows.writerow([f"{number}.png", f"{split}/{number:02d}", ";".join(texts), split])
            if split == "test":
                said[f"{split}/{number:02d}"] = texts
    album.fields |= {
        "source": {"dataset": "list", "root": "list.csv"},
        "train": READS,
        "evaluate": {"protocol": PROTOCOL},
    }
    return said


def expected(album: Album, said: dict[str, list[str]], binary: bool = False) -> dict[str, float]:
    """The measures in loops, where equally near ones may come in any order."""
    rows = {key: row[2] for key, row in album.rows().items()}
    embedder = load_encoder(album.store, album.lineage().encoder)
    texts = [(key, text) for key in sorted(said) for text in said[key]]
    read = embedder.describe(embedder.read([text for _, text in texts]))

    def apart(one: Any, other: Any) -> float:
        if binary:
            return float((np.unpackbits(one) != np.unpackbits(other)).sum())
        return round(float(1 - one @ other), 6)

    def among(distances: list[float], right: list[bool], k: int) -> float:
        """The chance that one of the first K is right."""
        best = min(far for far, good in zip(distances, right, strict=True) if good)
        nearer = sum(far < best for far in distances)
        level = [good for far, good in zip(distances, right, strict=True) if far == best]
        places, wrong = k - nearer, level.count(False)
        if places <= 0:
            return 0.0
        missed = 1.0
        for place in range(min(places, len(level))):
            missed *= max(0, wrong - place) / (len(level) - place)
        return 1 - missed

    values: dict[str, list[float]] = {}
    for k in (1, 5):
        for (key, _), vector in zip(texts, read, strict=True):
            distances = [apart(vector, rows[other]) for other in sorted(said)]
            right = [other == key for other in sorted(said)]
            values.setdefault(f"cmc@{k}[text-to-image]", []).append(among(distances, right, k))
        for key in said:
            distances = [apart(rows[key], vector) for vector in read]
            right = [other == key for other, _ in texts]
            values.setdefault(f"cmc@{k}[image-to-text]", []).append(among(distances, right, k))
    return {name: float(np.mean(found)) for name, found in values.items()}


@pytest.mark.parametrize("descriptor", ["real_valued", "binary"])
def test_both_ways_are_brute_force_over_sentences_and_pictures(
    bare: Album, descriptor: str
) -> None:
    said = captioned(bare)
    bare.fields["train"] = READS | {"descriptor": descriptor}
    ledger = bare.night()
    wanted = expected(bare, said, descriptor == "binary")
    assert {name: ledger.metrics[name] for name in wanted} == pytest.approx(wanted, abs=1e-6)
    assert ledger.headline == "cmc@1[text-to-image]"
    assert ledger.protocol.startswith("own-")
    assert bare.lineage().metrics == ledger.metrics
    assert {example.query for example in ledger.examples} <= {
        t for all in said.values() for t in all
    }
    assert all(key in said for example in ledger.examples for key in example.candidate)
    report = bare.store.read(write_report(bare.store, bare.recipe, ledger)).decode()
    assert " side and a " in report


def test_sentences_find_their_pictures_far_oftener_than_chance(bare: Album) -> None:
    said = captioned(bare)
    bare.fields["train"] = READS | {"epochs": 25}
    ledger = bare.night()
    # a sentence tells the two colours, and a picture shares them with others: no ranking is perfect
    assert ledger.metrics["cmc@5[text-to-image]"] > 3 * 5 / len(said)
    embedder = load_encoder(bare.store, ledger.encoder)
    features = embedder.read(
        ["a red side and a green side", "green beside red", "blue beside grey"]
    )
    near = features @ features.T
    assert near[0, 1] > near[0, 2]
    assert torch.isfinite(near).all()


def test_production_is_asked_the_same_and_is_passed_over_where_it_cannot_read(bare: Album) -> None:
    captioned(bare)
    blind = TRAIN | {"supervision": "self_supervised", "size": 16}
    evaluate = bare.fields["evaluate"]
    bare.fields |= {"train": blind, "evaluate": {"protocol": "known_item"}}
    first = bare.night()
    bare.fields |= {"train": READS, "evaluate": evaluate}
    ledger = bare.night("fall", "uncomputed")
    assert ledger.production_metrics is None
    assert any("has no tower for text" in note for note in ledger.notes)
    assert ledger.encoder != first.encoder
    bare.fields["train"] = READS | {"epochs": 7}
    again = bare.night("fall")
    assert again.production_metrics is not None
    name = again.headline
    assert again.production_metrics[name] == pytest.approx(ledger.metrics[name])


def test_so_many_sentences_are_asked_as_the_recipe_says(bare: Album) -> None:
    captioned(bare)
    bare.fields["evaluate"] = {"protocol": PROTOCOL, "queries": 7}
    ledger = bare.night()
    assert "at most 7 queries" in ledger.protocol
    assert any("At most 7 sentences" in note for note in ledger.notes)
    found = ledger.metrics["cmc@5[text-to-image]"] * 7
    assert found == pytest.approx(round(found), abs=1e-6)
    assert "cmc@5[image-to-text]" in ledger.metrics
