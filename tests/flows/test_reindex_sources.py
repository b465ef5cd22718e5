"""Whole nights over the other forms of source: lists, tars, CIFAR-10 in its official layout."""

import csv
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.flows.album import Album, balanced, counts, photo

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
Rows = "np.ndarray[tuple[int, int], np.dtype[np.uint8]]"


def write_list(path: Path, rows: Mapping[str, tuple[str, str]]) -> None:
    """A CSV of a path, labels and a caption a row."""
    with path.open("w", newline="") as out:
        lines = csv.writer(out)
        lines.writerow(["path", "labels", "caption"])
        lines.writerows([name, *said] for name, said in rows.items())


def test_a_list_says_what_is_indexed_and_how_it_is_called(bare: Album) -> None:
    said = {}
    for number in range(16):
        bare.put(f"{number:02d}.jpg", photo(number))
        said[f"pictures/{number:02d}.jpg"] = (f"kind {number % 4};all", f'it\'s "{number}", so')
    bare.put("nobody lists me.jpg", photo(99))
    bare.fields["source"] = {"dataset": "list", "root": "list.csv"}
    write_list(bare.folder / "list.csv", said)
    ledger = bare.night()
    assert balanced(ledger) == (16, 0, 0, 0)
    found = bare.search(photo(5), 1)[0]
    assert (found["key"], found["labels"]) == ("pictures/05.jpg", ["kind 1", "all"])

    said["pictures/05.jpg"] = ("kind 'new'", "another caption")
    said["pictures/new.jpg"] = ("kind 0", "")
    bare.put("new.jpg", photo(50))
    said.pop("pictures/00.jpg")
    write_list(bare.folder / "list.csv", said)
    ledger = bare.night("fall")
    assert counts(ledger) == {"added": 1, "relabelled": 1, "removed": 1}
    assert ledger.embedded == 1
    assert bare.search(photo(5), 1)[0]["labels"] == ["kind 'new'"]
    assert bare.verified().ok


def test_a_list_that_names_a_file_that_is_gone_waits_for_it(bare: Album) -> None:
    said = {f"pictures/{number}.jpg": ("a", "") for number in range(8)}
    for number in range(7):
        bare.put(f"{number}.jpg", photo(number))
    bare.fields["source"] = {"dataset": "list", "root": "list.csv"}
    write_list(bare.folder / "list.csv", said)
    ledger = bare.night("coverage")
    assert balanced(ledger) == (7, 0, 0, 1)
    assert [item.key for item in ledger.ledger.missing] == ["pictures/7.jpg"]
    bare.put("7.jpg", photo(7))
    ledger = bare.night()
    assert (ledger.embedded, balanced(ledger)) == (1, (1, 7, 0, 0))
    assert bare.verified().ok


def write_tar(path: Path, members: Mapping[str, bytes]) -> None:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def test_tars_are_indexed_where_they_lie(bare: Album) -> None:
    bare.fields["source"] = {"dataset": "tars", "root": "tars"}
    for tar in range(2):
        members: dict[str, bytes] = {}
        for number in range(8 * tar, 8 * tar + 8):
            members |= {
                f"{number:03d}.jpg": photo(number),
                f"{number:03d}.cls": b"%d" % (number % 4),
            }
        write_tar(bare.folder / "tars" / f"{tar:03d}.tar", members)
    ledger = bare.night()
    assert balanced(ledger) == (16, 0, 0, 0)
    found = bare.search(photo(9), 1)[0]
    assert (found["labels"], found["distance"] < 1e-5) == (["1"], True)

    write_tar(
        bare.folder / "tars" / "002.tar",
        {
            "020.jpg": photo(20),
            "021.jpg": photo(3),
            "022.jpg": b"nothing",
            "../../out.jpg": photo(21),
        },
    )
    ledger = bare.night("fall")
    assert (ledger.added, ledger.duplicate, ledger.quarantined, ledger.embedded) == (2, 1, 1, 2)
    assert not list(bare.folder.rglob("out.jpg"))
    assert bare.verified().ok


def write_cifar(
    folder: Path, batches: Mapping[str, "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]"]
) -> None:
    """The binary layout: a label byte, then 3,072 pixel bytes a record."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, records in batches.items():
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    (folder / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")


def test_cifar10_in_its_official_layout_is_learned_indexed_and_measured(bare: Album) -> None:
    chance = np.random.default_rng(0)
    batches = {}
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        labels = chance.integers(0, 4, (12, 1))
        shades = labels * 60 + chance.integers(0, 20, (12, 3072))
        batches[name] = np.hstack([labels, shades]).astype(np.uint8)
    write_cifar(bare.folder / "cifar/cifar-10-batches-bin", batches)
    bare.fields |= {
        "source": {"dataset": "cifar10", "root": "cifar"},
        "evaluate": {"split": "test", "queries": 12, "k": 10, "protocol": "labels"},
    }
    ledger = bare.night()
    assert balanced(ledger) == (72, 0, 0, 0)
    assert ledger.metrics[ledger.headline] > 0.6, "shades tell the classes apart at sight"
    rows = bare.rows()
    assert sum(key.startswith("test/") for key in rows) == 12
    assert rows["train/00000"][1] == (NAMES[batches["data_batch_1"][0, 0]],)

    batches["data_batch_2"][5, 1:] = 7
    write_cifar(bare.folder / "cifar/cifar-10-batches-bin", batches)
    ledger = bare.night("fall")
    assert (ledger.changed, ledger.embedded, ledger.added) == (1, 1, 0)
    assert bare.verified().ok
