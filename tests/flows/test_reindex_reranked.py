"""Whole nights that are measured with re-ranked answers, and what is said of their numbers."""

import re
from typing import Any

import numpy as np
import pytest

from models.reranking import rerank, steps_of
from tests.data.miniatures_unseen import cub200
from tests.flows.album import TRAIN, Album
from tests.flows.brute import ranking
from tests.flows.test_reindex_official import mnist
from tests.flows.test_reindex_official_sets import shade
from tests.flows.test_reindex_protocols import stands


def without(note: str) -> dict[str, float]:
    """What NOTE says that the measures are without a re-ranking."""
    assert note.startswith("Without the re-ranking: ")
    return {name: float(value) for name, value in re.findall(r"(\S+) ([0-9.]+\d)", note)}


def test_answers_are_re_ranked_and_the_plain_numbers_stand_beside(bare: Album) -> None:
    cub200(bare.folder / "official", shade, 4)
    bare.fields |= {"source": {"dataset": "cub200", "root": "official"}}
    said = {"steps": "alpha_qe+k_reciprocal", "depth": 9, "options": {"alpha_qe": {"n": 2}}}
    bare.fields["evaluate"] = {"protocol": "cub200", "rerank": said}
    ledger = bare.night()
    stands(bare, ledger, "cub200 (9 re-ranked by alpha_qe {n: 2}+k_reciprocal)", "cmc@1")
    again = bare.night()
    assert (again.protocol, again.metrics) == (ledger.protocol, ledger.metrics)
    assert again.notes == ("The candidate is production: measured when it was made.",)
    bare.fields["evaluate"] = {"protocol": "cub200"}
    plain = bare.night()
    assert plain.protocol == "cub200"
    beside = without(ledger.notes[-1])
    assert "map_at_r" in beside
    for name, value in beside.items():
        assert plain.metrics[name] == pytest.approx(value, abs=1e-4)

    rows = bare.rows()
    unseen = [key for key in rows if int(rows[key][1][0][:3]) > 100]
    steps, at_r = steps_of("alpha_qe+k_reciprocal", {"alpha_qe": {"n": 2}}), []
    for key in unseen:
        order = ranking(bare, rows[key][2], [one for one in unseen if one != key])
        first = [one for _, one in order[:9]]
        apart = np.array([distance for distance, _ in order[:9]], np.float32)
        held = np.stack([rows[one][2] for one in first])
        places, _ = rerank(steps, rows[key][2], held, apart, "cosine")
        listed = [first[place] for place in places] + [one for _, one in order[9:]]
        hits = [rows[one][1] == rows[key][1] for one in listed]
        total = sum(hits)
        at_r.append(sum(sum(hits[: i + 1]) / (i + 1) for i in range(total) if hits[i]) / total)
    assert ledger.metrics["map_at_r"] == pytest.approx(np.mean(at_r), abs=2e-2)


def test_what_a_re_ranking_cannot_tell_is_said(bare: Album) -> None:
    mnist(bare.folder / "official")
    bare.fields |= {
        "source": {"dataset": "mnist", "root": "official"},
        "train": TRAIN | {"descriptor": "binary", "dimensions": 16},
        "evaluate": {"protocol": "mnist", "measures": ["p[h<=2]"], "rerank": "alpha_qe"},
    }
    ledger = bare.night()
    assert ledger.notes[0].startswith("p[h<=2] is not measured: it looks within a Hamming")
    assert "re-ranked answers stand at none" in ledger.notes[0]
    assert 0 < ledger.metrics["map[all]"] <= 1


WORDS: dict[str, Any] = {
    "descriptor": "aggregated",
    "pooling": "asmk",
    "pooling_options": {"asmk": {"words": 8}},
    "dimensions": 16,
    "protocol": "mnist",
}


def test_visual_words_are_re_ranked_by_pictures_and_not_as_vectors(bare: Album) -> None:
    mnist(bare.folder / "official")
    bare.fields |= {
        "source": {"dataset": "mnist", "root": "official"},
        "train": TRAIN | WORDS,
        "evaluate": {"protocol": "mnist", "rerank": {"steps": "geometric", "depth": 5}},
    }
    ledger = bare.night()
    assert ledger.protocol == "mnist (5 re-ranked by geometric)"
    assert ledger.metrics["map[all]"] == pytest.approx(
        without(ledger.notes[-1])["map[all]"], abs=1e-4
    )

    bare.fields["evaluate"] = {"protocol": "mnist", "rerank": "alpha_qe"}
    with pytest.raises(ValueError, match=r"alpha_qe compares vectors.* choose geometric"):
        bare.night()
    bare.fields["train"] = TRAIN
    ledger = bare.night()
    assert ledger.production_metrics is None
    assert "Production could not be asked: alpha_qe compares vectors" in " ".join(ledger.notes)


def test_pictures_are_read_from_the_store_and_such_without_points_stay(bare: Album) -> None:
    mnist(bare.folder / "official")
    bare.fields |= {
        "source": {"dataset": "mnist", "root": "official"},
        "evaluate": {"protocol": "mnist", "rerank": {"steps": "geometric", "depth": 5}},
    }
    ledger = bare.night()
    assert ledger.protocol == "mnist (5 re-ranked by geometric)"
    beside = without(ledger.notes[-1])
    assert ledger.metrics["map[all]"] == pytest.approx(beside["map[all]"], abs=1e-4)
