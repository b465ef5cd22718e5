"""A whole night measured by a named protocol, and what stands with its numbers afterwards."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from data.protocols import PROTOCOLS
from data.protocols.draw import lot
from flows.gather import write_report
from tasks.balance import Ledger
from tasks.measuring.sets import SAMPLE
from tests.data.miniatures_revisited import INDEX, SAID, roxford5k
from tests.data.miniatures_unseen import cub200
from tests.flows.album import TRAIN, Album, balanced, photo
from tests.flows.brute import precision, ranking
from tests.flows.test_reindex_official import ASKED, LEARNED, mnist
from tests.flows.test_reindex_official_sets import shade


def stands(album: Album, ledger: Ledger, protocol: str, headline: str) -> None:
    """The protocol's name stands with the number in ledger, lineage and report."""
    assert (ledger.protocol, ledger.headline) == (protocol, headline)
    lineage = album.lineage()
    assert (lineage.protocol, lineage.headline) == (protocol, headline)
    assert lineage.metrics == ledger.metrics
    report = album.store.read(write_report(album.store, album.recipe, ledger)).decode()
    assert f"{protocol} {headline}" in report


def test_a_single_label_protocol_is_brute_force_over_its_sets(bare: Album) -> None:
    mnist(bare.folder / "official")
    bare.fields |= {
        "source": {"dataset": "mnist", "root": "official"},
        "evaluate": {"protocol": "mnist", "measures": ["r_precision", "p[h<=2]"]},
    }
    ledger = bare.night()
    assert balanced(ledger) == (LEARNED + ASKED, 0, 0, 0)
    stands(bare, ledger, "mnist", "map[all]")
    rows = bare.rows()
    database = [key for key in rows if key.startswith("train/")]
    values = []
    for key in rows.keys() - set(database):
        right = {one for one in database if rows[one][1] == rows[key][1]}
        values.append(precision(ranking(bare, rows[key][2], database), right))
    # pictures of one shade are nearer to each other than float32 tells
    assert ledger.metrics["map[all]"] == pytest.approx(np.mean(values), abs=2e-3)
    assert {"map@1000[hits]", "r_precision", "ann_recall@10"} <= set(ledger.metrics)
    assert "p[h<=2] is not measured" in ledger.notes[0]
    assert ledger.notes[1] == (
        f"mnist is stated with other sizes: here are {ASKED} queries instead of 10,000, {LEARNED} "
        f"in the database instead of 60,000, {LEARNED} to learn from instead of 60,000."
    )
    assert all(one.startswith("train/") for example in ledger.examples for one in example.candidate)

    again = bare.night()
    assert (again.protocol, again.metrics) == (ledger.protocol, ledger.metrics)
    assert again.notes == ("The candidate is production: measured when it was made.",)

    bare.fields["evaluate"] = {"protocol": "mnist", "queries": 5}
    sampled = bare.night()
    assert sampled.protocol == "mnist (at most 5 queries)"
    assert "5 of the 12 queries of mnist were asked" in sampled.notes[0]
    assert sampled.metrics["map[all]"] != ledger.metrics["map[all]"]


def test_codes_are_measured_by_the_same_name(bare: Album) -> None:
    mnist(bare.folder / "official")
    bare.fields |= {
        "source": {"dataset": "mnist", "root": "official"},
        "train": TRAIN | {"descriptor": "binary", "dimensions": 16},
        "evaluate": {"protocol": "mnist", "measures": ["p[h<=2]", "coverage[h<=2]"]},
    }
    ledger = bare.night()
    rows = bare.rows()
    bits = {key: np.unpackbits(row[2]) for key, row in rows.items()}
    database = [key for key in rows if key.startswith("train/")]
    covered, found = [], []
    for key in rows.keys() - set(database):
        near = [one for one in database if (bits[one] != bits[key]).sum() <= 2]
        covered.append(bool(near))
        found.append(sum(rows[one][1] == rows[key][1] for one in near) / max(len(near), 1))
    assert ledger.metrics["coverage[h<=2]"] == pytest.approx(np.mean(covered))
    assert ledger.metrics["p[h<=2]"] == pytest.approx(np.mean(found))

    bare.fields["train"] = TRAIN
    real = bare.night("fall")
    assert (real.promoted, real.before) == (True, ledger.production)
    assert real.production_metrics is not None
    assert real.production_metrics["map[all]"] == pytest.approx(ledger.metrics["map[all]"])
    assert "p[h<=2]" not in real.metrics
    bare.fields["train"] = TRAIN | {"descriptor": "binary", "dimensions": 24}
    codes = bare.night("fall")
    assert codes.production_metrics is not None
    assert "p[h<=2]" in codes.metrics
    assert "p[h<=2]" not in codes.production_metrics


