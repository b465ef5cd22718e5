"""What is made of a file: once, whichever threads ask, and anew where the file has changed."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from data.adapters.held import Held


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    found = [tmp_path / f"{number}" for number in range(3)]
    for path in found:
        path.write_text(path.name)
    return [str(path) for path in found]


def test_two_threads_on_two_files_make_each_once(paths: list[str]) -> None:
    made: list[str] = []
    both = threading.Barrier(2, timeout=20)

    def make(path: str) -> str:
        both.wait()  # so that both are at it at once
        made.append(path)
        return Path(path).read_text()

    held = Held(make, 2)
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(held, paths[:2] * 50)) == ["0", "1"] * 50
    assert sorted(made) == paths[:2]


def test_threads_that_ask_for_the_same_wait_for_the_first(paths: list[str]) -> None:
    made: list[str] = []
    waiting = threading.Event()

    def make(path: str) -> object:
        made.append(path)
        waiting.wait(0.2)
        return object()

    held = Held(make, 1)
    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(held, [paths[0]] * 8))) == 1
    assert made == paths[:1]


def test_only_so_many_are_kept_and_a_changed_file_is_made_anew(paths: list[str]) -> None:
    made: list[str] = []

    def make(path: str) -> str:
        made.append(path)
        return Path(path).read_text()

    held = Held(make, 2)
    for number in (0, 1, 0, 2, 0, 1):
        assert held(paths[number]) == str(number)
    assert made == [paths[number] for number in (0, 1, 2, 1)], "the one asked for last stays"
    Path(paths[1]).write_text("new")
    os.utime(paths[1], ns=(1, 1))
    assert held(paths[1]) == "new"


def test_who_asks_after_a_failure_tries_again(paths: list[str]) -> None:
    answers = iter([ValueError("broken"), "whole"])

    def make(path: str) -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    held = Held(make, 1)
    with pytest.raises(ValueError, match="broken"):
        held(paths[0])
    assert held(paths[0]) == "whole"
    with pytest.raises(FileNotFoundError):
        held(f"{paths[0]}-gone")
