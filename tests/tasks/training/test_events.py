"""The curves of a training can be read as TensorBoard reads them."""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event

from data.store import Store
from tasks.training import train
from tasks.training.events import EVENTS, events_of
from tests.tasks.training.courses import plan

ENDED = datetime(2026, 7, 14, 2, tzinfo=UTC)


def masked(content: bytes) -> int:
    """The checksum of a record: CRC-32C, turned by 15 bits and moved, as TFRecord has it."""
    crc = crc32c(content)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def records(content: bytes) -> Iterator[Event]:
    """The records of a TFRecord file: length, its checksum, data, its checksum."""
    while content:
        (length,), (check,) = struct.unpack("<Q", content[:8]), struct.unpack("<I", content[8:12])
        assert check == masked(content[:8])
        data, rest = content[12 : 12 + length], content[12 + length :]
        assert struct.unpack("<I", rest[:4])[0] == masked(data)
        yield Event.FromString(data)
        content = rest[4:]


def test_each_curve_comes_back_epoch_by_epoch() -> None:
    curves = {"loss": [2.0, 1.0, 0.5], "map@100[min]": [0.25, 0.5]}
    first, *events = records(events_of(curves, ENDED, 30))
    assert first.file_version == "brain.Event:2"
    assert [event.step for event in events] == [1, 2, 3]
    assert [event.wall_time - ENDED.timestamp() for event in events] == [-20, -10, 0]
    found: dict[str, list[float]] = {}
    for event in events:
        for value in event.summary.value:
            found.setdefault(value.tag, []).append(value.simple_value)
    assert found == curves


def test_it_lies_beside_the_encoder(store: Store, version: int) -> None:
    wanted = plan(validation=0.3, supervision="supervised", width=4)
    digest = train.train(store, "toy", version, wanted)
    content = store.read(f"encoders/{digest}/{EVENTS}")
    card = train.load_encoder(store, digest).card
    points = [value for event in records(content) for value in event.summary.value]
    assert [value.tag for value in points] == ["loss", "map@100[min]"] * 2
    said = [value for pair in zip(*card["curves"].values(), strict=True) for value in pair]
    assert [value.simple_value for value in points] == pytest.approx(said)
    assert train.trained(store, "toy", wanted) == digest


def test_what_was_not_trained_has_none(store: Store, version: int) -> None:
    digest = train.train(store, "toy", version, plan(epochs=0))
    assert store.names(f"encoders/{digest}") == ["card.json", "encoder.safetensors"]
