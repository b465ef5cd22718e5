"""Whole nights with aggregated descriptors: visual words, and regions that are whitened."""

from typing import Any

import pytest

from data.indexes import index_table, metric_of
from tests.flows.album import TRAIN, Album, photo

WAYS: list[tuple[dict[str, Any], str]] = [
    (
        {"pooling": "asmk", "pooling_options": {"asmk": {"words": 12}}, "dimensions": 32},
        "asmk",
    ),
    (
        {"pooling": "rmac", "pooling_options": {"rmac": {"whiten": True}}, "epochs": 1, "batch": 8},
        "cosine",
    ),
]


@pytest.mark.parametrize(("said", "metric"), WAYS, ids=["asmk", "rmac"])
def test_nights_of_an_aggregated_descriptor(bare: Album, said: dict[str, Any], metric: str) -> None:
    bare.fields = {"train": TRAIN | {"descriptor": "aggregated"} | said}
    for number in range(30):
        bare.put(f"class{number % 3}/{number:03d}.jpg", photo(number))
    assert bare.night().embedded == 30
    table = index_table(bare.store, bare.production.table)
    assert metric_of(table.schema) == metric
    bare.agrees()
    assert bare.verified(embed=30).ok
    found = bare.search(photo(7), k=3)
    assert found[0]["key"] == "class1/007.jpg"
    assert found[0]["distance"] < 1e-5 < found[1]["distance"]

    place = bare.production.place
    assert bare.night().embedded == 0
    assert bare.production.place == place

    bare.put("class0/new.jpg", photo(500))
    (bare.root / "class2/002.jpg").unlink()
    assert bare.night().embedded == 1
    bare.agrees()
    assert bare.verified(embed=30).ok
    assert bare.search(photo(500), k=1)[0]["key"] == "class0/new.jpg"
