"""What a recipe may say of each network besides width, depth and pooling; read without torch."""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import Field

from data.plan import Plan

O = TypeVar("O", bound=Plan)  # noqa: E741

Side = Literal[16, 32, 64]


class AutoencoderOptions(Plan):
    """How an autoencoder draws its pictures again."""

    side: Side = Field(default=32, description="of the pictures that are drawn again, pixels")
    beta: float = Field(
        default=0.1, ge=0, description="weight of the bits' divergence from a coin, in nats a bit"
    )
    noise: float = Field(
        default=0.0, ge=0, description="standard deviation of the noise on what the encoder sees"
    )


class GanOptions(Plan):
    """Who plays against the encoder, and for what."""

    kind: Literal["adversarial_code", "bingan"] = Field(
        default="adversarial_code",
        description="a critic tells its codes from those of a coin (or of the sphere); or the "
        "encoder tells drawn pictures from real ones",
    )
    side: Side = Field(default=32, description="of the pictures that are drawn, pixels")
    adversary: float | None = Field(
        default=None,
        ge=0,
        description="weight of the encoder's own game; none: 0.1, where it tells pictures 0.01",
    )
    dmr: float = Field(default=0.05, ge=0, description="weight of distance matching (bingan)")
    bre: float = Field(
        default=0.01, ge=0, description="weight of the bits' entropy (bingan, bits alone)"
    )
    reconstruction: float = Field(
        default=1.0, ge=0, description="weight of drawing again (adversarial_code)"
    )

    @property
    def game(self) -> float:
        """The weight of the encoder's own game.

        Drawn pictures are told from real ones long before codes are of use, and what tells them is
        no longer free to say who is alike: beside a teacher that game has to weigh less.
        """
        if self.adversary is not None:
            return self.adversary
        return 0.01 if self.kind == "bingan" else 0.1


class AttentionOptions(Plan):
    """What a transformer is made of."""

    heads: int = Field(default=4, gt=0, description="of the attention; they divide 4 x width")
    mlp_ratio: float = Field(
        default=4.0, gt=0, description="hidden numbers of a block, by 4 x width"
    )
    drop_path: float = Field(
        default=0.1, ge=0, lt=1, description="probability that the last block is skipped"
    )


class SiameseTripletOptions(Plan):
    """Which pairs or triplets are learned from, and how."""

    loss: Literal["triplet", "contrastive"] = "triplet"
    mining: Literal["batch_hard", "semi_hard", "all"] = "semi_hard"
    margin: float | None = Field(default=None, gt=0, le=4, description="of the loss; none: its own")
    share: float = Field(default=0.0, ge=0, description="weight of the teacher's own loss")


class ReinforcementLearningOptions(Plan):
    """What the policy is, what it is rewarded for, and how it explores."""

    hidden: int = Field(default=64, gt=0, description="numbers of the policy's recurrent state")
    reward: Literal["average_precision", "triplet"] = "average_precision"
    margin: float = Field(
        default=0.25, gt=0, le=1, description="of the triplet reward, as a share of the bits"
    )
    samples: int = Field(default=2, gt=0, description="codes drawn a picture and step")
    entropy: float = Field(default=0.01, ge=0, description="weight of being undecided")
    share: float = Field(default=0.1, ge=0, description="weight of the teacher's own loss")


def taken(kind: type[O], arguments: Mapping[str, Any]) -> tuple[O, dict[str, Any]]:
    """The options of KIND that are among ARGUMENTS, and the arguments that are left."""
    mine = {name: value for name, value in arguments.items() if name in kind.model_fields}
    return kind(**mine), {name: arguments[name] for name in arguments if name not in mine}
