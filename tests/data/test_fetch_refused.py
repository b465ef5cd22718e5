"""Downloads that a server refuses, or puts off: what is final, what is waited for, and how long."""

import email.utils
import threading
import time
from pathlib import Path

import pytest

from data.fetch import Fetcher, Patience, new_client
from tests.publisher import CONTENT, Fault, Publisher, bare, left, source


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (404, FileNotFoundError, "moved or withdrawn"),
        (410, FileNotFoundError, "moved or withdrawn"),
        (403, PermissionError, "not handed out to everyone"),
        (401, PermissionError, "not handed out to everyone"),
        (418, OSError, "answers 418"),
    ],
)
def test_a_refusal_is_final_and_says_what_to_do(
    here: Publisher, fetcher: Fetcher, tmp_path: Path, status: int, error: type[OSError], said: str
) -> None:
    url = here.put("a.bin", CONTENT, Fault(status=status))
    with pytest.raises(error, match=f"a.bin.*{said}"):
        fetcher.fetch(source(url), tmp_path / "a.bin")
    assert len(here.asked) == 1
    assert left(tmp_path) == []


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_server_that_is_busy_is_asked_again(
    here: Publisher, fetcher: Fetcher, tmp_path: Path, status: int
) -> None:
    url = here.put("a.bin", CONTENT, Fault(status=status), Fault(status=status))
    fetcher.fetch(source(url), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


class Clock(threading.Event):
    """An event that is waited for in no time, and knows how long."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0.0)
        return False


def test_pauses_double_up_to_a_limit_and_are_never_the_same(
    here: Publisher, tmp_path: Path
) -> None:
    url = here.put("a.bin", CONTENT, *(Fault(status=503) for _ in range(9)))
    clock = Clock()
    with new_client() as client:
        patience = Patience(tries=10, first=1.0, longest=20.0)
        Fetcher(client, patience, clock).fetch(source(url), tmp_path / "a.bin")
    full = [1, 2, 4, 8, 16, 20, 20, 20, 20]
    assert all(most / 2 <= pause <= most for pause, most in zip(clock.waited, full, strict=True))
    assert len(set(clock.waited)) == 9


def test_a_server_says_when_to_come_back(here: Publisher, tmp_path: Path) -> None:
    soon = email.utils.formatdate(time.time() + 100, usegmt=True)
    faults = [
        Fault(status=429, headers={"Retry-After": "17"}),
        Fault(status=503, headers={"Retry-After": soon}),
        Fault(status=503, headers={"Retry-After": "when I am well"}),
        Fault(status=503, headers={"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT"}),
    ]
    clock = Clock()
    with new_client() as client:
        fetcher = Fetcher(client, Patience(first=0.01), clock)
        fetcher.fetch(source(here.put("a.bin", CONTENT, *faults)), tmp_path / "a.bin")
    assert clock.waited[0] == 17
    assert 90 < clock.waited[1] <= 100
    assert max(clock.waited[2:]) < 0.1


def test_a_server_that_asks_for_too_much_patience_is_left_alone(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    url = here.put("a.bin", CONTENT, Fault(status=429, headers={"Retry-After": "86400"}))
    with pytest.raises(OSError, match=r"429.*come back in 86,400 s"):
        fetcher.fetch(source(url), tmp_path / "a.bin")
    assert len(here.asked) == 1


def test_patience_ends_after_tries_in_vain_and_not_after_tries(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    url = here.put("a.bin", CONTENT, *(Fault(after=5_000) for _ in range(19)))
    fetcher.fetch(source(url), tmp_path / "a.bin")
    assert len(here.asked) == 20
    url = here.put("b.bin", CONTENT, *(Fault(after=0) for _ in range(9)))
    with pytest.raises(OSError, match="3 times in a row"):
        fetcher.fetch(source(url), tmp_path / "b.bin")


def test_a_server_that_is_not_there_is_named(fetcher: Fetcher, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"http://127.0.0.1:9/a.bin: .*refused"):
        fetcher.fetch(bare("http://127.0.0.1:9/a.bin"), tmp_path / "a.bin")


def test_an_address_that_has_moved_is_followed(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    new = here.put("new.bin", CONTENT)
    old = here.put("old.bin", b"", Fault(status=301, headers={"Location": new}))
    fetcher.fetch(source(old), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    circle = here.put("c.bin", b"", *(Fault(302, {"Location": "/c.bin"}) for _ in range(30)))
    with pytest.raises(OSError, match=r"c\.bin: .*redirects"):
        fetcher.fetch(source(circle), tmp_path / "c.bin")
