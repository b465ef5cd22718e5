"""What a recipe may say of each network besides width, depth and pooling, read without torch."""

from typing import Literal

from pydantic import Field

from data.plan import Plan


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
