"""What an encoder makes of all pictures of a training set, between its steps."""

import torch

from models.networks.base import Encoder
from tasks.training_set import TrainingSet


class Everything:
    """All pictures of a training set, as a supervision may look at them (its `Gallery`).

    Args:
        pictures: the training set.
        device: where encoders look at them.
        batch: how many at a time.
    """

    def __init__(self, pictures: TrainingSet, device: torch.device, batch: int) -> None:
        self._pictures, self._device, self._batch = pictures, device, batch

    @torch.inference_mode()
    def pooled(self, encoder: Encoder) -> torch.Tensor:
        """What ENCODER makes of each picture before its head, (N, F) on the CPU; zeros if bad."""
        learns = encoder.training
        encoder.eval()
        found: torch.Tensor | None = None
        for some in self._pictures.everything(self._batch):
            pooled = encoder.pooled(images_of(some.pixels, self._device)).float().cpu()
            if found is None:
                found = torch.zeros(len(self._pictures), pooled.shape[1])
            found[torch.from_numpy(some.rows)] = pooled
        encoder.train(learns)
        if found is None:
            raise ValueError("No picture could be looked at: none can be decoded.")
        return found.clone()

    @property
    def targets(self) -> torch.Tensor | None:
        """Their targets (N, C); None without labels."""
        labels = self._pictures.labels
        return None if labels is None else labels.sparse().to_dense().clamp_(max=1)

    @property
    def words(self) -> torch.Tensor | None:
        """Their words (N, T), sparse; None without."""
        return None if self._pictures.words is None else self._pictures.words.sparse()


def images_of(pixels: torch.Tensor, device: torch.device) -> torch.Tensor:
    """PIXELS (B, 3, S, S) uint8 as images, float32 in [0, 1], on DEVICE."""
    if device.type == "cuda":
        pixels = pixels.pin_memory().to(device, non_blocking=True)
    return pixels.contiguous(memory_format=torch.channels_last).float().div_(255)
