"""Pictures, and what is said of them, on the device that computes with them."""

import torch


def moved_to(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """TENSOR on DEVICE; a GPU fetches it while the CPU goes on."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def scaled(pixels: torch.Tensor) -> torch.Tensor:
    """PIXELS (B, 3, S, S) uint8 as images, float32 in [0, 1], in the order that convolutions like.

    They are put into that order where they lie, which a GPU does at once.
    """
    return pixels.contiguous(memory_format=torch.channels_last).float().div_(255)
