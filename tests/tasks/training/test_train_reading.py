"""Trainings from sentences: the tower is kept with the encoder, and a kill changes no bit of it."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from data.plan import digest_of
from data.store import Store
from models.text.words import WordTower
from tasks.training import train
from tasks.training.train import TrainPlan, load_encoder
from tests.tasks.training.courses import Draw, fill, plan

CLIP: dict[str, Any] = {
    "supervision": "weakly_supervised",
    "method": "clip",
    "batch": 8,
    "width": 4,
    "size": 16,
}


@pytest.fixture
def captioned(store: Store, draw: Draw) -> int:
    """Forty pictures of which two sentences each were said, some words of one picture alone."""
    captions = [[f"a kind{n % 4} thing", f"only{n} of kind{n % 4}"] for n in range(40)]
    contents = [draw(number) for number in range(40)]
    return fill(store, contents, [[]] * 40, said={"captions": captions})


def test_a_tower_learns_the_words_of_several_pictures_and_is_kept(
    store: Store, captioned: int
) -> None:
    embedder = load_encoder(store, train.train(store, "toy", captioned, plan(**CLIP)))
    embedder.prove()
    assert isinstance(embedder.encoder.text, WordTower)
    words = ("a", "kind0", "kind1", "kind2", "kind3", "of", "thing")
    assert embedder.encoder.text.spec.vocabulary == words
    assert embedder.spec.text == embedder.encoder.text.spec
    features = embedder.read(["a kind1 thing", "kind2"])
    torch.testing.assert_close(features.norm(dim=1), torch.ones(2))
    few = plan(**CLIP, vocabulary=2)
    tower = load_encoder(store, train.train(store, "toy", captioned, few)).encoder.text
    assert tower is not None
    assert tower.spec.vocabulary == ("a", "of")


def test_words_of_pictures_that_are_held_out_are_not_learned(store: Store, draw: Draw) -> None:
    contents = [draw(number) for number in range(40)]
    version = fill(store, contents, [[]] * 40, said={"captions": [["a b"]] * 40})
    wanted = plan(**CLIP, validation=0.3)
    from tasks.training.school import wanted as asked
    from tasks.training.selection import selected

    learned, held = selected(store, "toy", version, asked(wanted)).parted(0.3)
    assert held is not None
    mine = set(held.digests)
    order = [digest in mine for digest in _digests(store, version)]
    captions = [["a held thing" if out else "a learned thing"] for out in order]
    version = fill(store, contents, [[]] * 40, dataset="parted", said={"captions": captions})
    tower = load_encoder(store, train.train(store, "parted", version, wanted)).encoder.text
    assert tower is not None
    assert tower.spec.vocabulary == ("a", "learned", "thing")
    assert len(learned)


def _digests(store: Store, version: int) -> list[str]:
    from data.manifest import manifest

    rows = manifest(store, "toy").open(version).to_table(["key", "digest"]).sort_by("key")
    return [str(digest) for digest in rows["digest"].to_pylist()]


class Killed(BaseException):
    """Stands for a kill between two steps."""


@pytest.mark.parametrize("method", ["clip", "vsepp"])
@pytest.mark.parametrize("at", [2, 5])
def test_broken_off_at_any_step_it_ends_with_the_same_bits(
    store: Store, captioned: int, method: str, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.training.course.EVERY", 1)
    wanted = plan(**CLIP | {"method": method}, ema=0.9, keep=0)
    undisturbed = train.train(store, "toy", captioned, wanted)
    store.delete("encoders")

    def kill(stage: str, done: int, total: int, note: str) -> None:
        if (stage, done) == ("train", at):
            raise Killed

    with pytest.raises(Killed):
        train.train(store, "toy", captioned, wanted, progress=kill)
    assert train.train(store, "toy", captioned, wanted) == undisturbed


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (CLIP | {"whitening": "pca"}, "another head into the place of the one that meets"),
        ({"text": "pretrained"}, "none are named: set pretrained"),
        ({"text": "pretrained", "pretrained": "x", "method": "simclr"}, "simclr teaches pictures"),
        (
            {"text": "pretrained", "pretrained": "x", "epochs": 0, "descriptor": "aggregated"},
            "descriptor: aggregated put another head",
        ),
    ],
)
def test_what_would_part_pictures_and_words_is_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        plan(**said)


def test_a_plan_that_names_no_tower_goes_by_the_digest_that_it_had() -> None:
    assert {"text", "vocabulary"} <= set(TrainPlan.later)
    fields = plan().model_dump(mode="json")
    before = {name: fields[name] for name in fields if name not in ("text", "vocabulary")}
    before = {n: v for n, v in before.items() if n not in plan().later or v != plan().later[n]}
    assert plan().digest == digest_of(before)
