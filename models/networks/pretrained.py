"""A backbone that somebody else has trained, built by an optional library: see `BUILDERS`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import nn

from models.extras import library, offline
from models.networks.base import Encoder, Head
from models.spec import Backbone

PIXELS: Final = 32
"""To so many a side a picture is shrunk or stretched where its pixels are taken as they are."""


class Pixels(nn.Module):
    """Images (B, 3, H, W) -> their colours on a grid, (B, 3 x 32 x 32): the floor of all networks.

    With a head that is found in closed form it is what every encoder has to be better than.
    """

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The colours of IMAGES, each place the mean of what it covers."""
        return nn.functional.adaptive_avg_pool2d(images.float(), PIXELS).flatten(1)


class PretrainedEncoder(Encoder):
    """A backbone and, where its width is not D, a projection onto D features.

    Args:
        dimensions: D.
        backbone: what to build; its weights are read afterwards.
        projected: whether the projection is that of the backbone's maker, and no whitened one.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, dimensions: int, backbone: Backbone, projected: bool = False) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.backbone, pooled = _build(backbone)
        self.register_buffer("mean", torch.tensor(backbone.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(backbone.std).view(1, 3, 1, 1), persistent=False)
        self.head: nn.Module = nn.Identity()
        if projected:
            self.head = nn.Linear(pooled, dimensions, bias=False)
        elif pooled != dimensions:
            self.head = Head(pooled, dimensions)

    def pooled(self, images: torch.Tensor) -> torch.Tensor:
        """The pooled output (B, F) of the backbone for IMAGES (B, 3, H, W)."""
        return pooled_of(self.backbone((images - self.mean) / self.std))


def _build(backbone: Backbone) -> tuple[nn.Module, int]:
    """The network of BACKBONE with random weights, and the width of its pooled output.

    Raises:
        MissingExtra: its library is not installed.
        ValueError: the library cannot build it, or not without a network.
    """
    if backbone.source == "pixels":
        return Pixels(), 3 * PIXELS**2
    wanted = f"The backbone {backbone.source}/{backbone.name}"
    maker = library(backbone.source, wanted)
    try:
        with offline():
            return BUILDERS[backbone.source](backbone, maker)
    except (OSError, RuntimeError, TypeError, ArithmeticError, LookupError) as error:
        raise ValueError(f"{wanted} cannot be built here: {error}") from error


def _timm(backbone: Backbone, timm: Any) -> tuple[nn.Module, int]:
    network = timm.create_model(backbone.name, pretrained=False, num_classes=0)
    # some, MobileNetV3 for one, have a layer between the pooled maps and the classifier
    return network, int(getattr(network, "head_hidden_size", None) or network.num_features)


def _transformers(backbone: Backbone, transformers: Any) -> tuple[nn.Module, int]:
    network = whole_network(backbone, transformers)
    return image_part(network), width_of(network.config)


def whole_network(backbone: Backbone, transformers: Any) -> Any:
    """All of the network of BACKBONE that TRANSFORMERS makes, its tower for text among it."""
    config = transformers.AutoConfig.for_model(backbone.name, **backbone.config)
    return transformers.AutoModel.from_config(
        config, trust_remote_code=False, attn_implementation=None, dtype=torch.float32
    )


def _open_clip(backbone: Backbone, open_clip: Any) -> tuple[nn.Module, int]:
    """The image tower alone; the text tower has weights of its own and no part in this encoder."""
    tower = backbone.config["vision_cfg"] | {"timm_model_pretrained": False, "output_tokens": False}
    width = int(backbone.config["embed_dim"])
    quick = bool(backbone.config.get("quick_gelu", False))
    return open_clip.model._build_vision_tower(width, tower, quick), width


BUILDERS: Final[Mapping[str, Callable[[Backbone, Any], tuple[nn.Module, int]]]] = {
    "timm": _timm,
    "transformers": _transformers,
    "open_clip": _open_clip,
}
"""By library, what builds a network with random weights and says how wide its output is."""


def image_part(network: Any) -> nn.Module:
    """The part of a transformers NETWORK that sees pictures: all of it, but of CLIP and its kin."""
    part: nn.Module = getattr(network, "vision_model", network)
    return part


def width_of(config: Any) -> int:
    """The width of the pooled output that a transformers CONFIG describes."""
    config = getattr(config, "vision_config", config)
    sizes = getattr(config, "hidden_sizes", None)  # convolutional ones have one a stage
    return int(sizes[-1] if sizes else config.hidden_size)


def pooled_of(output: Any) -> torch.Tensor:
    """OUTPUT of a backbone as (B, F): timm's tensor, transformers' pooled output or CLS token."""
    if not isinstance(output, torch.Tensor):
        pooled = getattr(output, "pooler_output", None)
        output = output.last_hidden_state[:, 0] if pooled is None else pooled
    return output.flatten(1)
