"""What a training is told."""

from typing import Final, Literal

from pydantic import Field, model_validator

from data.plan import Plan, digest_of
from data.taxonomy import DescriptorType, Network, Supervision, choose
from models.networks import NETWORKS
from models.pixels import Transform
from models.spec import EncoderSpec, stem_for
from models.supervision import SUPERVISIONS

WHERE: Final = frozenset({"device", "workers", "threads", "memory_mb"})
"""Fields that say where a training runs, not what it is for: they make no new encoder wanted."""


class TrainPlan(Plan):
    """What an encoder is, what it learns from and for how long."""

    supervision: Supervision = Supervision.SELF_SUPERVISED
    network: Network = Network.CONVOLUTIONAL
    pretrained: str | None = Field(
        default=None,
        description="start from: a path, timm/NAME, timm/NAME@FILE or a hub id; the network is its",
    )
    frozen: bool = Field(default=False, description="train only the projection of the pretrained")
    licence: str = Field(default="", description="of the pretrained weights, where they do not say")
    descriptor: DescriptorType = DescriptorType.REAL_VALUED
    dimensions: int = Field(default=128, gt=0, description="numbers, or bits, a descriptor")
    storage: Literal["float32", "float16"] = "float32"
    size: int = Field(default=64, ge=8, le=1024, description="side of a picture, pixels")
    fit: Literal["squash", "crop"] = "squash"
    width: int = Field(default=32, gt=0, description="channels of the first stage")
    depth: int = Field(default=1, gt=0, description="residual blocks a stage")
    pooling: Literal["gem", "average"] = "gem"
    split: str | None = Field(
        default=None, description='to train on; none: "train" where there is one, else everything'
    )
    epochs: int = Field(default=20, ge=0, description="0: the weights as they are drawn")
    minutes: float | None = Field(default=None, gt=0, description="stop then, trained or not")
    batch: int = Field(default=128, ge=2, description="pictures a step, of all workers together")
    optimiser: Literal["adamw", "sgd"] = "adamw"
    lr: float = Field(default=2e-3, gt=0, description="highest learning rate")
    weight_decay: float = Field(default=0.05, ge=0)
    warm_up: float = Field(default=1.0, ge=0, description="epochs")
    temperature: float | None = Field(default=None, gt=0, description="of the loss; none: its own")
    margin: float | None = Field(default=None, ge=0, description="of the loss; none: its own")
    flip: bool = Field(default=True, description="a mirrored picture shows the same")
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

    @model_validator(mode="after")
    def _known(self) -> "TrainPlan":
        choose(SUPERVISIONS, self.supervision, "supervision")
        choose(NETWORKS, self.network, "network")
        self.spec()
        return self

    @property
    def purpose(self) -> str:
        """The digest of what is wanted, wherever it is trained."""
        return digest_of(self.model_dump(mode="json", exclude=set(WHERE)))

    def spec(self) -> EncoderSpec:
        """The encoder that this plan asks for, but for what pretrained weights decide."""
        return EncoderSpec(
            network=self.network,
            arguments={
                "width": self.width,
                "depth": self.depth,
                "stem": stem_for(self.size),
                "pooling": self.pooling,
            },
            descriptor=self.descriptor,
            dimensions=self.dimensions,
            storage=self.storage,
            transform=Transform(size=self.size, fit=self.fit),
        )