def listed(album: Album, count: int = 30) -> dict[str, set[str]]:
    """A list of COUNT pictures with one to three labels, and its protocol; labels by key."""
    draw = np.random.default_rng(3)
    labels = {}
    with (album.folder / "list.csv").open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["path", "key", "labels", "split"])
        for number in range(count):
            (album.folder / f"{number}.jpg").write_bytes(photo(number))
            said = draw.choice(list("abcd"), draw.integers(1, 4), replace=False).tolist()
            split = "test" if number % 3 == 0 else "train"
            rows.writerow([f"{number}.jpg", f"{split}/{number:02d}", "; ".join(said), split])
            labels[f"{split}/{number:02d}"] = set(said)
    album.fields |= {"source": {"dataset": "list", "root": "list.csv"}, "train": TRAIN}
    return labels


OWN: dict[str, Any] = {
    "dataset": "list",
    "queries": {"splits": ["test"]},
    "database": {"splits": ["train"]},
    "train": {"splits": ["train"]},
    "relevance": "shared_label",
    "metric": "ndcg@10[exp]",
    "also": ["acg@10", "map@10[hits]"],
    "defined": "this test",
}


def test_several_labels_are_graded_by_how_many_are_shared(bare: Album) -> None:
    labels = listed(bare)
    bare.fields["evaluate"] = {"protocol": OWN}
    ledger = bare.night()
    name = bare.recipe.evaluate.name
    stands(bare, ledger, name, "ndcg@10[exp]")
    rows = bare.rows()
    database = [key for key in rows if key.startswith("train/")]
    ndcg, acg = [], []
    for key in rows.keys() - set(database):
        order = [one for _, one in ranking(bare, rows[key][2], database)]
        grades = [len(labels[key] & labels[one]) for one in order]
        discounts = 1 / np.log2(np.arange(2, 12))
        gain = sum((2**g - 1) * d for g, d in zip(grades[:10], discounts, strict=True))
        best = sorted(grades, reverse=True)[:10]
        ndcg.append(gain / sum((2**g - 1) * d for g, d in zip(best, discounts, strict=True)))
        acg.append(sum(grades[:10]) / 10)
    assert ledger.metrics["ndcg@10[exp]"] == pytest.approx(np.mean(ndcg), abs=1e-6)
    assert ledger.metrics["acg@10"] == pytest.approx(np.mean(acg), abs=1e-6)


