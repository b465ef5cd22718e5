"""NUS-WIDE in small: six pictures, three concepts, in its official layout or in its zips."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Draw = Callable[..., bytes]

PICTURES = {
    r"actor\0001_2124494179.jpg": ("train", ("person", "sky"), "nikon film"),
    r"actor\0002_174174086.jpg": ("test", (), ""),
    r"zoo\0001_333.jpg": ("train", ("animal",), "café zoo"),
    r"zoo\0002_444.jpg": ("test", ("animal", "sky"), "zoo"),
    r"zoo\0003_555.jpg": ("train", ("sky",), "blue sky sea"),
    r"zoo\0004_666.jpg": ("train", ("person",), "film"),
}
"""Split, concepts and tags of each, in the order of the list."""

CONCEPTS = ("animal", "person", "sky")
WORDS = ("blue", "film", "sea", "sky", "zoo")


def texts() -> dict[str, dict[str, str]]:
    """The text files of each part, as its zip names them."""
    splits = {
        name: [path for path, said in PICTURES.items() if name in (said[0], "")]
        for name in ("train", "test")
    }
    lists = {
        "Imagelist": list(PICTURES),
        "TrainImagelist": splits["train"],
        "TestImagelist": splits["test"],
    }
    truth = {
        f"AllLabels/Labels_{concept}.txt": "".join(
            f"{int(concept in said[1])}\n" for said in PICTURES.values()
        )
        for concept in CONCEPTS
    }
    tags = {
        f"{split.title()}_Tags1k.dat": "".join(
            "".join(f"{int(word in PICTURES[path][2].split())}\t" for word in WORDS) + "\r\n"
            for path in paths
        )
        for split, paths in splits.items()
    }
    tags["TagList1k.txt"] = "\n".join(WORDS)
    tags["All_Tags.txt"] = "".join(
        f"{path.partition('_')[2].removesuffix('.jpg')}      {said[2]} \n"
        for path, said in reversed(PICTURES.items())
    )
    urls = "Photo_file  Photo_id url_Large url_Middle url_Small url_Original\n" + "".join(
        rf"C:\ImageData\Flickr\{path}   {path.partition('_')[2][:-4]} "
        f" null http://farm.test/{number}_m.jpg http://farm.test/{number}_s.jpg  null \n"
        for number, path in enumerate(PICTURES)
    )
    return {
        "ImageList": {
            f"ImageList/{name}.txt": "".join(f"{one}\r\n" for one in paths)
            for name, paths in lists.items()
        },
        "ConceptsList": {"Concepts81.txt": "".join(f"{one}\n" for one in CONCEPTS)},
        "Groundtruth": truth,
        "NUS_WID_Tags": tags,
        "NUS-WIDE-urls": {"NUS-WIDE-urls.txt": urls},
    }


def nuswide(root: Path, draw: Draw, zipped: bool = False, flat: bool = False) -> dict[str, Any]:
    """Lay it under ROOT; in its zips, and with the pictures in one folder, where that is asked."""
    root.mkdir(parents=True, exist_ok=True)
    for part, files in texts().items():
        if zipped:
            with zipfile.ZipFile(root / f"{part}.zip", "w") as out:
                for name, text in files.items():
                    out.writestr(name, text)
            continue
        for name, text in files.items():
            path = root / part / name.removeprefix("ImageList/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
    for number, name in enumerate(PICTURES):
        folder, _, short = name.partition("\\")
        path = root / "images" / short if flat else root / "Flickr" / folder / short
        path.parent.mkdir(parents=True, exist_ok=True)
        if flat and path.exists():
            continue
        path.write_bytes(draw(number))
    return {}
