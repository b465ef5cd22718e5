"""An exported encoder of visual words makes the words that the encoder makes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from data.store import Store
from data.taxonomy import DescriptorType
from models import portable
from models.aggregation.rows import unpacked
from models.pixels import Transform
from models.portable import FORMATS, Outputs, Word
from models.spec import EncoderSpec
from tasks.export import TOLERANCE, ExportDiffers, agreement, export
from tasks.training.train import load_encoder
from tests.tasks.kept import kept

WORDS = EncoderSpec(
    arguments={"width": 8, "pooling": {"asmk": {"words": 5, "bits": 16}}},
    descriptor=DescriptorType.AGGREGATED,
    dimensions=80,
    transform=Transform(size=32),
)


@pytest.mark.parametrize("to", FORMATS)
def test_an_exported_file_makes_the_same_visual_words(
    to: Word, store: Store, tmp_path: Path
) -> None:
    digest = kept(store, WORDS)
    file = tmp_path / "encoder"
    agreed = export(store, digest, to, file)
    assert agreed.differing_words == 0
    assert agreed.differing_bits is None
    embedder, (run, said) = load_encoder(store, digest), FORMATS[to].read(file)
    shown = torch.randint(
        256, (7, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(3)
    )
    rows = run(shown)[1].numpy()
    assert np.array_equal(rows, embedder.describe(embedder.features(shown)))
    assert "visual word" in json.loads(said)["outputs"]["descriptor"]["means"]
    assert np.array_equal(
        unpacked(rows).words,
        np.concatenate(
            [
                np.flatnonzero(image.any(axis=1))
                for image in embedder.features(shown).view(7, 5, 16).numpy()
            ]
        ),
    )


def test_of_many_visual_words_one_may_be_another_and_not_more(store: Store) -> None:
    embedder = load_encoder(store, kept(store, WORDS))

    def moved(count: int) -> portable.Run:
        def run(images: torch.Tensor) -> Outputs:
            features = embedder.features(images).clone()
            places = (features[:, ::16] != 0).nonzero()[:count]
            for image, word in places.tolist():
                features[image, 16 * word : 16 * word + 16] *= -1
            return features, embedder.descriptor.stored(features)

        return run

    agreed = agreement(embedder, moved(1), (32,))
    assert agreed.differing_words == 1
    assert agreed.difference < TOLERANCE
    with pytest.raises(ExportDiffers, match=r"8 of \d+ visual words"):
        agreement(embedder, moved(8), (32,))

    def other_rows(images: torch.Tensor) -> Outputs:
        features, rows = moved(0)(images)
        return features, (rows.int() ^ 1).to(torch.uint16)

    with pytest.raises(ExportDiffers, match="visual words differ"):
        agreement(embedder, other_rows, (32,))
