"""An encoder while it learns: one step a batch, and a state that another process can go on from."""

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import torch

from models.networks.base import Encoder, Term
from models.supervision.base import Batch, Supervision

CLIP: Final = 5.0
"""The greatest norm of a step's gradient."""


@dataclass(frozen=True)
class Schedule:
    """How far each step goes.

    Args:
        optimiser: "adamw" or "sgd" (Nesterov, momentum 0.9).
        rate: the highest learning rate.
        decay: weight decay, of matrices and kernels only.
        warm_up: steps of linear rise; from there a half cosine falls to 0.
        steps: all of them.
    """

    optimiser: Literal["adamw", "sgd"]
    rate: float
    decay: float
    warm_up: int
    steps: int

    def at(self, step: int) -> float:
        """The learning rate of STEP, from 0."""
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        part = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        return self.rate * 0.5 * (1 + math.cos(math.pi * min(1.0, part)))


class Learner:
    """An encoder, what teaches it, and the optimiser of both.

    A step's loss is what the supervision says, by the encoder's `share`, and WEIGHT of the term
    that its network adds, where it adds one.

    Args:
        encoder: learns.
        supervision: teaches; its own parameters learn too.
        schedule: how far each step goes.
        device: where both are put.
        term: the network's own, with its parameters; or None.
        weight: of the term; 0 leaves it out.
        half: bfloat16 where that is safe.
        average: called with all gradients before each step: averages them over the workers.
    """

    def __init__(
        self,
        encoder: Encoder,
        supervision: Supervision,
        schedule: Schedule,
        device: torch.device,
        *,
        term: Term | None = None,
        weight: float = 1.0,
        half: bool = False,
        average: Callable[[list[torch.Tensor]], None] | None = None,
    ) -> None:
        self.encoder = encoder.to(device)
        self.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        supervision.begin(self.encoder)
        self.supervision = supervision.to(device)
        self.term, self.weight = term.to(device) if term and weight else None, weight
        self.schedule, self.device, self.half, self.average = schedule, device, half, average
        self.steps = 0
        parts = (part for part in (encoder, supervision, self.term) if part is not None)
        self.parameters = [p for part in parts for p in part.parameters() if p.requires_grad]
        self.optimiser = _optimiser(self.parameters, schedule) if self.parameters else None

    def step(self, batch: Batch) -> torch.Tensor:
        """The loss on BATCH (a scalar on the device), after having learned from it.

        Raises:
            ValueError: nothing is left to learn, all is frozen.
        """
        if self.optimiser is None:
            raise ValueError(
                "There is nothing to train: the backbone is frozen and its features are stored as "
                "they are. Set epochs: 0, frozen: false, or other dimensions."
            )
        self.encoder.train()
        self.supervision.train()
        if self.term is not None:
            self.term.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.at(self.steps)
        self.optimiser.zero_grad(set_to_none=False)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            loss, views = self.supervision(self.encoder, batch)
            loss = loss * self.encoder.share
            if self.term is not None:
                loss = loss + self.weight * self.term(self.encoder, views)
        loss.backward()
        if self.average is not None:
            self.average([p.grad for p in self.parameters if p.grad is not None])
        torch.nn.utils.clip_grad_norm_(self.parameters, CLIP)
        self.optimiser.step()
        self.supervision.after_step(self.encoder)
        self.steps += 1
        return cast(torch.Tensor, loss.detach())

    def state(self, **more: Any) -> bytes:
        """All that going on takes, with MORE (numbers, strings, lists), as a torch file."""
        out = io.BytesIO()
        optimiser = self.optimiser.state_dict() if self.optimiser else {}
        parts = {
            "encoder": self.encoder.state_dict(),
            "supervision": self.supervision.state_dict(),
            "term": self.term.state_dict() if self.term is not None else {},
            "optimiser": optimiser,
            "steps": self.steps,
            "more": more,
        }
        torch.save(parts, out)
        return out.getvalue()

    def restore(self, state: bytes) -> dict[str, Any]:
        """Go on from STATE; the MORE that was saved with it."""
        parts = torch.load(io.BytesIO(state), map_location=self.device, weights_only=True)
        self.encoder.load_state_dict(parts["encoder"])
        self.supervision.load_state_dict(parts["supervision"])
        if self.term is not None:
            self.term.load_state_dict(parts["term"])
        if self.optimiser:
            self.optimiser.load_state_dict(parts["optimiser"])
        self.steps = parts["steps"]
        return dict(parts["more"])


def _optimiser(parameters: list[torch.nn.Parameter], schedule: Schedule) -> torch.optim.Optimizer:
    """The optimiser of PARAMETERS; biases, scales and exponents do not decay."""
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": schedule.decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if schedule.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=schedule.rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=schedule.rate)


@contextmanager
def reproducible(device: torch.device, threads: int) -> Iterator[None]:
    """On a CPU the same numbers on every run: THREADS threads, deterministic algorithms only."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
