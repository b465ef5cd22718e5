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

    kind: Literal["bingan", "adversarial_code"] = Field(
        default="bingan",
        description="the encoder tells drawn pictures from real ones; or a critic its codes from "
        "those of a coin (or of the sphere)",
    )
    side: Side = Field(default=32, description="of the pictures that are drawn, pixels")
    adversary: float = Field(default=0.1, ge=0, description="weight of the encoder's own game")
    dmr: float = Field(default=0.05, ge=0, description="weight of distance matching (bingan)")
    bre: float = Field(
        default=0.01, ge=0, description="weight of the bits' entropy (bingan, bits alone)"
    )
    reconstruction: float = Field(
        default=1.0, ge=0, description="weight of drawing again (adversarial_code)"
    )


def taken(kind: type[O], arguments: Mapping[str, Any]) -> tuple[O, dict[str, Any]]:
    """The options of KIND that are among ARGUMENTS, and the arguments that are left."""
    mine = {name: value for name, value in arguments.items() if name in kind.model_fields}
    return kind(**mine), {name: arguments[name] for name in arguments if name not in mine}
