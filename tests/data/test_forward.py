"""Readers that go forward: the nearest one behind goes on, none is shared, few are kept."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from data.adapters.forward import HELD, Readers


class Reader:
    """Counts on from where it stands; BEGUN notes each that was begun."""

    begun: list["Reader"]

    def __init__(self) -> None:
        self.at = 0
        self.busy = threading.Lock()
        self.begun.append(self)

    def read(self, place: int) -> int:
        assert self.busy.acquire(blocking=False), "two threads share a reader"
        try:
            assert place >= self.at
            self.at = place + 1
            return place
        finally:
            self.busy.release()


@pytest.fixture
def kind() -> type[Reader]:
    return type("Counted", (Reader,), {"begun": []})


def read(readers: Readers[Reader], of: str, place: int, kind: type[Reader]) -> int:
    with readers.before(of, place, kind) as reader:
        return reader.read(place)


def test_the_nearest_reader_behind_goes_on(kind: type[Reader]) -> None:
    readers = Readers[Reader]()
    for place in (0, 1, 5, 6):
        assert read(readers, "a", place, kind) == place
    assert len(kind.begun) == 1
    read(readers, "a", 2, kind)  # behind it: another begins
    read(readers, "a", 7, kind)
    assert [one.at for one in kind.begun] == [8, 3]
    read(readers, "b", 9, kind)
    assert len(kind.begun) == 3


def test_where_reading_raised_nobody_goes_on(kind: type[Reader]) -> None:
    readers = Readers[Reader]()
    with pytest.raises(OSError, match="gone"), readers.before("a", 0, kind):
        raise OSError("gone")
    read(readers, "a", 4, kind)
    assert len(kind.begun) == 2


def test_only_so_many_are_kept(kind: type[Reader]) -> None:
    readers = Readers[Reader]()
    for number in range(2 * HELD):
        read(readers, f"{number}", 0, kind)
    assert len(readers.left) == HELD
    read(readers, "0", 1, kind)
    assert len(kind.begun) == 2 * HELD + 1


def test_threads_do_not_share_a_reader(kind: type[Reader]) -> None:
    readers = Readers[Reader]()
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(lambda place: read(readers, "a", place, kind), range(4000))
        assert list(found) == list(range(4000))
    assert len(kind.begun) < 400, "they go on where others stopped"
