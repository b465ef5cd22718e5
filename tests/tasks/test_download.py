"""Getting a dataset: which files, several at a time, what fails, and what only a person can get."""

import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest

from data.adapters.card import Access, Card, Source
from data.fetch import Fetcher, Patience, new_client
from tasks.download import Outcome, chosen, download, plan
from tests.publisher import Fault, Publisher

FILES = {f"{number}.bin": bytes([number]) * 20_000 for number in range(9)}
ASK = "Ask the authors for asked.zip and put it beside the others."


def card(*sources: Source, access: Access = "open", **more: Any) -> Card:
    return Card(
        name="toys",
        about="Toys.",
        labels="none",
        access=access,
        splits={"train": 6, "test": 3},
        sources=sources,
        **more,
    )


def published(here: Publisher) -> list[Source]:
    return [
        Source(
            url=here.put(name, content),
            saved_as=f"deep/{name}",
            bytes=len(content),
            md5=hashlib.md5(content).hexdigest(),
        )
        for name, content in FILES.items()
    ]


def get(card: Card, folder: Path, **more: Any) -> Outcome:
    with new_client() as client:
        quick = Fetcher(client, Patience(tries=2, first=0.001))
        return download(card, card.sources, folder, fetcher=quick, **more)


def states(outcome: Outcome) -> list[str]:
    return [file.state for file in outcome.files]


def test_all_files_come_and_are_not_fetched_again(here: Publisher, tmp_path: Path) -> None:
    heard: list[tuple[int, ...]] = []
    toys = card(*published(here))
    outcome = get(toys, tmp_path, progress=lambda *counts: heard.append(counts))
    assert outcome.complete
    assert [file.name for file in outcome.files] == [f"deep/{name}" for name in FILES]
    assert set(states(outcome)) == {"fetched"}
    for name, content in FILES.items():
        assert (tmp_path / "deep" / name).read_bytes() == content
    assert heard[-1] == (9, 9, 180_000, 180_000)
    assert [one[0] for one in heard] == sorted(one[0] for one in heard)
    requests = len(here.asked)
    assert set(states(get(toys, tmp_path))) == {"there"}
    assert len(here.asked) == requests


def test_so_many_at_a_time_and_no_more(
    here: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, most, lock, all_here = 0, 0, threading.Lock(), threading.Event()
    real = Fetcher.fetch

    def fetch(self: Fetcher, *words: Any) -> Any:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
            if now == 3:
                all_here.set()
        assert all_here.wait(30), "three should run beside each other"
        try:
            return real(self, *words)
        finally:
            with lock:
                now -= 1

    monkeypatch.setattr(Fetcher, "fetch", fetch)
    assert get(card(*published(here)), tmp_path, jobs=3).complete
    assert most == 3


def test_a_file_that_fails_does_not_keep_the_others(here: Publisher, tmp_path: Path) -> None:
    sources = published(here)
    del here.files["/3.bin"]
    here.files["/5.bin"] = b"x" * 20_000
    outcome = get(card(*sources), tmp_path)
    assert not outcome.complete
    assert states(outcome) == [
        "fetched", "fetched", "fetched", "failed", "fetched", "failed", "fetched", "fetched",
        "fetched",
    ]  # fmt: skip
    assert "3.bin is not there (404" in outcome.files[3].note
    assert "kept as" in outcome.files[5].note
    here.put("3.bin", FILES["3.bin"])
    here.put("5.bin", FILES["5.bin"])
    assert get(card(*sources), tmp_path).complete


def test_what_only_a_person_can_get_is_asked_for_and_checked_once_it_is_there(
    here: Publisher, tmp_path: Path
) -> None:
    content = b"by agreement"
    asked = Source(saved_as="asked.zip", bytes=len(content), md5=hashlib.md5(content).hexdigest())
    closed = card(*published(here)[:2], asked, access="by agreement", ask=ASK)
    outcome = get(closed, tmp_path)
    assert states(outcome) == ["fetched", "fetched", "to ask for"]
    assert (outcome.complete, outcome.ask) == (False, ASK)
    (tmp_path / "asked.zip").write_bytes(b"another file")
    outcome = get(closed, tmp_path)
    assert states(outcome) == ["there", "there", "failed"]
    assert "the md5 of asked.zip is" in outcome.files[2].note
    (tmp_path / "asked.zip").write_bytes(content)
    outcome = get(closed, tmp_path)
    assert states(outcome) == ["there", "there", "there"]
    assert (outcome.complete, outcome.ask) == (True, "")


@pytest.mark.parametrize("access", ["withdrawn", "never published"])
def test_a_dead_end_is_said(tmp_path: Path, access: Access) -> None:
    outcome = get(card(access=access, ask=ASK), tmp_path / "x")
    assert (outcome.complete, outcome.ask, outcome.files) == (False, ASK, ())
    assert not (tmp_path / "x").exists()


def test_a_plan_reads_and_fetches_nothing(here: Publisher, tmp_path: Path) -> None:
    toys = card(*published(here)[:3], Source(saved_as="asked.zip"), access="withdrawn", ask=ASK)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "0.bin").write_bytes(b"y" * 20_000)
    (tmp_path / "deep" / "1.bin").write_bytes(b"cut")
    outcome = plan(toys, toys.sources, tmp_path)
    assert states(outcome) == ["there", "to fetch", "to fetch", "to ask for"]
    assert here.asked == []
    assert not outcome.complete


def test_the_files_of_a_split_in_one_form_are_chosen() -> None:
    def at(name: str, form: str = "", *splits: str) -> Source:
        return Source(url=f"https://x.org/{name}", form=form, splits=splits)

    toys = card(
        at("truth"), at("a", "python", "train"), at("b", "python", "test"), at("c", "binary")
    )

    def names(*splits: str, form: str = "") -> list[str]:
        return [source.name for source in chosen(toys, splits, form)]

    assert names() == ["truth", "a", "b"]
    assert names("test") == ["truth", "b"]
    assert names(form="binary") == names("test", form="binary") == ["truth", "c"]
    with pytest.raises(ValueError, match=r"split of toys 'tests'.*test.*mean 'test'"):
        names("tests")
    with pytest.raises(ValueError, match="form of toys 'matlab': choose from binary, python"):
        names(form="matlab")


def test_an_interruption_ends_all_downloads_and_the_next_goes_on(
    here: Publisher, tmp_path: Path
) -> None:
    for name in FILES:
        here.faults[f"/{name}"].append(Fault(slow=0.05))
    toys = card(*published(here))

    def interrupt(files: int, of_files: int, count: int, of_count: int) -> None:
        if threading.current_thread() is threading.main_thread():
            return
        if count > 20_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(toys, tmp_path, jobs=2, progress=interrupt)
    assert not all((tmp_path / "deep" / name).exists() for name in FILES)
    assert get(toys, tmp_path).complete
    assert {path.suffix for path in (tmp_path / "deep").iterdir()} == {".bin"}