def boxed(content: bytes, corners: list[float]) -> bytes:
    """What is in the box of CORNERS, cut by Pillow."""
    out = io.BytesIO()
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    picture.crop(tuple(map(round, corners))).save(out, "PNG")  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_a_revisited_query_is_its_box_and_junk_leaves_the_ranking(
    bare: Album, draw: Callable[..., bytes], level: str
) -> None:
    roxford5k(bare.folder / "official", draw)
    protocol = f"roxford5k-{level}"
    bare.fields |= {
        "source": {"dataset": "roxford5k", "root": "official"},
        "train": TRAIN | {"supervision": "self_supervised"},
        "evaluate": {"protocol": protocol},
    }
    ledger = bare.night()
    stands(bare, ledger, protocol, "map_roxf[trapz]")
    values, skipped = [], 0
    files = {path.stem: path.read_bytes() for path in (bare.folder / "official/jpg").iterdir()}
    for name, said in zip(("hall_01", "bridge_02"), SAID, strict=True):
        vector = bare.vector(boxed(files[name], said["bbx"]), ledger.encoder)
        right, junk = PROTOCOLS[protocol].answers, PROTOCOLS[protocol].junk
        answers = {f"index/{INDEX[int(n)]}" for word in right for n in said[word]}
        out = {f"index/{INDEX[int(n)]}" for word in junk for n in said[word]}
        keys = [f"index/{one}" for one in INDEX if f"index/{one}" not in out]
        hits = [key in answers for _, key in ranking(bare, vector, keys)]
        places = [place for place, hit in enumerate(hits) if hit]
        skipped += not places
        if places:
            before = [number / place if place else 1.0 for number, place in enumerate(places)]
            after = [(number + 1) / (place + 1) for number, place in enumerate(places)]
            values.append(np.mean([before, after]))
    if not values:
        raise AssertionError("a level without a query")
    assert ledger.metrics["map_roxf[trapz]"] == pytest.approx(np.mean(values), abs=1e-6)
    assert len(ledger.examples) == 2
    assert bare.verified().ok


def test_metric_learning_leaves_out_the_query_and_not_its_copy(bare: Album) -> None:
    cub200(bare.folder / "official", shade, 4)
    bare.fields |= {
        "source": {"dataset": "cub200", "root": "official"},
        "evaluate": {"protocol": "cub200"},
    }
    ledger = bare.night()
    stands(bare, ledger, "cub200", "cmc@1")
    rows = bare.rows()
    unseen = [key for key in rows if key.startswith("test/")] or [
        key for key, row in rows.items() if int(row[1][0][:3]) > 100
    ]
    first, at_r = [], []
    for key in unseen:
        others = [one for one in unseen if one != key]
        order = ranking(bare, rows[key][2], others)
        hits = [rows[one][1] == rows[key][1] for _, one in order]
        total = sum(hits)
        first.append(hits[0])
        at_r.append(sum(sum(hits[: i + 1]) / (i + 1) for i in range(total) if hits[i]) / total)
    assert ledger.metrics["cmc@1"] == pytest.approx(np.mean(first))
    assert ledger.metrics["map_at_r"] == pytest.approx(np.mean(at_r), abs=1e-6)


@pytest.mark.real
@pytest.mark.slow
def test_mnist_by_its_protocol_is_brute_force(shared_datasets: Path, bare: Album) -> None:
    bare.fields |= {
        "source": {"dataset": "mnist", "root": str(shared_datasets / "mnist")},
        "train": TRAIN | {"dimensions": 32},
        "evaluate": {"protocol": "mnist", "queries": 200},
        "cluster": {"small": 100_000},
    }
    ledger = bare.night()
    assert balanced(ledger) == (70_000, 0, 0, 0)
    assert ledger.protocol == "mnist (at most 200 queries)"
    (note,) = ledger.notes
    assert note.startswith("200 of the 10,000 queries of mnist were asked")
    rows = bare.rows()
    asked = sorted((key for key in rows if key.startswith("test/")), key=lambda k: lot(SAMPLE, k))
    database = [key for key in rows if key.startswith("train/")]
    labels = np.array([rows[key][1][0] for key in database])
    held = np.stack([rows[key][2] for key in database]).astype(np.float64)
    held /= np.linalg.norm(held, axis=1, keepdims=True)
    values = []
    for key in asked[:200]:
        order = np.argsort(-held @ rows[key][2], kind="stable")
        ranks = np.flatnonzero(labels[order] == rows[key][1][0]) + 1
        values.append((np.arange(1, len(ranks) + 1) / ranks).mean())
    assert ledger.metrics["map[all]"] == pytest.approx(np.mean(values), abs=1e-5)
