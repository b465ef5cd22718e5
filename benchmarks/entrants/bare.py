"""A bare PyTorch loop that learns from the same pictures, as one writes it for an experiment.

Arguments: FOLDER PLAN (JSON). The same network, views, loss, optimiser, rates and threads; the
pictures are decoded into memory before it begins. Nothing is looked up, kept or accounted for, and
nothing is deterministic but the random numbers.
"""

import json
import math
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional

from models import augment, losses
from models.weights import build
from tasks.training.course import EVERY
from tasks.training.train import TrainPlan


def pictures_of(folder: Path, plan: TrainPlan) -> tuple[torch.Tensor, torch.Tensor]:
    """The pictures of FOLDER (N, 3, S, S) uint8 and their classes (N,)."""
    paths = sorted(folder.rglob("*.jpg"))
    families = sorted({path.parent.name for path in paths})
    transform = plan.spec().transform
    pixels = torch.stack([transform(path.read_bytes()) for path in paths])
    return pixels, torch.tensor([families.index(path.parent.name) for path in paths])


def main(folder: str, said: str) -> None:
    """Print when how many images had been learned from."""
    plan = TrainPlan.model_validate_json(said)
    torch.set_num_threads(plan.threads)
    pixels, classes = pictures_of(Path(folder), plan)
    count = int(classes.max()) + 1
    encoder = build(plan.spec(), plan.seed).train()
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    codebook = losses.codebook(count, plan.dimensions, plan.seed)
    parameters = list(encoder.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": plan.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=plan.lr)
    steps = len(pixels) // plan.batch

    def rate(step: int) -> float:
        """The share of the highest rate: a warm-up of an epoch, then half a cosine."""
        rise = (step + 1) / steps
        fall = (step - steps) / max(1, (plan.epochs - 1) * steps)
        return rise if step < steps else 0.5 * (1 + math.cos(math.pi * min(1.0, fall)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
    generator = torch.Generator().manual_seed(plan.seed)
    completions, told, done = [], [], 0
    for _ in range(plan.epochs):
        order = torch.randperm(len(pixels), generator=generator)
        total = torch.zeros(())
        for step in range(steps):
            rows = order[step * plan.batch : (step + 1) * plan.batch]
            images = pixels[rows].contiguous(memory_format=torch.channels_last).float() / 255
            targets = functional.one_hot(classes[rows], count).float()
            features = encoder(augment.gentle(images, generator, plan.flip))
            loss = losses.orthohash(
                features, codebook, targets, 1 / max(8.0, plan.dimensions**0.5), 0.2
            )
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(parameters, plan.clip)
            optimiser.step()
            schedule.step()
            total += loss.detach()
            done += 1
            if (step + 1) % EVERY == 0 or step + 1 == steps:
                completions.append((time.monotonic(), done * plan.batch))
                done = 0
        told.append(float(total) / steps)
    print(json.dumps({"completions": completions, "loss": told}))


if __name__ == "__main__":
    main(*sys.argv[1:])
