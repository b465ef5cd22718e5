"""What a network may allocate while it is built from a description that a file brought along."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch.overrides import TorchFunctionMode

FACTORIES: Final = frozenset(
    {torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.randint}
    | {torch.arange, torch.linspace, torch.eye, torch.empty_strided, torch.tensor}
)
"""What makes a tensor out of numbers alone."""

SPARE_NUMBERS: Final = 2**24
"""Numbers that a network may hold besides its weights: tables of positions, masks."""

SPARE_CALLS: Final = 500
"""Tensors that it may make besides."""


class TooLarge(ValueError):
    """A description asks for a larger network than the tensors beside it could fill."""


class Allowance(TorchFunctionMode):
    """Within it tensors are made as ever, until they are more than a file could fill.

    A header of a hundred bytes may ask for a network of a hundred gigabytes. What each call would
    allocate is learned from the meta device before anything is allocated.

    Args:
        tensors: how many tensors the file holds.
        numbers: how many numbers are in them.
    """

    def __init__(self, tensors: int, numbers: int) -> None:
        super().__init__()
        self.calls = 8 * tensors + SPARE_CALLS
        self.numbers = 2 * numbers + SPARE_NUMBERS

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """What FUNC makes of ARGS and KWARGS.

        Raises:
            TooLarge: no more may be made.
        """
        given = dict(kwargs or {})
        if func in FACTORIES:
            without = {name: value for name, value in given.items() if name != "generator"}
            self.numbers -= func(*args, **without | {"device": "meta"}).numel()
            self.calls -= 1
            if min(self.numbers, self.calls) < 0:
                raise TooLarge(
                    "The description asks for a network that is larger than the tensors beside it."
                )
        return func(*args, **given)


def allowance(tensors: Mapping[str, torch.Tensor]) -> Allowance:
    """What a network may allocate whose weights are TENSORS."""
    return Allowance(len(tensors), sum(value.numel() for value in tensors.values()))
