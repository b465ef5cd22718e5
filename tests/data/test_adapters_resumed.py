"""Each source of the table, stopped in the middle and begun again, and read by two at once."""

import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest

from data.adapters import DATASETS, open_dataset
from data.adapters.base import Dataset
from data.sample import LISTING
from models.pixels import decode, header
from tests.data.halves import contents_of
from tests.data.miniatures import MINIATURES

Draw = Callable[..., bytes]
Again = Callable[[], Dataset]

BY_DEFAULT = {"sun397": {"rest"}}
"""The splits that come where no option asks for lists, if not all of them."""


@pytest.fixture(params=sorted(DATASETS))
def again(request: pytest.FixtureRequest, tmp_path: Path, draw: Draw) -> Again:
    """Opens a source anew, as another night or another worker does, over one miniature of it."""
    name, make = MINIATURES[request.param]
    options = make(tmp_path / name, draw)
    return lambda: open_dataset(request.param, str(tmp_path / name), options)


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """Two processes that were started anew and share nothing with this one."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns so often that two which share what they should not are caught at it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def uris_of(dataset: Dataset) -> list[str]:
    return [sample.uri for sample in dataset.samples()]


def places_in(rows: Sequence[object]) -> list[int]:
    """Where to stop: before all of ROWS, and after one, after half and after all but one."""
    return sorted({0, 1, len(rows) // 2, len(rows) - 1})


def test_every_picture_decodes(again: Again) -> None:
    for content in contents_of(again(), uris_of(again())):
        head = header(content)
        assert decode(content).shape == (head.height, head.width, 3)


def test_splits_are_those_of_the_card_and_no_larger(again: Again) -> None:
    card = again().card
    if not card.splits:
        pytest.skip(f"{card.name} has the splits of its source")
    found = [sample.split for sample in again().samples()]
    assert set(found) == BY_DEFAULT.get(card.name, set(card.splits))
    known = {split: count for split, count in card.splits.items() if count}  # 0: nobody says
    assert all(found.count(split) <= count for split, count in known.items())


def test_a_listing_that_was_stopped_goes_on_where_it_was(again: Again) -> None:
    whole = list(again().samples())
    for stop in places_in(whole):
        reader = again()
        first = reader.samples()
        assert list(islice(first, stop)) == whole[:stop]
        del first  # stopped, with whatever it holds open
        assert list(islice(again().samples(), stop, None)) == whole[stop:]
        assert list(reader.samples()) == whole


def test_two_listings_of_one_source_do_not_disturb_each_other(again: Again) -> None:
    dataset = again()
    one, other = dataset.samples(), dataset.samples()
    whole = list(again().samples())
    assert list(zip(one, other, strict=True)) == list(zip(whole, whole, strict=True))


def test_reading_that_was_stopped_goes_on_where_it_was(again: Again) -> None:
    uris = uris_of(again())
    whole = contents_of(again(), uris)
    for stop in places_in(uris):
        reader = again()
        answers = reader.read(uris)
        assert list(islice(answers, stop)) == whole[:stop]
        del answers
        assert contents_of(again(), uris[stop:]) == whole[stop:]
        assert contents_of(reader, uris[stop:]) == whole[stop:]


@pytest.mark.usefixtures("switching")
def test_two_threads_that_read_a_half_each_make_the_whole(again: Again) -> None:
    dataset = again()
    uris = uris_of(dataset) * 5
    whole = contents_of(dataset, uris)
    with ThreadPoolExecutor(2) as threads:
        for even, odd in ((uris[0::2], uris[1::2]), (uris[::-2], uris[-2::-2])):
            halves = list(threads.map(lambda some: contents_of(dataset, some), (even, odd)))
            assert dict(zip((*even, *odd), (*halves[0], *halves[1]), strict=True)) == dict(
                zip(uris, whole, strict=True)
            )


def test_two_processes_that_read_a_half_each_make_the_whole(
    again: Again, processes: ProcessPoolExecutor
) -> None:
    dataset = again()
    listing = pa.Table.from_batches(list(dataset.listing()), LISTING)
    uris = listing["uri"].to_pylist()
    middle = len(uris) // 2
    halves = [
        processes.submit(contents_of, dataset, part) for part in (uris[:middle], uris[middle:])
    ]
    assert [*halves[0].result(), *halves[1].result()] == contents_of(again(), uris)
