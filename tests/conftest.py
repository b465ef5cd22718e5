"""What every room's tests share: a store in a temporary folder, and pictures drawn from a seed."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from data.store import Store

# how long an example takes says how busy the machine is, not whether the property holds
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

SHARED_DATASETS = Path(__file__).parents[2] / "shared" / "datasets"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store in a folder."""
    return Store(str(tmp_path / "store"))


@pytest.fixture(scope="session")
def draw() -> Callable[..., bytes]:
    """draw(seed, width=48, height=40, suffix="jpg"): a smooth, seeded picture as encoded bytes."""

    def picture(seed: int, width: int = 48, height: int = 40, suffix: str = "jpg") -> bytes:
        coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        out = io.BytesIO()
        image.save(out, {"jpg": "JPEG", "png": "PNG"}[suffix], **({"quality": 90} if suffix == "jpg" else {}))
        return out.getvalue()

    return picture


@pytest.fixture
def picture_folder(tmp_path: Path, draw: Callable[..., bytes]) -> Callable[..., Path]:
    """picture_folder(n, classes=4, name="pictures"): a folder CLASS/NNN.jpg of N pictures."""

    def make(n: int, classes: int = 4, name: str = "pictures") -> Path:
        root = tmp_path / name
        for i in range(n):
            path = root / f"class{i % classes}" / f"{i:04d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(draw(i))
        return root

    return make


@pytest.fixture(scope="session")
def shared_datasets() -> Path:
    """The folder of real data sets; the test is skipped where it is not there."""
    if not SHARED_DATASETS.is_dir():
        pytest.skip("no ../shared/datasets beside the project: real images not tested here")
    return SHARED_DATASETS
