"""Whole nights whose queries are embedded at several scales, and what is said of their numbers."""

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from data.manifest import row, shard_name
from data.protocols import PROTOCOLS
from models.pixels import Transform
from tasks.training.train import load_encoder
from tests.data.miniatures_revisited import INDEX, SAID, roxford5k
from tests.flows.album import TRAIN, Album
from tests.flows.brute import precision, ranking
from tests.flows.test_reindex_official import mnist
from tests.flows.test_reindex_protocols import boxed, stands

SCALES = [0.75, 1.0, 1.5]
SIDES = (24, 32, 48)


def at_sides(album: Album, content: bytes, encoder: str) -> Any:
    """The mean of the descriptors of CONTENT at `SIDES`, one after the other."""
    embedder = load_encoder(album.store, encoder)
    made = [embedder.features(Transform(size=side)(content)[None])[0] for side in SIDES]
    return np.mean([one.numpy().astype(np.float64) for one in made], axis=0)


def stored(album: Album, key: str) -> bytes:
    """The file of the picture of KEY, out of its shard."""
    said = row(album.store, "toy", key)
    if said is None:
        raise AssertionError(f"no picture is called {key}")
    name = shard_name("toy", said["shard"])
    return album.store.read_range(name, said["offset"], said["length"])


def test_queries_ask_with_the_mean_of_several_scales(bare: Album) -> None:
    mnist(bare.folder / "official")
    bare.fields |= {
        "source": {"dataset": "mnist", "root": "official"},
        "evaluate": {"protocol": "mnist", "scales": SCALES},
    }
    ledger = bare.night()
    stands(bare, ledger, "mnist (asked at 0.75 + 1 + 1.5)", "map[all]")
    rows = bare.rows()
    database = [key for key in rows if key.startswith("train/")]
    values = []
    for key in rows.keys() - set(database):
        content = stored(bare, key)
        right = {one for one in database if rows[one][1] == rows[key][1]}
        order = ranking(bare, at_sides(bare, content, ledger.encoder), database)
        values.append(precision(order, right))
    assert ledger.metrics["map[all]"] == pytest.approx(np.mean(values), abs=2e-3)


def test_boxes_are_cut_out_before_they_are_scaled(bare: Album, draw: Callable[..., bytes]) -> None:
    roxford5k(bare.folder / "official", draw)
    bare.fields |= {
        "source": {"dataset": "roxford5k", "root": "official"},
        "train": TRAIN | {"supervision": "self_supervised"},
        "evaluate": {"protocol": "roxford5k-medium", "scales": SCALES},
    }
    ledger = bare.night()
    assert ledger.protocol == "roxford5k-medium (asked at 0.75 + 1 + 1.5)"
    files = {path.stem: path.read_bytes() for path in (bare.folder / "official/jpg").iterdir()}
    asked = {example.query: example.candidate for example in ledger.examples}
    assert len(asked) == len(SAID)
    for name, said in zip(("hall_01", "bridge_02"), SAID, strict=True):
        vector = at_sides(bare, boxed(files[name], said["bbx"]), ledger.encoder)
        words = PROTOCOLS["roxford5k-medium"].junk
        junk = {f"index/{INDEX[int(n)]}" for word in words for n in said[word]}
        order = ranking(bare, vector, sorted({f"index/{one}" for one in INDEX} - junk))
        (found,) = (answers for query, answers in asked.items() if Path(query).stem == name)
        assert list(found) == [key for _, key in order][: len(found)]


class Fixed(nn.Module):
    """Stands for a network of timm that takes pictures of 32 x 32 pixels and of no other size."""

    num_features = 8

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(3 * 32 * 32, 8)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.mix(images.flatten(1))
        return found


def test_a_network_of_one_size_is_refused_before_it_has_embedded_anything(
    bare: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    timm = types.ModuleType("timm")
    timm.create_model = lambda name, **how: Fixed()  # type: ignore[attr-defined]
    timm.get_pretrained_cfg = lambda name: types.SimpleNamespace(to_dict=dict)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", timm)
    safetensors.torch.save_file(Fixed().state_dict(), bare.folder / "fixed.safetensors")
    mnist(bare.folder / "official")
    bare.fields |= {
        "source": {"dataset": "mnist", "root": "official"},
        "train": {
            "supervision": "self_supervised",
            "pretrained": f"timm/fixed@{bare.folder / 'fixed.safetensors'}",
            "dimensions": 8,
            "size": 32,
            "epochs": 0,
        },
        "evaluate": {"protocol": "mnist", "scales": SCALES},
    }
    with pytest.raises(ValueError, match=r"does not take pictures of 24 x 24 pixels .*leave the"):
        bare.night()
    assert not bare.versions()
    assert not (bare.folder / "store" / "descriptors").exists()
    bare.fields["evaluate"] = {"protocol": "mnist"}
    assert bare.night().promoted


def test_sets_of_visual_words_have_no_mean(bare: Album) -> None:
    mnist(bare.folder / "official")
    words = {"descriptor": "aggregated", "pooling": "asmk", "dimensions": 16, "protocol": "mnist"}
    bare.fields |= {
        "source": {"dataset": "mnist", "root": "official"},
        "train": TRAIN | words | {"pooling_options": {"asmk": {"words": 8}}},
        "evaluate": {"protocol": "mnist", "scales": SCALES},
    }
    with pytest.raises(ValueError, match="scales ask with a mean of vectors, and visual words are"):
        bare.night()
