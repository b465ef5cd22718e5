"""Heads that are not learned, or no longer: whitenings, none at all, and a part of one."""

import torch
from torch import nn
from torch.nn import functional

from models.networks.base import Encoder, Head
from models.spec import HeadKind
from models.whitening import Projection


class WhiteningHead(nn.Module):
    """Pooled activations (B, F) -> themselves, of unit length; (B, D) of them whitened once fixed.

    Until a whitening is found, in closed form and after the training, the pooled activations are
    what is learned from.

    Args:
        inputs: F.
        dimensions: D.

    Raises:
        ValueError: D is more than F.
    """

    mean: torch.Tensor
    matrix: torch.Tensor
    ready: torch.Tensor

    def __init__(self, inputs: int, dimensions: int) -> None:
        super().__init__()
        if dimensions > inputs:
            raise ValueError(
                f"The pooling makes {inputs} numbers of a picture, and a whitening cannot make "
                f"{dimensions} of them: choose dimensions up to {inputs}, or a wider network."
            )
        self.inputs, self.dimensions = inputs, dimensions
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("matrix", torch.eye(dimensions, inputs))
        self.register_buffer("ready", torch.tensor(False))
        self.fixed = False  # what `ready` says, but for the course of the work, which is no tensor
        self.register_load_state_dict_post_hook(_know)  # type: ignore[no-untyped-call]

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        """POOLED (B, F) of unit length, or (B, D) of it whitened."""
        unit = functional.normalize(pooled.float())
        return Projection(self.mean, self.matrix)(unit) if self.fixed else unit

    @torch.no_grad()
    def fix(self, mean: torch.Tensor, projection: torch.Tensor) -> None:
        """Make of vectors of unit length ``(vector - MEAN) @ PROJECTION.T`` from now on."""
        self.mean.copy_(mean)
        self.matrix.copy_(projection)
        self.ready.fill_(True)
        self.fixed = True


def put_head(encoder: Encoder, kind: HeadKind, dimensions: int) -> None:
    """Give ENCODER, freshly built with a head that learns, one of another KIND.

    Until a whitening is fixed the encoder's features are the pooled ones, all F of them.

    Raises:
        ValueError: the pooling makes fewer numbers than DIMENSIONS, or needs as many.
    """
    inputs = encoder.dimensions
    if isinstance(encoder.head, Head):
        inputs = encoder.head.project.in_features
    if kind == "whitening":
        encoder.head = WhiteningHead(inputs, dimensions)
    elif inputs == dimensions:
        encoder.head = nn.Identity()
    else:
        raise ValueError(
            f"The pooling makes {inputs} numbers of a picture, where the descriptor is made of "
            f"{dimensions}: has this network maps whose local features can be told apart?"
        )
    encoder.dimensions = inputs


@torch.no_grad()
def keep(encoder: Encoder, places: torch.Tensor) -> None:
    """Let ENCODER make those features alone whose PLACES (D',) int64 are said, in that order.

    Its head is smaller afterwards, and as if it had been built so: what each feature depends on is
    its own row of the projection, and what the batches have told of it.

    Raises:
        ValueError: its features depend on each other.
    """
    old = encoder.head
    if isinstance(old, nn.Identity):
        rows = torch.eye(encoder.dimensions)[places]
        mean, variance = torch.zeros(encoder.dimensions), torch.ones(encoder.dimensions)
        head = Head(encoder.dimensions, len(places))
        variance = variance - head.whiten.eps
    elif isinstance(old, Head):
        rows = old.project.weight[places]
        told = dict(old.whiten.named_buffers())
        mean, variance = told["running_mean"], told["running_var"]
        head = Head(old.project.in_features, len(places))
    else:
        raise ValueError(
            f"The features of a {type(old).__name__} depend on each other: none can be left out."
        )
    head.project.weight.copy_(rows)
    counted = dict(head.whiten.named_buffers())
    counted["running_mean"].copy_(mean[places])
    counted["running_var"].copy_(variance[places])
    encoder.head = head.train(encoder.training)
    encoder.dimensions = len(places)


def _know(head: nn.Module, _: object) -> None:
    if isinstance(head, WhiteningHead):
        head.fixed = bool(head.ready)
