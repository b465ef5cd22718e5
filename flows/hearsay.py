"""A copy of a labelled dataset, with noisy words beside the labels, as users tag photos."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from data.adapters import open_dataset
from data.sample import Sample

SYNONYMS: Final = 4
"""Words that a class goes by; a picture is tagged with one to three of them."""
WRONG: Final = 0.3
"""Share of the pictures that are tagged as if they were of another class."""
CHATTER: Final = 50
"""Words that mean nothing, of which each picture has one to three."""
AT_ONCE: Final = 1000

Progress = Callable[[int, int], None]


def tagged(name: str, source: Path, target: Path, progress: Progress) -> None:
    """Write the pictures of dataset NAME in SOURCE to TARGET as tars, with labels and noisy tags.

    Which words a picture has depends on its key alone. A copy that is there already is kept.
    """
    if (target / "done").exists():
        return
    target.mkdir(parents=True, exist_ok=True)
    dataset = open_dataset(name, str(source), {})
    samples = list(dataset.samples())
    classes = sorted({label for sample in samples for label in sample.labels})
    for start in range(0, len(samples), AT_ONCE):
        some = samples[start : start + AT_ONCE]
        path = target / f"{start // AT_ONCE:05d}.tar"
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for sample, content in zip(some, dataset.read([s.uri for s in some]), strict=True):
                if isinstance(content, OSError):
                    raise content
                stem = hashlib.sha256(sample.key.encode()).hexdigest()[:16]
                said = {
                    "labels": sample.labels,
                    "tags": words_of(sample, classes),
                    "split": sample.split,
                }
                _add(tar, f"{stem}.png", content)
                _add(tar, f"{stem}.json", json.dumps(said).encode())
        progress(start + len(some), len(samples))
    (target / "done").touch()


def words_of(sample: Sample, classes: list[str]) -> list[str]:
    """The words that SAMPLE is tagged with, some of them of another one of CLASSES."""
    lots = iter(hashlib.sha256(f"tags/{sample.key}".encode()).digest())

    def draw(count: int) -> int:
        return (next(lots) * 256 + next(lots)) * count >> 16

    wrong = draw(1000) < 1000 * WRONG
    meant = classes[draw(len(classes))] if wrong else sample.labels[0]
    own = {f"{meant} {draw(SYNONYMS)}" for _ in range(1 + draw(3))}
    return sorted(own | {f"chatter {draw(CHATTER)}" for _ in range(1 + draw(3))})


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
