"""What a training is told."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, field_validator, model_validator

from data.plan import Plan
from data.protocols import Protocol, named
from data.taxonomy import DescriptorType, Network, Supervision
from models import composition
from models.aggregation import BAGS
from models.aggregation.wanted import Pooling, fits, pooling_of
from models.composition import PARTS, Whitening
from models.descriptors.base import Storage
from models.networks import NETWORKS
from models.pixels import Sight, Transform
from models.spec import EncoderSpec, TextSpec, stem_for
from models.supervision import SUPERVISIONS, Batches, Method
from tasks.training.rules import check

WHERE: Final = frozenset({"device", "workers", "threads", "memory_mb", "keep"})
"""Fields that say where a training runs, not what it is for: they make no new encoder wanted."""


class TrainPlan(Plan):
    """What an encoder is, what it learns from and for how long."""

    later: ClassVar[Mapping[str, Any]] = {
        "method": "",
        "options": {},
        "term": 1.0,
        "each": 4,
        "labelled": 1.0,
        "clip": 5.0,
        "ema": 0.0,
        "validation": 0.0,
        "patience": 0,
        "keep": 3.0,
        "whitening": "none",
        "protocol": None,
        "clusters": 0,
        "pooling_options": {},
        "change": 1.0,
        "see": "colours",
        "sketches": 0.0,
        "learned_bits": 0,
        "bits_by": "worth",
        "compatible_with": "",
        "compatible_by": "descriptors",
        "text": "",
        "vocabulary": 8192,
        "pq_parts": PARTS,
    }

    supervision: Supervision = Supervision.SELF_SUPERVISED
    method: str = Field(default="", description="of the supervision; empty: its first that suits")
    network: Network = Network.CONVOLUTIONAL
    options: dict[str, Any] = Field(
        default={}, description="of the network, besides width, depth and pooling"
    )
    term: float = Field(
        default=1.0, ge=0, description="weight of what the network adds to its teacher's loss"
    )
    pretrained: str | None = Field(
        default=None,
        description="start from: a path, timm/NAME, timm/NAME@FILE or a hub id; the network is its",
    )
    frozen: bool = Field(default=False, description="train only the projection of the pretrained")
    licence: str = Field(default="", description="of the pretrained weights, where they do not say")
    descriptor: DescriptorType = DescriptorType.REAL_VALUED
    dimensions: int = Field(
        default=128, gt=0, description="numbers, or bits, a descriptor; of asmk: bits a visual word"
    )
    learned_bits: int = Field(
        default=0,
        ge=0,
        description="of which the best are kept, as many as dimensions says; 0: all that it learns",
    )
    bits_by: Literal["worth", "lot"] = Field(
        default="worth",
        description="which of the learned bits are kept: the best; or, to compare with, any",
    )
    storage: Storage = Field(
        default="float32", description="of an index's numbers; pq: product quantisation's bytes"
    )
    pq_parts: int = Field(
        default=PARTS, gt=0, description="bytes a row by storage: pq; dimensions are a multiple"
    )
    size: int = Field(default=64, ge=8, le=1024, description="side of a picture, pixels")
    fit: Literal["squash", "crop"] = "squash"
    see: Sight = Field(
        default="colours",
        description="edges: every picture, photographs and what asks for them, as a line drawing",
    )
    width: int = Field(default=32, gt=0, description="channels of the first stage")
    depth: int = Field(default=1, gt=0, description="blocks a stage")
    pooling: str = Field(
        default="gem", description='of the maps to one vector; "gem+rmac": both, side by side'
    )
    pooling_options: dict[str, dict[str, Any]] = Field(
        default={}, description="by word of the pooling: {vlad: {words: 16}}"
    )
    whitening: Whitening = Field(
        default="none",
        description="after training, in the place of the head; learned: from labels; half_pca: "
        "half as strong; aggregated, none means learned where labels are seen, else pca",
    )
    split: str | None = Field(
        default=None, description='to train on; none: "train" where there is one, else everything'
    )
    protocol: str | Protocol | None = Field(
        default=None,
        description="learn from the training set of this protocol and from nothing else",
    )
    compatible_with: str = Field(
        default="",
        pattern=r"^([0-9a-f]{12,64})?$",
        description="digest of an encoder, or its first 12 letters, whose index is to answer this",
    )
    compatible_by: Literal["descriptors", "classes"] = Field(
        default="descriptors",
        description="descriptors: says what that one says, and may be small; classes: has its "
        "classes where they are, and may be better",
    )
    epochs: int = Field(
        default=20,
        ge=0,
        description="0: the weights as they are drawn, but for what is found in closed form",
    )
    minutes: float | None = Field(default=None, gt=0, description="stop then, trained or not")
    batch: int = Field(default=128, ge=2, description="pictures a step, of all workers together")
    each: int = Field(
        default=4,
        ge=2,
        description="pictures of a class in a step, at least, where steps are balanced",
    )
    labelled: float = Field(
        default=1.0, gt=0, le=1, description="share of the labels that may be seen, of each class"
    )
    clusters: int = Field(
        default=0, ge=0, description="that a pseudo-supervision finds; 0: the root of the pictures"
    )
    optimiser: Literal["adamw", "sgd"] = "adamw"
    lr: float = Field(default=2e-3, gt=0, description="highest learning rate")
    weight_decay: float = Field(default=0.05, ge=0)
    warm_up: float = Field(default=1.0, ge=0, description="epochs")
    clip: float = Field(default=5.0, gt=0, description="greatest norm of a step's gradient")
    ema: float = Field(
        default=0.0, ge=0, lt=1, description="of the weights, kept at a step; 0: no average is kept"
    )
    validation: float = Field(
        default=0.0, ge=0, lt=1, description="share of the pictures that only choose the best epoch"
    )
    patience: int = Field(
        default=0,
        ge=0,
        description="epochs without a better one after which it ends; 0: all epochs",
    )
    temperature: float | None = Field(default=None, gt=0, description="of the loss; none: its own")
    margin: float | None = Field(default=None, ge=0, description="of the loss; none: its own")
    text: Literal["", "pretrained"] = Field(
        default="",
        description="pretrained: the tower for text that comes with the pretrained weights; empty: "
        "one that learns, where the method has sentences read, and else none",
    )
    vocabulary: int = Field(
        default=8192, ge=2, description="words that a tower for text learns at most"
    )
    flip: bool = Field(default=True, description="a mirrored picture shows the same")
    change: float = Field(
        default=1.0, ge=0, le=1, description="how much gently changed views are changed; 0: not"
    )
    sketches: float = Field(
        default=0.0, ge=0, le=1, description="share of the views that are shown as line drawings"
    )
    seed: int = Field(default=0, ge=0)
    precision: Literal["float32", "bfloat16"] = "float32"
    device: str = Field(
        default="auto", description='"auto": a GPU where there is one; "cpu"; "cuda"'
    )
    workers: int = Field(default=0, ge=0, description="0: in this process; else Ray Train's")
    threads: int = Field(
        default=1, ge=1, description="a worker, no more than cores are free; results depend on it"
    )
    memory_mb: int = Field(default=2048, gt=0, description="for decoded pictures, a worker")
    keep: float = Field(
        default=3.0, ge=0, description="minutes after which an epoch's state is kept within it"
    )

    @model_validator(mode="after")
    def _composes(self) -> "TrainPlan":
        check(self)
        self.spec()
        return self

    @field_validator("protocol")
    @classmethod
    def _teaches(cls, word: str | Protocol | None) -> str | Protocol | None:
        told = named(word) if isinstance(word, str) else word
        if told is not None and told.train is None:
            raise ValueError(
                f"by {word} no picture of {told.dataset} may teach: leave the protocol out, and "
                "set epochs: 0 or a split that it does not ask with"
            )
        return word

    @property
    def taught_by(self) -> Protocol | None:
        """The protocol whose training set it learns from; None where it is a split, or all."""
        return named(self.protocol) if isinstance(self.protocol, str) else self.protocol

    @property
    def way_name(self) -> str:
        """The name of the method by which it learns."""
        return composition.check(self.supervision, self.network, self.descriptor, self.method)

    @property
    def way(self) -> Method:
        """The method by which it learns."""
        return SUPERVISIONS[self.supervision].methods[self.way_name]

    @property
    def reads(self) -> bool:
        """Whether what it makes has a tower for text."""
        return bool(self.text) or (self.way.reads and bool(self.epochs))

    @property
    def batches(self) -> Batches:
        """How the pictures of a step are chosen: as the method wants, else as the network does."""
        teaching = SUPERVISIONS[self.supervision]
        classes = "labels" in teaching.needs - teaching.optional
        wish: Batches = "balanced" if NETWORKS[self.network].balanced and classes else "shuffled"
        return wish if self.way.batches == "shuffled" else self.way.batches

    @property
    def looks(self) -> bool:
        """Whether pictures are looked at, and not only weights drawn."""
        found = self.descriptor is DescriptorType.AGGREGATED or self.whitening != "none"
        found |= self.storage == "pq" or fits(self.pooled_by)
        return bool(self.epochs) or self.way.closed_form or found

    @property
    def purpose(self) -> str:
        """The digest of what is wanted, wherever it is trained."""
        return self.digest_without(WHERE)

    @property
    def whole(self) -> "TrainPlan":
        """The training of all bits that are learned, of which this plan keeps some.

        Plans that differ in how many they keep, and by what, have one training.
        """
        said = {"dimensions": self.learned_bits, "learned_bits": 0, "bits_by": "worth"}
        return self.model_copy(update=said)

    @property
    def pooled_by(self) -> Pooling:
        """How maps become one vector, with all options."""
        known = NETWORKS[self.network].poolings
        return pooling_of(self.pooling, self.pooling_options, known, self.network)

    def spec(self) -> EncoderSpec:
        """The encoder that this plan asks for, but for what pretrained weights decide."""
        pooling, dimensions = self.pooled_by, self.dimensions
        if isinstance(pooling, dict) and BAGS in pooling:
            pooling = {BAGS: {**pooling[BAGS], "bits": dimensions}}
            dimensions *= pooling[BAGS]["words"]
        return EncoderSpec(
            network=self.network,
            arguments={
                "width": self.width,
                "depth": self.depth,
                "stem": stem_for(self.size),
                "pooling": pooling,
                **composition.options_of(self.network, self.options),
            },
            descriptor=self.descriptor,
            dimensions=dimensions,
            storage=self.storage,
            pq_parts=self.pq_parts if self.storage == "pq" else 0,
            transform=Transform(size=self.size, fit=self.fit, see=self.see),
            text=TextSpec(kind="pretrained") if self.text else None,
        )
