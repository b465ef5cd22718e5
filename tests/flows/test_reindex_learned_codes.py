"""Nights of an encoder that has learned the codes of its training pictures themselves."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.aliases import Alias
from data.indexes import codes_of, index_table
from data.protocols import Pick, Protocol
from data.store import Store
from models.learned_codes import LearnedCodes
from tasks.drift import unlike
from tasks.duplicates import duplicates
from tasks.encoders import codes_name, learned_codes, spec_at
from tasks.explain import explain
from tasks.measuring.named import measured
from tasks.measuring.plan import EvaluatePlan
from tasks.measuring.queries import holding, network_queries, picked
from tasks.searching.search import resolve
from tasks.training.train import load_encoder
from tests.flows.album import TRAIN, Album, photo, sha
from tests.flows.test_asymmetric import as_steps, features, precision
from tests.flows.test_reindex_official import mnist

LEARNS: dict[str, Any] = TRAIN | {
    "method": "adsh",
    "descriptor": "binary",
    "size": 24,
    "epochs": 3,
    "batch": 8,
}


@pytest.fixture
def learned(bare: Album) -> Album:
    """Twenty-four pictures of four classes, learned and in production."""
    for number in range(24):
        bare.put(f"class{number % 4}/{number:03d}.jpg", photo(number))
    bare.fields["train"] = LEARNS
    bare.night()
    return bare


def codes(store: Store, encoder: str) -> LearnedCodes:
    found = learned_codes(store, encoder, spec_at(store, encoder))
    assert found is not None
    return found


def held(album: Album) -> set[str]:
    """The keys of rows that are learned codes, which the others are not; all are what they must."""
    encoder = album.lineage().encoder
    known, found = codes(album.store, encoder), set()
    for key, (digest, _, vector) in album.rows().items():
        content = (album.root / key).read_bytes()
        assert digest == sha(content)
        made = album.vector(content, encoder)
        assert np.array_equal(vector, known.over([digest], made[None])[0]), key
        found |= {key} if known.known([digest])[0] else set()
    return found


def said_of(album: Album, key: str) -> dict[str, Any]:
    """What `nightjar explain` says of the row of KEY in production."""
    found = explain(
        album.store, "toy", album.recipe.dataset, key, Alias(album.store, "toy").current()
    )
    assert found.index is not None
    return found.index


def test_learned_codes_stand_in_the_index_and_others_come_from_the_network(learned: Album) -> None:
    first, names = learned.lineage(), set(learned.names())
    assert held(learned) == names
    encoder = first.encoder
    fresh = [learned.vector((learned.root / key).read_bytes(), encoder) for key in sorted(names)]
    rows = [learned.rows()[key][2] for key in sorted(names)]
    assert not np.array_equal(fresh, rows), "the network says otherwise of some"

    learned.put("class1/new.jpg", photo(100))
    ledger = learned.night("fall")
    assert (ledger.added, learned.lineage().encoder) == (1, encoder)
    assert held(learned) == names
    assert len(learned.rows()) == 25

    told = {key: said_of(learned, key)["descriptor"] for key in learned.rows()}
    wanted = dict.fromkeys(names, "a code learned from its labels")
    assert told == wanted | {"class1/new.jpg": "made by the network"}

    gone = "class2/002.jpg"
    (learned.root / gone).unlink()
    learned.night("fall")
    assert gone not in learned.rows()
    learned.put(gone, photo(2))
    learned.night("fall")
    assert held(learned) == names
    found = learned.verified(embed=25)
    assert (found.ok, found.embedded, found.codes) == (True, 25, ())


def test_a_code_that_was_meddled_with_is_found_and_nothing_is_described_by_it(
    learned: Album,
) -> None:
    encoder = learned.lineage().encoder
    name, content = codes_name(encoder), learned.store.read(codes_name(encoder))
    known = codes(learned.store, encoder)
    others = LearnedCodes(known.digests, known.rows ^ np.eye(24, 2, dtype=np.uint8))
    learned.store.write(name, others.written())
    learned.put("class1/new.jpg", photo(100))
    found = learned.verified()
    assert (found.ok, found.codes) == (False, (name,))
    assert said_of(learned, "class1/001.jpg")["descriptor"].startswith(f"unknown: {name} is lost")
    rows = learned.rows()
    with pytest.raises(Exception, match=r"is not what encoder .* names"):
        learned.night()
    learned.store.delete(name)
    assert learned.verified().codes == (name,)
    with pytest.raises(Exception, match="train it again"):
        learned.night()
    assert sorted(learned.rows()) == sorted(rows)
    learned.store.write(name, content)
    learned.night("fall")
    assert len(learned.rows()) == 25
    assert learned.verified().ok


def test_a_row_that_is_not_the_code_that_was_learned_is_named(learned: Album) -> None:
    table, version = resolve(learned.store, "toy")
    opened = index_table(learned.store, table).open(version)
    known = codes(learned.store, learned.lineage().encoder)
    assert unlike(opened, known) == set()
    changed = known.rows.copy()
    changed[5] ^= 1
    key = next(k for k, row in learned.rows().items() if row[0].encode() == known.digests[5])
    assert unlike(opened, LearnedCodes(known.digests, changed)) == {key}
    with pytest.raises(ValueError, match="learned from labels"):
        duplicates(learned.store, table, version)


def test_stored_pictures_ask_by_the_network(learned: Album) -> None:
    encoder = learned.lineage().encoder
    learned.put("class1/new.jpg", photo(100))
    ledger = learned.night("fall")
    assert any("24 of the 25 rows that answer are codes learned" in n for n in ledger.notes)
    table, version = resolve(learned.store, "toy")
    opened = index_table(learned.store, table).open(version)
    assert codes_of(opened.schema) == spec_at(learned.store, encoder).codes
    now = holding(opened, None)
    new = np.uint64(int(sha(photo(100))[:16], 16))  # it could not ask production
    images = picked(now, now.images[now.images != new], None, 20)
    learned.vector(photo(0), encoder)
    embedder = learned.encoders[encoder]
    asked, fresh = network_queries(learned.store, "toy", now, images, lambda *_: embedder)
    assert fresh == 0, "the night has asked these, and by the network"
    for key, vector in zip(asked.keys, asked.vectors, strict=True):
        content = (learned.root / key).read_bytes()
        assert np.array_equal(vector, learned.vector(content, encoder)), key
    content = (learned.root / "class0/000.jpg").read_bytes()
    bits = np.unpackbits(learned.vector(content, encoder))
    apart = {k: int((np.unpackbits(row[2]) != bits).sum()) for k, row in learned.rows().items()}
    found = learned.search(content, 25)
    assert {row["key"]: round(row["distance"]) for row in found} == apart


def test_a_protocol_whose_queries_were_learned_from_asks_by_the_network(bare: Album) -> None:
    mnist(bare.folder / "official")
    protocol = Protocol(
        dataset="mnist",
        queries=Pick(splits=("train",)),
        database=Pick(splits=("test",)),
        relevance="same_label",
        metric="map[all]",
        defined="Here.",
        own="absent",
    )
    bare.fields |= {
        "source": {"dataset": "mnist", "root": "official"},
        "train": LEARNS | {"flip": False},
        "evaluate": {"protocol": "mnist"},
    }
    ledger = bare.night()
    plan = EvaluatePlan(protocol=protocol)  # a recipe that learns from its queries is refused
    place, version = resolve(bare.store, "toy"), bare.lineage().dataset_version
    scores = measured(bare.store, place, version, None, "toy", plan, load_encoder, 0.0)
    rows = {key: row[2] for key, row in bare.rows().items()}
    steps = {key: np.unpackbits(row).astype(float) * 2 - 1 for key, row in rows.items()}
    made = as_steps(features(bare, ledger.encoder))
    wanted = precision(bare, made, steps, "train/", "test/")
    assert scores.candidate["map[all]"] == pytest.approx(wanted, abs=2e-3)
    leaking = precision(bare, steps, steps, "train/", "test/")
    assert abs(leaking - wanted) > 0.01, "the codes themselves would have said something else"


def part_of_mnist(source: Path, root: Path, counts: dict[str, int]) -> None:
    """The first pictures of the official files, as many of each as COUNTS says."""
    root.mkdir()
    for name, count in counts.items():
        for what, shape in (("images-idx3", (28, 28)), ("labels-idx1", ())):
            content = gzip.decompress((source / f"{name}-{what}-ubyte.gz").read_bytes())
            start = 8 + 4 * len(shape)
            head = content[:4] + struct.pack(f">{1 + len(shape)}I", count, *shape)
            size = count * int(np.prod(shape, dtype=int))
            path = root / f"{name}-{what}-ubyte.gz"
            path.write_bytes(gzip.compress(head + content[start : start + size], 1))


@pytest.mark.slow
@pytest.mark.real
def test_held_out_digits_find_their_class_among_learned_codes(
    shared_datasets: Path, bare: Album
) -> None:
    part_of_mnist(shared_datasets / "mnist", bare.folder / "part", {"train": 1500, "t10k": 300})
    train = {"size": 28, "width": 8, "dimensions": 16, "descriptor": "binary", "device": "cpu"}
    bare.fields |= {
        "source": {"dataset": "mnist", "root": "part"},
        "evaluate": {"protocol": "mnist"},
        "train": train | {"supervision": "unsupervised", "method": "itq", "pretrained": "pixels"},
    }
    pixels = bare.night().metrics["map[all]"]
    taught = {"supervision": "supervised", "method": "adsh", "epochs": 6, "batch": 64}
    bare.fields["train"] = train | taught | {"flip": False}
    ledger = bare.night("fall")
    found = ledger.metrics["map[all]"]
    assert found > pixels + 0.2, (found, pixels)
    assert found > 0.45, "a guess: 0.1"
    assert any("1,500 of the 1,500 rows" in note for note in ledger.notes)
    assert bare.verified(embed=10).ok
