"""Lists of a division as papers on hashing circulate them: ``PATH 0 0 1 … 0``, a digit a class."""

from data.adapters.archives import opened


def names_in(path: str) -> frozenset[str]:
    """The last parts of the paths in the list at PATH; the folders are its authors' own.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: a line is none, or a name is there twice; names the list and the row.
    """
    names: set[str] = set()
    with opened(path) as lines:
        for row, line in enumerate(lines, 1):
            place, *digits = line.decode("utf-8", "replace").split() or [""]
            name = place.rpartition("/")[2]
            if not name or not digits or not set(digits) <= {"0", "1"}:
                raise ValueError(f"{path}: row {row} is no path with a digit, 0 or 1, a class.")
            if name in names:
                raise ValueError(f"{path}: {name} of row {row} is there twice.")
            names.add(name)
    return frozenset(names)
