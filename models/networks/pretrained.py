"""Backbones that somebody else has trained, brought by timm or transformers (both optional).

Weights are tensors only (safetensors, or torch files read with ``weights_only``): nothing that is
read here is executed.
"""

import importlib
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from data.plan import Plan
from models.networks.base import Encoder
from models.networks.convolutional import Head

INSTALL = "pip install 'nightjar[backbones]'"


class Backbone(Plan):
    """A network of timm or transformers, described so that it can be built again without a net."""

    source: Literal["timm", "transformers"] = Field(description="the library that builds it")
    name: str = Field(description="its name there, or the model type")
    config: dict[str, Any] = Field(
        default={}, description="transformers' configuration; empty for timm"
    )
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    frozen: bool = Field(default=True, description="whether only the projection is trained")
    licence: str = Field(default="unknown", description="of the weights, as their maker states it")


class PretrainedEncoder(Encoder):
    """A backbone and, where its width is not D, a projection onto D features.

    Args:
        dimensions: D.
        backbone: what to build. Its weights come later: from `models.weights.load`, or, before
            the first training, from `models.networks.backbones.fetch`.
    """

    needs: ClassVar[str] = "backbones"

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, dimensions: int, backbone: Backbone) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.frozen = backbone.frozen
        self.backbone, features = _build(backbone)
        self.register_buffer("mean", torch.tensor(backbone.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(backbone.std).view(1, 3, 1, 1), persistent=False)
        self.head: nn.Module = (
            nn.Identity() if features == dimensions else Head(features, dimensions)
        )
        if backbone.frozen:
            self.backbone.requires_grad_(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The features (B, D) of IMAGES (B, 3, H, W)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            pooled = _pooled(self.backbone((images - self.mean) / self.std))  # (B, F)
        return nn.functional.normalize(self.head(pooled).float())

    def train(self, mode: bool = True) -> "PretrainedEncoder":
        """Switch to training; a frozen backbone stays as it is, its batch statistics too."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self


def library(name: str, wanted: str) -> Any:
    """The module NAME of the optional extra.

    Raises:
        ModuleNotFoundError: it is not installed; says how to install it, and for what (WANTED).
    """
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError) as error:
        raise ModuleNotFoundError(
            f"{wanted} needs the package {name}, which cannot be imported here ({error}). Install "
            f"it with: {INSTALL} . A machine without a network takes it from a wheelhouse: "
            f"`pip download` on another machine, then `pip install --no-index --find-links FOLDER`."
        ) from error


def _build(backbone: Backbone) -> tuple[nn.Module, int]:
    """The network of BACKBONE with random weights, and the width of its pooled output."""
    wanted = f"The backbone {backbone.source}/{backbone.name}"
    if backbone.source == "timm":
        network = library("timm", wanted).create_model(
            backbone.name, pretrained=False, num_classes=0
        )
        return network, int(network.num_features)
    transformers = library("transformers", wanted)
    config = transformers.AutoConfig.for_model(backbone.name, **backbone.config)
    network = transformers.AutoModel.from_config(config)
    sizes = getattr(config, "hidden_sizes", None)
    return network, int(sizes[-1] if sizes else config.hidden_size)


def _pooled(output: Any) -> torch.Tensor:
    """OUTPUT of a backbone as (B, F): timm's tensor, transformers' pooled output or CLS token."""
    if not isinstance(output, torch.Tensor):
        pooled = getattr(output, "pooler_output", None)
        output = output.last_hidden_state[:, 0] if pooled is None else pooled
    return output.flatten(1)
