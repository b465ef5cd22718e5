"""Miniatures of datasets with texts, in their official layouts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc

Draw = Callable[..., bytes]


def flickr8k(root: Path, draw: Draw, each: int = 1) -> dict[str, Any]:
    """EACH pictures a split and shade, two sentences each."""
    (root / "Flicker8k_Dataset").mkdir(parents=True)
    (root / "Flickr8k_text").mkdir()
    tokens = []
    for start, split in enumerate(("train", "dev", "test")):
        names = []
        for number in range(4 * each):
            names.append(f"{start}{number:03d}_0f.jpg")
            (root / "Flicker8k_Dataset" / names[-1]).write_bytes(draw(1000 * start + number))
            tokens += [f"{names[-1]}#{one}\tA shade of {number % 4} . {one}" for one in (1, 0)]
        path = root / "Flickr8k_text" / f"Flickr_8k.{split}Images.txt"
        path.write_text("".join(f"{name}\n" for name in names))
    tokens.append("999.jpg.1#0\tNobody has this picture .")
    (root / "Flickr8k_text" / "Flickr8k.token.txt").write_text("\n".join(tokens) + "\n")
    return {}


def ukbench(root: Path, draw: Draw, each: int = 2) -> dict[str, Any]:
    """Four pictures of each of EACH things."""
    (root / "full").mkdir(parents=True)
    for number in range(4 * each):
        picture = draw(1000 * (number // 4) + number)
        (root / "full" / f"ukbench{number:05d}.jpg").write_bytes(picture)
    return {}


def grocery(root: Path, draw: Draw, each: int = 1) -> dict[str, Any]:
    """EACH photographs a split of four products, whose numbers are not their rows."""
    home, shelf = root / "dataset", "iconic-images-and-descriptions"
    (home / shelf).mkdir(parents=True)
    products = {
        3: ("Milk", "Dairy"),
        0: ("Gala", "Apple"),
        2: ("Pear", "Pear"),
        1: ("Fuji", "Apple"),
    }
    rows = [
        "Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int),"
        "Iconic Image Path (str),Product Description Path (str)"
    ]
    lists: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for number, (name, coarse) in products.items():
        rows.append(f"{name},{number},{coarse},9,/{shelf}/{name}.jpg,/{shelf}/{name}.txt")
        (home / shelf / f"{name}.jpg").write_bytes(draw(1000 * number + 999))
        (home / shelf / f"{name}.txt").write_text(f"{name} is good.\nBuy it.\n")
        for at, split in enumerate(lists):
            (home / split / name).mkdir(parents=True)
            for one in range(each):
                path = f"{split}/{name}/{one:03d}.jpg"
                (home / path).write_bytes(draw(1000 * number + 100 * at + one))
                lists[split].append(f"{path}, {number}, 9")
    (home / "classes.csv").write_text("\n".join(rows) + "\n")
    for split, lines in lists.items():
        (home / f"{split}.txt").write_text("".join(f"{line}\n" for line in lines))
    return {}


def hf(root: Path, draw: Draw, each: int = 2) -> dict[str, Any]:
    """EACH pictures of four classes a split; train lies in two files."""
    features = {
        "image": {"_type": "Image"},
        "label": {"names": ["a", "b", "c", "d"], "_type": "ClassLabel"},
        "text": {"dtype": "string", "_type": "Value"},
    }
    kinds = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("image", kinds), ("label", pa.int64()), ("text", pa.string())])
    for start, (split, files) in enumerate((("train", 2), ("test", 1))):
        folder = root / split
        folder.mkdir(parents=True)
        rows = [
            {
                "image": {"bytes": draw(1000 * label + 100 * start + one), "path": "x.jpg"},
                "label": label,
                "text": f"shade {label}",
            }
            for one in range(each)
            for label in range(4)
        ]
        names = [f"data-{number:05d}-of-{files:05d}.arrow" for number in range(files)]
        for number, name in enumerate(names):
            table = pa.Table.from_pylist(rows[number::files], schema=schema)
            with pa.ipc.new_stream(str(folder / name), schema) as out:
                out.write_table(table, max_chunksize=3)
        state = {"_data_files": [{"filename": name} for name in names], "_split": split}
        (folder / "state.json").write_text(json.dumps(state))
        (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    (root / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    return {}
