"""The terms that losses are put together from."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch.nn import functional

P = ParamSpec("P")
R = TypeVar("R")


def in_float32(work: Callable[P, R]) -> Callable[P, R]:
    """WORK, done in float32 at least, whatever autocast wants and half-precision tensors hold.

    Similarities divided by a temperature, exponentials of them, and where a pixel lies do not
    survive the 8 bits of a bfloat16's mantissa.
    """

    @wraps(work)
    def computed(*args: P.args, **kwargs: P.kwargs) -> R:
        tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
        with torch.autocast(tensors[0].device.type, enabled=False):
            words = {name: _widened(value) for name, value in kwargs.items()}
            return work(*map(_widened, args), **words)

    return computed


def mean_where(values: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """The mean of the VALUES that are COUNTED (bool, of one shape), a scalar; 0 where none is.

    The zero has a gradient (of zeros), so that a batch with nothing to teach does not stop one.
    """
    kept = torch.where(counted, values, torch.zeros_like(values))
    return kept.sum() / counted.sum().clamp_min(1)


@in_float32
def cosines(rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """The cosines (..., B, N) of ROWS (..., B, D) to OTHERS (..., N, D)."""
    return functional.normalize(rows, dim=-1) @ functional.normalize(others, dim=-1).mT


def off_diagonal(square: torch.Tensor) -> torch.Tensor:
    """Whether each entry of SQUARE (B, B) lies off its diagonal, (B, B) bool."""
    return ~torch.eye(len(square), dtype=torch.bool, device=square.device)


def straight_through(hard: torch.Tensor, soft: torch.Tensor) -> torch.Tensor:
    """The values of HARD with the gradient of SOFT, of one shape (Bengio et al., 2013)."""
    return hard.detach() + (soft - soft.detach())


def _widened(value: Any) -> Any:
    half = isinstance(value, torch.Tensor) and value.dtype in (torch.float16, torch.bfloat16)
    return value.float() if half else value
