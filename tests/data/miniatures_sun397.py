"""SUN397 with four classes of two or three pictures, in each of its layouts."""

import gzip
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from tests.data.tarred import tarred

CLASSES = ("/b/bow_window/outdoor", "/a/abbey", "/b/bow_window/indoor", "/z/zoo")
"""In no order, as a file system hands them out."""

Mode = Literal["w", "w:gz"]


def sun_files(draw: Callable[..., bytes]) -> dict[str, bytes]:
    """By path below SUN397; one is a PNG that is named as all others."""
    return {
        f"{name[1:]}/sun_{letter * 16}.jpg": draw(10 * row + ord(letter), suffix=kind)
        for row, name in enumerate(CLASSES)
        for letter, kind in (("c", "jpg"), ("a", "jpg"), ("b", "png" if row == 1 else "jpg"))
        if (name, letter) != ("/z/zoo", "b")
    }


def write_tar(path: Path, files: Mapping[str, bytes], mode: Mode = "w:gz") -> Path:
    """FILES below SUN397, with the lists that lie beside the letters."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lists = {"README.txt": b"words", "ClassName.txt": b"/a/abbey\n"}
    content = tarred({f"SUN397/{name}": one for name, one in {**lists, **files}.items()})
    path.write_bytes(content if mode == "w" else gzip.compress(content))
    return path


def write_folder(root: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (root / "SUN397" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "SUN397" / name).write_bytes(content)
    (root / "SUN397/ClassName.txt").write_text("".join(f"{name}\n" for name in CLASSES))


def write_fold(path: Path, number: str, train: Sequence[str], test: Sequence[str]) -> None:
    """The lists of a fold in Partitions.zip, or in a folder where PATH is none."""
    lists = {f"Training_{number}.txt": train, f"Testing_{number}.txt": test}
    texts = {name: "".join(f"/{key}\n" for key in keys) for name, keys in lists.items()}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "a") as archive:
            for name, text in texts.items():
                archive.writestr(name, text)
        return
    path.mkdir(exist_ok=True)
    for name, text in texts.items():
        (path / name).write_text(text)


def sun397(root: Path, draw: Callable[..., bytes]) -> dict[str, Any]:
    """The official archive and a fold."""
    files = sun_files(draw)
    write_tar(root / "SUN397.tar.gz", files)
    write_fold(root / "Partitions.zip", "01", sorted(files)[:4], sorted(files)[4:8])
    return {}
