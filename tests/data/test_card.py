"""Cards: what follows from what is said, which files are refused, and what every card must say."""

import pytest
from pydantic import ValidationError

from data.adapters import DATASETS
from data.adapters.card import Card, Source
from data.taxonomy import Supervision

CARDS = [DATASETS[name].card for name in sorted(DATASETS)]

on_every_card = pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)


def card(**fields: object) -> Card:
    return Card.model_validate({"name": "x", "about": "X.", "labels": "none", **fields})


@on_every_card
def test_a_card_says_how_one_comes_by_the_files_and_what_it_was_tried_on(card: Card) -> None:
    assert card.says
    assert card.proof.endswith(".")
    assert card.layout.endswith(".")
    assert all(trap.endswith(".") for trap in card.traps)
    if card.access == "your own":
        assert not card.sources
        return
    assert card.cite
    assert card.licence != "the source's own"
    assert card.pictures
    assert card.retrievals
    assert bool(card.ask) == (card.access != "open"), "what is not open is asked for, and only that"
    assert not card.ask or card.ask.endswith(".")


@on_every_card
def test_the_files_of_a_card_have_a_name_each_and_serve_splits_that_are_there(card: Card) -> None:
    for form in card.forms or ("",):
        names = [source.name for source in card.sources if source.form in ("", form)]
        assert len(set(names)) == len(names)
        assert not set(names) & {f"{name}.part" for name in names}
    for source in card.sources:
        assert set(source.splits) <= set(card.splits)
        assert source.url or card.access != "open", f"{source.name} has no address"
    assert not (card.access == "open" and not card.sources)


def test_annotations_and_supervisions_follow_from_what_is_said() -> None:
    assert card(says=("single",)).annotations == ("labels",)
    assert card(says=("boxes", "captions", "multi")).annotations == ("labels", "captions", "boxes")
    assert card(says=("clicks",)).annotations == ("tags",)
    bare = {
        Supervision.UNSUPERVISED,
        Supervision.PSEUDO_SUPERVISED,
        Supervision.SELF_SUPERVISED,
    }
    assert set(card(says=()).supervisions) == bare
    assert set(card(says=("tags",)).supervisions) == bare | {Supervision.WEAKLY_SUPERVISED}
    assert set(card(says=("single",)).supervisions) == set(Supervision) - {
        Supervision.WEAKLY_SUPERVISED
    }
    assert set(card(says=("multi", "tags")).supervisions) == set(Supervision)


def test_truth_to_measure_by_is_carried_and_teaches_nobody() -> None:
    truth = card(says=("answers", "query boxes"))
    assert truth.annotations == ("tags", "boxes")
    assert truth.supervisions == card(says=()).supervisions
    measured = {name for name, one in DATASETS.items() if "answers" in one.card.says}
    assert measured == {"gldv2", "roxford5k", "rparis6k"}
    for name in measured:
        assert Supervision.WEAKLY_SUPERVISED not in DATASETS[name].card.supervisions


def test_a_file_is_saved_under_the_last_part_of_its_address_unless_it_is_told() -> None:
    assert Source(url="https://x.org/a/b%20c.zip?download=1").name == "b c.zip"
    assert Source(url="https://x.org/a", saved_as="train/images_000.tar").name == (
        "train/images_000.tar"
    )


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a//b", "a/./b", "a/", "..", "a\\..\\b", "a/\0", "%2e%2e"]
)
def test_a_file_that_would_leave_its_folder_is_refused(name: str) -> None:
    field = {"url": f"https://x.org/{name}"} if "%" in name else {"saved_as": name}
    with pytest.raises(ValidationError, match="no path below a folder"):
        Source.model_validate({"url": "https://x.org/a", **field})


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://x.org/a"},
        {"url": "https://x.org/"},
        {"url": ""},
        {"url": "https://x.org/a", "md5": "abc"},
        {"url": "https://x.org/a", "sha256": "A" * 64},
        {"url": "https://x.org/a", "bytes": -1},
        {"url": "https://x.org/a", "crc": "1"},
    ],
)
def test_a_file_that_cannot_be_had_or_checked_as_said_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Source.model_validate(wrong)


def test_the_forms_of_a_dataset_come_in_the_order_of_its_card() -> None:
    sources = [
        {"url": f"https://x.org/{number}", "form": form}
        for number, form in enumerate(("python", "", "binary", "python"))
    ]
    assert card(sources=sources).forms == ("python", "binary")
    assert card().forms == ()
