"""What every room's tests share: a store in a temporary folder, drawn pictures, one Ray cluster."""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from data.fetch import Fetcher, new_client
from data.store import Store
from tasks import cluster
from tests.publisher import QUICK, Publisher, publisher

# how long an example takes says how busy the machine is, not whether the property holds; where
# changes are judged (CI) the same examples are drawn each time, at a desk new ones
settings.register_profile("nightjar", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("nightjar")

SHARED_DATASETS = Path(__file__).parents[2] / "shared" / "datasets"


@pytest.fixture(scope="session", autouse=True)
def _cluster_at_hand() -> Iterator[None]:
    """The cluster that the first test to spread its work starts serves them all, to the end."""
    yield
    cluster.shutdown()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store in a folder."""
    return Store(str(tmp_path / "store"))


@pytest.fixture(scope="session")
def draw() -> Callable[..., bytes]:
    """Draws a smooth picture from a seed, as encoded bytes: ``draw(3, width=48, suffix="png")``."""

    def picture(seed: int, width: int = 48, height: int = 40, suffix: str = "jpg") -> bytes:
        coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        out = io.BytesIO()
        image.save(
            out,
            {"jpg": "JPEG", "png": "PNG"}[suffix],
            **({"quality": 90} if suffix == "jpg" else {}),
        )
        return out.getvalue()

    return picture


@pytest.fixture
def picture_folder(tmp_path: Path, draw: Callable[..., bytes]) -> Callable[..., Path]:
    """Makes a folder CLASS/NNNN.jpg of drawn pictures: ``picture_folder(40, classes=4)``."""

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


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    """A publisher of files on this machine, who has none yet."""
    monkeypatch.setenv("NO_PROXY", "*")
    with publisher() as one:
        yield one


@pytest.fixture
def fetcher(here: Publisher) -> Iterator[Fetcher]:
    """Downloads with little patience."""
    with new_client() as client:
        yield Fetcher(client, QUICK)
