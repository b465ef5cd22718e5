"""Pictures out of vectors, the way back that only serves to teach; and the code on that way."""

import torch
from torch import nn
from torch.nn import functional

from models import losses
from models.networks.convolutional import convolution


class Decoder(nn.Module):
    """Vectors (B, N) -> pictures (B, 3, S, S) float32 in [0, 1].

    A map of 4 x 4 is doubled in size, and halved in depth, until it is S pixels wide. It is copied
    and then convolved, which leaves no pattern of a chess board behind (Odena, Dumoulin, Olah,
    "Deconvolution and Checkerboard Artifacts", 2016), but is else the generator of Radford, Metz,
    Chintala, "Unsupervised Representation Learning with Deep Convolutional GANs", 2016.

    Args:
        inputs: N.
        side: S, 4 times a power of 2.
        width: channels of the last map; the cost grows with its square.
    """

    def __init__(self, inputs: int, side: int, width: int = 16) -> None:
        super().__init__()
        depth = width * side // 4
        self.begin = nn.Sequential(
            nn.Linear(inputs, depth * 16, bias=False),
            nn.Unflatten(1, (depth, 4, 4)),
            nn.BatchNorm2d(depth),
            nn.ReLU(inplace=True),
        )
        parts: list[nn.Module] = []
        while depth > width:
            doubled = nn.Upsample(scale_factor=2)
            parts += [doubled, convolution(depth, depth // 2, 3, 1), nn.ReLU(inplace=True)]
            depth //= 2
        self.grow = nn.Sequential(*parts)
        self.paint = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """The pictures (B, 3, S, S) of VECTORS (B, N)."""
        return torch.sigmoid(self.paint(self.grow(self.begin(vectors))).float())


class Bottleneck(nn.Module):
    """Features (B, D), unit length -> the code (B, D) that is all a decoder is given of a picture.

    For bits it is drawn, -1 or +1, by chances that follow from the features; gradients pass
    straight to the chances. For numbers it is the features, scaled to a variance of about 1.
    """

    def __init__(self, binary: bool) -> None:
        super().__init__()
        self.binary = binary
        if binary:
            # whitened features cannot grow, so how sure a bit may be is learned apart from them
            self.gain = nn.Parameter(torch.tensor(3.0))

    def forward(
        self, features: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The code of FEATURES, and the chances (B, D) of its bits, if that is what it is of."""
        scaled = features * features.shape[1] ** 0.5
        if not self.binary:
            return scaled, None
        chances = torch.sigmoid(scaled * self.gain)
        noise = torch.rand(chances.shape, generator=generator, device=chances.device)
        return losses.sampled_bits(chances, noise), chances


def resized(images: torch.Tensor, side: int) -> torch.Tensor:
    """IMAGES (B, 3, H, W) at SIDE x SIDE pixels, float32."""
    if images.shape[2:] == (side, side):
        return images.float()
    return functional.interpolate(images.float(), (side, side), mode="bilinear", antialias=True)


def unexplained(drawn: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """The share of what tells IMAGES (B, 3, S, S) apart that is not in DRAWN, a scalar.

    The squared error over that of the batch's mean picture: 0 is perfect, 1 as good as knowing
    nothing of an image, whatever the contrast of the dataset.
    """
    spread = (images - images.mean(dim=0)).square().mean()
    return (drawn - images).square().mean() / spread.clamp_min(1e-4)
