"""An encoder while it learns: one step a batch, and a state that another process can go on from."""

import io
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, cast

import torch
from torch import nn
from torch.utils import deterministic

from models.averaging import Averaged
from models.networks.base import Encoder, Term
from models.supervision.base import Batch, Supervision

M = TypeVar("M", bound=nn.Module)

CLIP: Final = 5.0
"""The greatest norm of a step's gradient, unless somebody says otherwise."""


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
        clip: the greatest norm of a step's gradient.
        ema: how much of its average the encoder keeps at a step; 0 keeps none.
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
        clip: float = CLIP,
        ema: float = 0.0,
        average: Callable[[list[torch.Tensor]], None] | None = None,
    ) -> None:
        self.encoder = _placed(encoder, device)
        supervision.begin(self.encoder)
        self.supervision = supervision.to(device)
        self.term, self.weight = _placed(term, device) if term and weight else None, weight
        self.schedule, self.device, self.half, self.average = schedule, device, half, average
        self.clip, self.steps = clip, 0
        self.averaged = Averaged(self.encoder, ema) if ema else None
        parts = self._parts.values()
        self.parameters = [p for part in parts for p in part.parameters() if p.requires_grad]
        self.optimiser = _optimiser(self.parameters, schedule) if self.parameters else None

    @property
    def result(self) -> Encoder:
        """What is measured and kept: the averaged encoder where there is one."""
        return self.averaged.encoder if self.averaged else self.encoder

    def loss(self, encoder: Encoder, batch: Batch) -> torch.Tensor:
        """What ENCODER, this one or its average, is told on BATCH: a scalar on the device."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            loss, views = self.supervision(encoder, batch)
            loss = loss * encoder.share
            if self.term is not None:
                loss = loss + self.weight * self.term(encoder, views)
        return cast(torch.Tensor, loss)

    @torch.no_grad()
    def told(self, batch: Batch) -> torch.Tensor:
        """The loss on BATCH of what would be kept now; nothing is learned from it."""
        for part in self._parts.values():
            part.eval()
        return self.loss(self.result, batch)

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
        for part in self._parts.values():
            part.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.at(self.steps)
        self.optimiser.zero_grad(set_to_none=False)
        loss = self.loss(self.encoder, batch)
        torch.autograd.backward(loss)
        if self.average is not None:
            self.average([p.grad for p in self.parameters if p.grad is not None])
        torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimiser.step()
        self.supervision.after_step(self.encoder)
        self.steps += 1
        if self.averaged:
            self.averaged.follow(self.encoder, self.steps)
        return loss.detach()

    @property
    def _parts(self) -> dict[str, nn.Module]:
        """What learns, by name."""
        parts = {"encoder": self.encoder, "supervision": self.supervision}
        return parts if self.term is None else parts | {"term": self.term}

    @property
    def _kept(self) -> dict[str, nn.Module]:
        """What a state holds besides the optimiser, by name."""
        return self._parts | ({"averaged": self.averaged.encoder} if self.averaged else {})

    def state(self, **more: Any) -> bytes:
        """All that going on takes, with MORE (numbers, words, tensors, lists), as a torch file."""
        parts = {name: part.state_dict() for name, part in self._kept.items()}
        optimiser = self.optimiser.state_dict() if self.optimiser else {}
        return _file(parts | {"optimiser": optimiser, "steps": self.steps, "more": more})

    def own_state(self, **more: Any) -> bytes:
        """What of the state differs from worker to worker: all that is counted and not learned."""
        parts: dict[str, Any] = {}
        for name, part in self._kept.items():
            learned = {parameter for parameter, _ in part.named_parameters()}
            counted = part.state_dict().items()
            parts[name] = {key: value for key, value in counted if key not in learned}
        return _file(parts | {"more": more})

    def restore(self, state: bytes, own: bytes | None = None) -> dict[str, Any]:
        """Go on from STATE, and from this worker's OWN; the MORE that was saved with them."""
        parts = self._read(state)
        for name, part in self._kept.items():
            part.load_state_dict(parts[name])
        if self.optimiser:
            self.optimiser.load_state_dict(parts["optimiser"])
        self.steps = parts["steps"]
        if own is None:
            return dict(parts["more"])
        mine = self._read(own)
        for name, part in self._kept.items():
            part.load_state_dict(mine[name], strict=False)
        return {**parts["more"], **mine["more"]}

    def _read(self, state: bytes) -> dict[str, Any]:
        """What `_file` was given, on the CPU, from where it is copied to where it belongs.

        There the optimiser's counts of steps must stay: of those on a GPU each is asked for by
        itself at every step, and waited for.
        """
        parts = torch.load(io.BytesIO(state), map_location="cpu", weights_only=True)
        return cast(dict[str, Any], parts)


def _file(parts: Mapping[str, Any]) -> bytes:
    """PARTS as a torch file."""
    out = io.BytesIO()
    torch.save(dict(parts), out)
    return out.getvalue()


def _placed(part: M, device: torch.device) -> M:
    """PART on DEVICE, its kernels laid out as convolutions are fastest, channels last."""
    return part.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


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
    memory: Any = deterministic  # a module with a property, which its types do not tell
    filled = memory.fill_uninitialized_memory
    torch.set_num_threads(threads)
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True)
        memory.fill_uninitialized_memory = False  # 4 % of a step, to find what we do not do
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        memory.fill_uninitialized_memory = filled
