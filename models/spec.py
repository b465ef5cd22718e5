"""What an encoder is, in words and numbers: read with a recipe, kept in the header of its weights.

Nothing here computes, so that whoever reads a recipe need not load torch: `models.weights` builds
what is described.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, model_validator

from data.plan import Kept, Plan
from data.taxonomy import DescriptorType, Network, choose
from models.aggregation import BAGS
from models.descriptors import DESCRIPTORS
from models.descriptors.aggregated import VisualWords
from models.descriptors.base import Descriptor, Storage
from models.descriptors.quantised import Quantised
from models.pixels import Transform

Precision = Literal["float32", "float16", "bfloat16"]
HeadKind = Literal["learned", "whitening", "none"]
"""What stands after the pooling: a projection that learns, a whitening, or nothing."""

STEMS: Final = (1, 2, 4, 8)
"""Strides that the stem of a convolutional network may have."""


class Backbone(Plan):
    """A network of another library, described so that it can be built again offline."""

    source: Literal["timm", "transformers", "open_clip", "pixels"] = Field(
        description="what builds it; pixels: nobody, they are taken as they are"
    )
    name: str = Field(
        pattern=r"^[\w.-]+$",
        description="timm's or open_clip's name, or transformers' model type; never an address",
    )
    config: dict[str, Any] = Field(
        default={}, description="transformers' configuration, or that of open_clip's image tower"
    )
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


class TextSpec(Plan):
    """A tower for text beside an encoder, described so that it can be built again offline."""

    kind: Literal["words", "pretrained"] = Field(
        default="words",
        description="words: the mean of their vectors; pretrained: that of the backbone",
    )
    width: int = Field(default=256, gt=0, description="numbers of a word's vector")
    vocabulary: tuple[str, ...] = Field(
        default=(), description="the words that it knows, in the order of their codes"
    )
    longest: int = Field(default=0, ge=0, description="codes of a text, of a pretrained tower")
    padding: int = Field(default=0, ge=0, description="the code that shorter texts end with")
    tokenizer: int = Field(
        default=0, ge=0, description="bytes of its tokenizer, which lie among the weights"
    )
    projected: bool = Field(
        default=False, description="whether both towers of the backbone end in a projection"
    )


class EncoderSpec(Kept):
    """Everything but the weights that decides what an encoder makes of a picture, or of a text."""

    later: ClassVar[Mapping[str, Any]] = {"text": None, "pq_parts": 0, "codes": ""}

    network: Network = Network.CONVOLUTIONAL
    arguments: dict[str, Any] = Field(default={}, description="of the network, besides dimensions")
    backbone: Backbone | None = Field(
        default=None, description="a network trained by somebody else"
    )
    descriptor: DescriptorType = DescriptorType.REAL_VALUED
    dimensions: int = Field(default=128, gt=0, description="D, or the number of bits")
    storage: Storage = Field(
        default="float32",
        description="number format of a real descriptor; pq: an index stores codes of it",
    )
    pq_parts: int = Field(default=0, ge=0, description="bytes a row, where the storage is pq")
    transform: Transform = Transform()
    text: TextSpec | None = Field(
        default=None, description="a tower for text in the same space; none: it sees pictures only"
    )
    codes: str = Field(
        default="",
        pattern="^([0-9a-f]{64})?$",
        description="SHA-256 of the codes of single pictures that it has learned; empty: of none",
    )

    @model_validator(mode="after")
    def _can_be_stored(self) -> "EncoderSpec":
        try:
            self.stored()
        except (TypeError, ArithmeticError, LookupError) as error:
            raise ValueError(f"No descriptor is made by {self.arguments}: {error}") from error
        return self

    @property
    def words(self) -> int:
        """K, the visual words of which a set is the descriptor; 0 where it is a vector."""
        pooling = self.arguments.get("pooling")
        if self.descriptor is not DescriptorType.AGGREGATED or not isinstance(pooling, Mapping):
            return 0
        return int(pooling[BAGS]["words"]) if BAGS in pooling else 0

    @property
    def head(self) -> HeadKind:
        """What stands after the pooling."""
        if self.descriptor is not DescriptorType.AGGREGATED:
            return "learned"
        return "none" if self.words else "whitening"

    def stored(self) -> Descriptor:
        """What a table row stores of the features.

        Raises:
            ValueError: so many dimensions cannot be stored that way.
        """
        if self.words:
            cells = cells_for(self.transform.size, int(self.arguments.get("stem", 1)))
            slots = min(self.words, cells)
            return VisualWords(self.dimensions, self.storage, words=self.words, slots=slots)
        kind = choose(DESCRIPTORS, self.descriptor, "descriptor")
        if self.storage != "pq" and not self.pq_parts:
            return kind(self.dimensions, self.storage)
        if self.storage != "pq" or not self.pq_parts or kind.metric != "cosine":
            raise ValueError(
                f"A {self.descriptor} descriptor of {self.pq_parts} parts is not stored as "
                f"{self.storage}."
            )
        return Quantised(self.dimensions, parts=self.pq_parts)


def stem_for(size: int) -> int:
    """The stride of the stem that brings pictures of SIZE pixels to a map of 28 to 56 or so."""
    return next((stride for stride in STEMS if size <= 48 * stride), STEMS[-1])


def cells_for(size: int, stem: int) -> int:
    """Cells of the last map of a convolutional network of STEM, of pictures of SIZE pixels."""
    return (-(-size // (4 * stem))) ** 2
