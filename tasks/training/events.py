"""The curves of a training as a file that TensorBoard shows."""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import RecordWriter

EVENTS: Final = "events.out.tfevents.nightjar"
"""Its name: TensorBoard opens what has "tfevents" in it."""

VERSION: Final = "brain.Event:2"
"""Of the file's format, said in its first record."""


def events_of(curves: Mapping[str, Sequence[float]], ended: datetime, seconds: float) -> bytes:
    """The file of CURVES, a point an epoch each, of a training of so many SECONDS up to ENDED.

    It is written from what has come of the training, so one that was killed and went on has one
    clean file.
    """
    last = max(map(len, curves.values()), default=0)
    began = ended.timestamp() - seconds
    events = [Event(wall_time=began, file_version=VERSION)]
    for epoch in range(1, last + 1):
        values = [
            Summary.Value(tag=name, simple_value=points[epoch - 1])
            for name, points in curves.items()
            if len(points) >= epoch
        ]
        when = began + seconds * epoch / last
        events.append(Event(wall_time=when, step=epoch, summary=Summary(value=values)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / EVENTS
        writer = RecordWriter(str(path))
        for event in events:
            writer.write(event.SerializeToString())
        writer.close()
        return path.read_bytes()
