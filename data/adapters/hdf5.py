"""Variables of HDF5 files as MATLAB 7.3 writes them; needs h5py, which is the extra ``datasets``.

A file may name other files (external links, external and virtual data): those are refused, so that
a data set cannot have a file of this machine read in its name.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Any

import numpy as np

from data.adapters.archives import content_of, opened
from data.adapters.reading import member_of
from data.taxonomy import unknown

OWN = frozenset({"#refs#", "#subsystem#"})
"""Groups in which MATLAB keeps what others refer to."""


def load(path: str, names: Sequence[str] = ()) -> dict[str, Any]:
    """The variables NAMES of the file at PATH, as `data.adapters.matlab.load` gives them.

    An array of structs is a dict of lists, one a field, as it lies in the file.

    Raises:
        ValueError: it is damaged, has no such variable, or refers to another file.
        ImportError: h5py is not installed.
    """
    with hdf5(path) as file:
        there = [name for name in file if name not in OWN]
        for name in names:
            if name not in there:
                raise ValueError(unknown(f"variable of {path}", name, there))
        return {name: value(member(file, name)) for name in names or there}


@contextmanager
def hdf5(path: str) -> Iterator[Any]:
    """The file at PATH, as h5py opens it.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is damaged; names it.
        ImportError: h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f"{path} is of MATLAB 7.3, which is HDF5: pip install 'nightjar[datasets]' reads it."
        ) from error
    with _seekable(path) as stream:
        try:
            with h5py.File(stream, "r") as file:
                yield file
        except (OSError, RuntimeError, KeyError) as error:
            raise ValueError(f"{path} is damaged, or no HDF5 file: {error}.") from error


def _seekable(path: str) -> AbstractContextManager[IO[bytes]]:
    """The file at PATH; one in an archive is held in memory, for HDF5 goes to and fro in it."""
    return io.BytesIO(content_of(path)) if member_of(path)[1] else opened(path)


def member(group: Any, name: str) -> Any:
    """What GROUP holds under NAME, in this very file.

    Raises:
        ValueError: it lies in another file.
    """
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(
            f"{group.file.filename}: {name!r} is a link, which no data needs: refused."
        )
    return group[name]


def value(node: Any) -> Any:
    """NODE as Python holds it: a dict of a group, a text, a list of what it refers to, or an array.

    Axes come in MATLAB's order, which is the other way round in the file.

    Raises:
        ValueError: it lies in another file.
    """
    import h5py

    if isinstance(node, h5py.Group):
        return {name: value(member(node, name)) for name in node}
    if node.external or node.is_virtual:
        raise ValueError(f"{node.name!r} of {node.file.filename} lies in other files: refused.")
    if node.dtype == h5py.ref_dtype:
        return [value(node.file[reference]) for reference in node[()].ravel()]
    if node.attrs.get("MATLAB_empty", 0):
        return "" if _kind(node) == "char" else np.empty(tuple(int(side) for side in node[()]))
    array = node[()].T
    if _kind(node) != "char":
        return array.astype(bool) if _kind(node) == "logical" else array
    rows = ["".join(map(chr, row)) for row in array]
    return rows[0] if len(rows) == 1 else rows


def _kind(node: Any) -> str:
    """The class of a variable, as MATLAB calls it."""
    return bytes(node.attrs.get("MATLAB_class", b"")).decode("ascii", "replace")


def numbers_in(file: Any, reference: Any, fields: Sequence[str]) -> list[list[float]]:
    """The numbers in each of FIELDS of the array of structs that REFERENCE leads to, in FILE.

    MATLAB writes one struct as its numbers, several as references to a number each. This is what
    `value` does, by h5py's inner functions: for hundreds of thousands of structs it takes a fifth
    of the time.

    Raises:
        KeyError: a field is not there.
        ValueError: it lies in another file, or is no number; names it.
    """
    from h5py import h5d, h5l, h5r

    group = h5r.dereference(reference, file.id)
    found = []
    for field in fields:
        name = field.encode()
        if group.links.get_info(name).type != h5l.TYPE_HARD:
            raise ValueError(f"{file.filename}: {field!r} is a link, which no data needs: refused.")
        array = _plain(file, h5d.open(group, name)).ravel()
        several = array.tolist()
        if array.dtype.kind == "O":
            several = [_plain(file, h5r.dereference(one, file.id)).item() for one in several]
        found.append([float(one) for one in several])
    return found


def text_at(file: Any, reference: Any) -> str:
    """The text that REFERENCE leads to, in FILE, by the same inner functions.

    Raises:
        ValueError: it lies in another file.
    """
    from h5py import h5r

    return "".join(map(chr, _plain(file, h5r.dereference(reference, file.id)).ravel()))


def _plain(file: Any, node: Any) -> "np.ndarray[Any, np.dtype[Any]]":
    """All of the dataset NODE of FILE, which lies in it."""
    from h5py import h5d, h5s

    made = node.get_create_plist()
    if made.get_layout() == h5d.VIRTUAL or made.get_external_count():
        raise ValueError(f"A part of {file.filename} lies in other files: refused.")
    array = np.empty(node.shape, node.dtype)
    node.read(h5s.ALL, h5s.ALL, array)
    return array
