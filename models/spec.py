"""What an encoder is, in words and numbers: read with a recipe, kept in the header of its weights.

Nothing here computes, so that whoever reads a recipe need not load torch: `models.weights` builds
what is described.
"""

from typing import Any, Final, Literal

from pydantic import Field, model_validator

from data.plan import Plan
from data.taxonomy import DescriptorType, Network, choose
from models.descriptors import DESCRIPTORS
from models.descriptors.base import Storage
from models.pixels import Transform

Precision = Literal["float32", "float16", "bfloat16"]

STEMS: Final = (1, 2, 4, 8)
"""Strides that the stem of a convolutional network may have."""


class Backbone(Plan):
    """A network of another library, described so that it can be built again offline."""

    source: Literal["timm", "transformers", "open_clip"] = Field(description="what builds it")
    name: str = Field(
        pattern=r"^[\w.-]+$",
        description="timm's or open_clip's name, or transformers' model type; never an address",
    )
    config: dict[str, Any] = Field(
        default={}, description="transformers' configuration, or that of open_clip's image tower"
    )
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


class EncoderSpec(Plan):
    """Everything but the weights that decides what an encoder makes of a picture."""

    network: Network = Network.CONVOLUTIONAL
    arguments: dict[str, Any] = Field(default={}, description="of the network, besides dimensions")
    backbone: Backbone | None = Field(
        default=None, description="a network trained by somebody else"
    )
    descriptor: DescriptorType = DescriptorType.REAL_VALUED
    dimensions: int = Field(default=128, gt=0, description="D, or the number of bits")
    storage: Storage = Field(default="float32", description="number format of a real descriptor")
    transform: Transform = Transform()

    @model_validator(mode="after")
    def _whole_bytes(self) -> "EncoderSpec":
        choose(DESCRIPTORS, self.descriptor, "descriptor")(self.dimensions, self.storage)
        return self


def stem_for(size: int) -> int:
    """The stride of the stem that brings pictures of SIZE pixels to a map of 28 to 56 or so."""
    return next((stride for stride in STEMS if size <= 48 * stride), STEMS[-1])
