"""Fold batch normalisations into the convolutions before them: the same features for less work."""

from typing import TypeGuard

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold(module: nn.Module) -> None:
    """Let the convolutions of MODULE do the work of the normalisations that follow them.

    At evaluation a batch normalisation is a fixed scale and shift of each channel, which the
    weights before it can hold (Jacob et al., "Quantization and Training of Neural Networks for
    Efficient Integer-Arithmetic-Only Inference", 2018, equation 14). Only neighbours within an
    `nn.Sequential` are folded, for there the order of the work is known; an identity takes the
    normalisation's place, so that no other part moves.

    Args:
        module: in evaluation mode; it is changed, and can be trained no more.
    """
    for part in module.modules():
        if not isinstance(part, nn.Sequential) or type(part).forward is not nn.Sequential.forward:
            continue
        for i in range(1, len(part)):
            before, norm = part[i - 1], part[i]
            if isinstance(before, nn.Conv2d) and _fixed(norm):
                part[i - 1], part[i] = fuse_conv_bn_eval(before, norm), nn.Identity()


def _fixed(norm: nn.Module) -> TypeGuard[nn.BatchNorm2d]:
    """Whether NORM scales and shifts by statistics of its training, and not by the batch's own."""
    return isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None
