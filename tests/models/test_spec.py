"""What an encoder is called never changes: stores hold its description, and are asked by digest."""

import subprocess
import sys

import pytest

from data.plan import Plan
from data.taxonomy import DescriptorType
from models.pixels import Transform
from models.spec import Backbone, EncoderSpec, stem_for

BACKBONE = Backbone(source="timm", name="resnet18")
PINNED: list[tuple[Plan, str, str]] = [
    (
        Transform(),
        "721cfe8e63881084b85a64c0f898b30dd1d2ecced9aa1e362f2be683462de227",
        '{"size":64,"fit":"squash"}',
    ),
    (
        BACKBONE,
        "8093c8d1f43252d70d32593103cfc8906b63d5a902669aba3b5cd5229da69f74",
        '{"source":"timm","name":"resnet18","config":{},"mean":[0.485,0.456,0.406],'
        '"std":[0.229,0.224,0.225]}',
    ),
    (
        EncoderSpec(backbone=BACKBONE, storage="float16"),
        "5488212b96267bc3196c5c12d3e022eda1d1cfbd4f258c7abd3d9bd8f7146cf0",
        '{"network":"convolutional","arguments":{},"backbone":{"source":"timm","name":"resnet18",'
        '"config":{},"mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225]},'
        '"descriptor":"real_valued","dimensions":128,"storage":"float16",'
        '"transform":{"size":64,"fit":"squash"}}',
    ),
    (
        EncoderSpec(
            arguments={"width": 16, "depth": 1, "stem": stem_for(100), "pooling": "gem"},
            descriptor=DescriptorType.BINARY,
            dimensions=64,
            transform=Transform(size=100, fit="crop"),
        ),
        "b239528205a5e6d11a0ebf99001f6803bb22be92980bdd75e494252044b5898c",
        '{"network":"convolutional","arguments":{"width":16,"depth":1,"stem":4,"pooling":"gem"},'
        '"backbone":null,"descriptor":"binary","dimensions":64,"storage":"float32",'
        '"transform":{"size":100,"fit":"crop"}}',
    ),
]
"""Descriptions with the digest and the JSON that they had when the first stores were written."""


@pytest.mark.parametrize(("described", "digest", "text"), PINNED)
def test_a_description_keeps_its_digest_and_its_text(
    described: Plan, digest: str, text: str
) -> None:
    assert described.digest == digest
    assert described.model_dump_json() == text  # the header of an encoder's file, byte for byte


def test_a_spec_with_half_a_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="not a multiple of 8"):
        EncoderSpec(descriptor=DescriptorType.BINARY, dimensions=12)


def test_pictures_of_every_size_reach_a_map_of_like_size() -> None:
    for size, stem in ((28, 1), (32, 1), (64, 2), (96, 2), (128, 4), (224, 8), (512, 8)):
        assert stem_for(size) == stem


def test_an_encoder_is_described_without_torch() -> None:
    code = "import sys, models.spec; sys.exit(sorted({'torch', 'safetensors'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "[]\n")
