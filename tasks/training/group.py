"""The workers that train one encoder together, as one of them sees them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.distributed

from tasks.training.training_set import Share


@dataclass(frozen=True)
class Group:
    """The workers of one training, of which this process is one; alone by default."""

    share: Share = field(default_factory=Share)

    @property
    def alone(self) -> bool:
        """Whether there is no other worker."""
        return self.share.world == 1

    @property
    def first(self) -> bool:
        """Whether this is the worker that writes what is written once."""
        return self.share.rank == 0

    def average(self, tensors: Sequence[torch.Tensor]) -> None:
        """Put the mean over all workers in place of each of TENSORS."""
        if self.alone or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        torch.distributed.all_reduce(flat)
        flat /= self.share.world
        place = 0
        for tensor in tensors:
            tensor.copy_(flat[place : place + tensor.numel()].view_as(tensor))
            place += tensor.numel()

    def mean(self, mine: float, device: torch.device) -> float:
        """The mean over all workers of MINE, the same for each of them to the last bit."""
        if self.alone:
            return mine
        value = torch.tensor([mine], dtype=torch.float64, device=device)
        self.average([value])
        return float(value)

    def sum(self, mine: torch.Tensor, device: torch.device) -> torch.Tensor:
        """The sum over all workers of MINE, on the CPU; DEVICE is where they meet."""
        if self.alone:
            return mine
        whole = mine.to(device)
        torch.distributed.all_reduce(whole)
        return whole.cpu()

    def any(self, mine: bool, device: torch.device) -> bool:
        """Whether it is true for at least one worker."""
        if self.alone:
            return mine
        flag = torch.tensor([float(mine)], device=device)
        torch.distributed.all_reduce(flag)
        return bool(flag.item())

    def wait(self) -> None:
        """Return when all workers have come as far as this."""
        if not self.alone:
            torch.distributed.barrier()
