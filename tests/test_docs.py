"""The Python that the docs show to whoever adds something does what they say it does."""

import re
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from PIL import Image
from pydantic import Field

from data.adapters import base
from models.networks import autoencoder
from models.networks import base as networks

DOCS = Path(__file__).parents[1] / "docs"


def sample(page: str, holds: str, known: dict[str, Any]) -> dict[str, Any]:
    """What the one sample of PAGE that HOLDS some words defines; it need not import the KNOWN."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    (found,) = [block for block in blocks if holds in block]
    names = dict(known)
    exec(compile(found, page, "exec"), names)
    return names


def test_the_dataset_of_the_docs_lists_and_reads(tmp_path: Path) -> None:
    flowers = sample("adding-a-dataset.md", 'class Flowers17(Dataset):\n    """', {})["Flowers17"]
    (tmp_path / "jpg").mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "jpg" / "image_0001.jpg")
    first = tmp_path / "jpg" / "image_0001.jpg"
    for number in range(2, 1361):
        (tmp_path / "jpg" / f"image_{number:04d}.jpg").hardlink_to(first)
    dataset = flowers(str(tmp_path))
    samples = list(dataset.samples())
    assert len(samples) == flowers.card.splits["all"]
    assert [one.labels for one in (samples[79], samples[80], samples[-1])] == [
        ("0",),
        ("1",),
        ("16",),
    ]
    assert list(dataset.read([samples[0].uri])) == [first.read_bytes()]


def test_the_options_of_the_docs_are_checked(tmp_path: Path) -> None:
    known = {**vars(base), "Field": Field, "Literal": Literal}
    flowers = sample("adding-a-dataset.md", "class FlowersOptions", known)["Flowers17"]
    assert flowers.takes(division=3).division == 3
    with pytest.raises(ValueError, match="division"):
        flowers.takes(division=4)


def test_the_network_of_the_docs_is_one() -> None:
    names = sample("adding-an-encoder.md", "class MeanColours", vars(networks))
    features = names["MeanColours"](4)(torch.rand(3, 3, 8, 8))
    assert features.shape == (3, 4)
    assert torch.allclose(features.norm(dim=1), torch.ones(3))


def test_the_term_of_the_docs_teaches_encoder_and_decoder() -> None:
    names = sample("adding-an-encoder.md", "class Reconstruction", vars(autoencoder))
    encoder = names["AutoencoderEncoder"](8, width=4, depth=1, stem=1)
    term = encoder.term(0)
    views = encoder.see(torch.rand(4, 3, 28, 28), None, torch.Generator())
    term(encoder, views).backward()
    for part in (encoder, term):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in part.parameters())
