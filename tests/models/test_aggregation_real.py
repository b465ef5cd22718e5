"""On real photographs of objects, what keeps visual words apart finds more than what averages."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from models.aggregation.asmk import bags
from models.aggregation.average import Average
from models.aggregation.inverted_file import InvertedFile
from models.aggregation.vlad import VLAD

pytestmark = pytest.mark.real
WORDS = 128


def described(paths: list[Path]) -> torch.Tensor:
    """Dense RootSIFT of photographs, maps (B, 128, 17, 23): 4 x 4 cells of 8 directions each."""
    photos = [Image.open(path).convert("L").resize((160, 120)) for path in paths]
    grey = torch.from_numpy(np.stack([np.asarray(photo, np.float32) / 255 for photo in photos]))
    across = functional.pad(grey[:, :, 2:] - grey[:, :, :-2], (1, 1))
    down = functional.pad(grey[:, 2:] - grey[:, :-2], (0, 0, 1, 1))
    strength, angle = torch.hypot(across, down), torch.atan2(down, across) * 4 / torch.pi
    shares = [(1 - ((angle - k + 4) % 8 - 4).abs()).clamp_min(0) for k in range(8)]
    cells = functional.avg_pool2d(torch.stack([strength * s for s in shares], dim=1), 6)
    patches = functional.unfold(cells, 4).view(len(paths), 128, 17, 23)
    return (patches / patches.sum(dim=1, keepdim=True).clamp_min(1e-6)).sqrt()


def found(likeness: torch.Tensor) -> float:
    """The N-S score: of an object's four photographs, how many are among the four most alike."""
    objects = torch.arange(len(likeness)) // 4
    nearest = likeness.topk(4, dim=1).indices
    return float((objects[nearest] == objects[:, None]).sum(dim=1).float().mean())


@pytest.fixture(scope="module")
def others(shared_datasets: Path) -> torch.Tensor:
    """Photographs of anything, from which is learned what there is to learn."""
    return described(sorted((shared_datasets / "coco-mini").rglob("*.jpg"))[:60])


@pytest.fixture(scope="module")
def objects(shared_datasets: Path) -> torch.Tensor:
    """UKBench: four photographs of each of 14 objects."""
    return described(sorted((shared_datasets / "ukbench-56" / "full").glob("*.jpg")))


def test_visual_words_find_more_than_an_average(
    others: torch.Tensor, objects: torch.Tensor
) -> None:
    plain = functional.normalize(Average(128)(objects))
    pool = VLAD(128, WORDS)
    pool.fit(pool.samples(others).flatten(0, 1)[::3], seed=0)
    vectors = pool(objects)
    gallery = bags(pool.samples(objects), pool.words)
    held = InvertedFile(WORDS, 16)
    held.add(gallery)
    average, vlad = found(plain @ plain.T), found(vectors @ vectors.T)
    asmk = found(torch.from_numpy(held.scores(gallery)))
    assert vlad > average + 0.5
    assert asmk > average + 0.5
    assert held.nbytes < vectors.numel() * 4 / 20  # it keeps a bit of each number of the words seen
