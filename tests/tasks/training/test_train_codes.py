"""An encoder that has learned codes of single pictures: they are a part of it, whatever befalls."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.store import Store
from models.learned_codes import digest_of
from tasks.encoders import codes_name, learned_codes, spec_at, weights_name
from tasks.pin import pin, restore
from tasks.training import train
from tasks.training.selection import Wanted, selected
from tasks.training.train import TrainPlan, load_encoder
from tests.tasks.training.courses import Draw, fill, plan


def told(**changes: Any) -> TrainPlan:
    said = {"supervision": "supervised", "method": "adsh", "descriptor": "binary", "batch": 8}
    return plan(**said | {"size": 16, "width": 4, "epochs": 3, "keep": 0} | changes)


class Killed(BaseException):
    """Stands for a kill between two steps."""


@pytest.mark.parametrize("at", [1, 5, 12])
def test_killed_and_taken_up_it_ends_with_the_same_codes(
    store: Store, version: int, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.training.course.EVERY", 1)
    whole = train.train(store, "toy", version, told())
    codes = store.read(codes_name(whole))
    store.delete("encoders")

    def kill(stage: str, done: int, total: int, note: str) -> None:
        if (stage, done) == ("train", at):
            raise Killed

    with pytest.raises(Killed):
        train.train(store, "toy", version, told(), progress=kill)
    assert train.train(store, "toy", version, told()) == whole
    assert store.read(codes_name(whole)) == codes


def test_each_picture_that_can_be_decoded_has_a_code_and_the_header_names_them(
    store: Store, version: int
) -> None:
    digest = train.train(store, "toy", version, told())
    embedder = load_encoder(store, digest)
    content = store.read(codes_name(digest))
    assert embedder.spec.codes == digest_of(content) == spec_at(store, digest).codes
    codes = learned_codes(store, digest, embedder.spec)
    assert codes is not None
    assert (len(codes), codes.rows.shape[1]) == (39, 2)
    assert embedder.card["codes"] == 39
    chosen = selected(store, "toy", version, Wanted(labels="all"))
    assert int(codes.known(chosen.digests).sum()) == 39


def test_classes_get_codes_of_their_own(store: Store, draw: Draw) -> None:
    contents = [draw(number) for number in range(40)]
    version = fill(store, contents, [[f"c{number % 4}"] for number in range(40)])
    digest = train.train(store, "toy", version, told(epochs=1))
    codes = learned_codes(store, digest, spec_at(store, digest))
    assert codes is not None
    chosen = selected(store, "toy", version, Wanted(labels="all"))
    rows = codes.over(chosen.digests, np.zeros((40, 2), np.uint8))
    bits = np.unpackbits(rows, axis=1).astype(int)
    assert chosen.labels is not None
    same = chosen.labels.first[:, None] == chosen.labels.first
    apart = np.abs(bits[:, None] - bits).sum(axis=2)
    assert apart[same].mean() + 2 < apart[~same].mean()


def test_codes_that_are_gone_or_damaged_are_an_error_that_says_so(
    store: Store, version: int
) -> None:
    digest = train.train(store, "toy", version, told(epochs=1))
    spec, content = spec_at(store, digest), store.read(codes_name(digest))
    half = len(content) // 2
    changed = bytes([content[half] ^ 1])
    store.write(codes_name(digest), content[:half] + changed + content[half + 1 :])
    with pytest.raises(ValueError, match=r"is not what encoder .* they are damaged"):
        learned_codes(store, digest, spec)
    store.delete(codes_name(digest))
    with pytest.raises(FileNotFoundError, match="train it again"):
        learned_codes(store, digest, spec)
    assert train.train(store, "toy", version, told(epochs=1), again=True) == digest
    assert store.read(codes_name(digest)) == content


def test_what_is_pinned_comes_back_with_its_codes(
    store: Store, version: int, tmp_path: Path
) -> None:
    digest = train.train(store, "toy", version, told(epochs=1))
    content = store.read(codes_name(digest))
    pin(store, "toy", version, digest)
    shutil.rmtree(Path(store.uri(f"encoders/{digest}")))
    back = restore(store, "toy", version, tmp_path / "back", encoder=digest)
    assert back.read(codes_name(digest)) == content
    assert back.exists(weights_name(digest))
    assert learned_codes(back, digest, spec_at(back, digest)) is not None


def test_other_encoders_have_none(store: Store, version: int) -> None:
    digest = train.train(store, "toy", version, told(method="dpsh", epochs=1))
    spec = spec_at(store, digest)
    assert spec.codes == ""
    assert "codes" not in spec.model_dump()
    assert learned_codes(store, digest, spec) is None
    assert not store.exists(codes_name(digest))
    assert "codes" not in load_encoder(store, digest).card


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"descriptor": "real_valued"}, "choose the descriptor binary"),
        ({"network": "siamese_triplet"}, "choose the network convolutional, "),
        ({"network": "reinforcement_learning"}, "choose the network convolutional, "),
        ({"epochs": 0}, "set epochs to 1 at least"),
        ({"learned_bits": 32}, "learned_bits: 32 would choose among the network's: leave it out"),
        (
            {"compatible_with": "0" * 12, "compatible_by": "classes"},
            "leave it out, or choose another method",
        ),
        ({"validation": 0.1}, "leave validation out"),
        ({"workers": 2}, "set workers: 0"),
    ],
    ids=str,
)
def test_what_makes_no_sense_with_it_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        told(**changes)


def test_streamed_pictures_learn_codes_too(store: Store, version: int) -> None:
    digest = train.train(store, "toy", version, told(memory_mb=1, size=160, epochs=1))
    codes = learned_codes(store, digest, spec_at(store, digest))
    assert codes is not None
    assert len(codes) == 39
