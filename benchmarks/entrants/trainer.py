"""Nightjar's training by a plan, trained before or not.

Arguments: STORE DATASET VERSION PLAN (JSON). From shards, in an order that a seed decides, with
deterministic algorithms and a state that is kept after every epoch: what `bare` leaves out.
"""

import json
import sys
import time

from data.store import Store
from tasks.cluster import ClusterPlan, shutdown
from tasks.training.train import TrainPlan, load_encoder, train


def main(root: str, dataset: str, version: str, said: str) -> None:
    """Print when how many images had been learned from, and what the encoder's card says."""
    store, plan = Store(root), TrainPlan.model_validate_json(said)
    steps: list[tuple[float, int]] = []

    def progress(stage: str, done: int, total: int, note: str) -> None:
        if stage == "train":
            steps.append((time.monotonic(), done))

    digest = train(store, dataset, int(version), plan, ClusterPlan(), progress, again=True)
    shutdown()
    card = load_encoder(store, digest).card
    before = [0, *(done for _, done in steps)]
    completions = [
        (at, (done - last) * plan.batch) for (at, done), last in zip(steps, before, strict=False)
    ]
    images = len(card["loss"]) * (card["images"] // plan.batch) * plan.batch
    told = {"completions": completions, "images": images, "seconds": card["seconds"]}
    print(json.dumps(told | {"loss": card["loss"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
