"""Views are pictures of the same kind, decided by their generator alone, each on its own."""

from collections.abc import Callable
from functools import partial

import pytest
import torch

from models import augment

Change = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 4) -> torch.Tensor:
    return torch.rand(count, 3, 24, 32, generator=seeded(9))


@pytest.mark.parametrize("change", [augment.gentle, augment.strong])
def test_views_are_pictures_that_the_generator_alone_decides(change: Change) -> None:
    views = change(pictures(), seeded())
    assert views.shape == (4, 3, 24, 32)
    assert views.min() >= 0
    assert views.max() <= 1
    assert torch.equal(change(pictures(), seeded()), views)
    assert not torch.equal(change(pictures(), seeded(1)), views)


@pytest.mark.parametrize(
    "change",
    [augment.gentle, augment.strong, partial(augment.sketched, probability=0.5)],
    ids=["gentle", "strong", "sketched"],
)
def test_views_are_the_same_whatever_the_precision_they_are_learned_from_in(change: Change) -> None:
    wanted = change(pictures(), seeded())
    with torch.autocast("cpu", torch.bfloat16):
        views = change(pictures(), seeded())
    assert views.dtype == torch.float32
    assert torch.equal(views, wanted)


@pytest.mark.parametrize("change", [augment.gentle, augment.strong])
def test_each_picture_of_a_batch_is_changed_differently(change: Change) -> None:
    alike = pictures(1).expand(6, -1, -1, -1)
    views = change(alike, seeded())
    assert all(not torch.allclose(views[0], view) for view in views[1:])


def test_a_whole_window_without_mirror_changes_nothing() -> None:
    square = torch.rand(3, 3, 16, 16, generator=seeded(2))
    # the sides of a window that covers all may not exceed it, whatever their ratio
    kept = augment.crop(square, seeded(), smallest=1.0, flip=False)
    assert kept.shape == square.shape
    flat = torch.full((3, 3, 16, 16), 0.3)
    assert torch.allclose(augment.crop(flat, seeded(), smallest=0.2, flip=True), flat, atol=1e-6)


def test_a_mirror_comes_in_half_of_the_cases_and_only_if_wanted() -> None:
    ramp = torch.linspace(0, 1, 16).expand(400, 3, 16, 16)
    for flip, low, high in ((True, 150, 250), (False, 0, 0)):
        views = augment.crop(ramp, seeded(), smallest=0.5, flip=flip)
        mirrored = int((views[:, 0, 8, -1] < views[:, 0, 8, 0]).sum())
        assert low <= mirrored <= high


def test_colours_of_no_strength_stay() -> None:
    assert torch.allclose(augment.colour(pictures(), seeded(), 0.0), pictures(), atol=1e-5)


def test_grey_pictures_stay_grey_and_a_full_share_loses_colour() -> None:
    plain = torch.rand(4, 1, 8, 8, generator=seeded(1)).expand(-1, 3, -1, -1) * 0.5 + 0.2
    views = augment.colour(plain, seeded(), 0.4)
    assert torch.allclose(views[:, 0], views[:, 2], atol=1e-4)
    lost = augment.grey(pictures(), seeded(), 1.0)
    assert torch.allclose(lost[:, 0], lost[:, 1])
    assert torch.equal(augment.grey(pictures(), seeded(), 0.0), pictures())


def is_drawn(views: torch.Tensor) -> torch.Tensor:
    """Which of VIEWS have no colours, (B,) bool."""
    return (views[:, 0] - views[:, 2]).abs().amax(dim=(1, 2)) < 1e-6


def test_a_share_of_the_views_is_drawn_each_by_its_own_hand() -> None:
    smooth = torch.nn.functional.interpolate(
        torch.rand(1, 3, 3, 4, generator=seeded(3)), (24, 32), mode="bilinear"
    )
    album = smooth.expand(400, -1, -1, -1)
    views = augment.sketched(album, seeded(), 0.3)
    drawn = is_drawn(views)
    assert 80 <= int(drawn.sum()) <= 160
    assert torch.equal(views[~drawn], album[~drawn])
    drawings = views[drawn]
    assert len(torch.unique(drawings.flatten(1), dim=0)) > len(drawings) / 4
    assert is_drawn(augment.sketched(album, seeded(), 1.0)).all()
    assert torch.equal(augment.sketched(album, seeded(), 0.0), album)


def test_changes_draw_what_the_views_are_and_without_sketches_nothing_is_other() -> None:
    album, plain = pictures(8), augment.Changes(flip=False, change=0.5)
    pencil = augment.Changes(flip=False, change=0.5, sketches=1.0)
    gentle = augment.gentle(album, seeded(), flip=False, change=0.5)
    assert torch.equal(plain.gentle(album, seeded()), gentle)
    assert torch.equal(plain.strong(album, seeded()), augment.strong(album, seeded(), flip=False))
    for views in (pencil.gentle(album, seeded()), pencil.strong(album, seeded())):
        assert torch.equal(views[:, 0], views[:, 1])
        assert views.mean() > gentle.mean()


def test_gentle_views_change_as_much_as_is_said() -> None:
    same = augment.gentle(pictures(), seeded(), flip=False, change=0.0)
    assert torch.allclose(same, pictures(), atol=1e-5)
    slight, whole = (
        (augment.gentle(pictures(), seeded(), flip=False, change=change) - pictures()).abs().mean()
        for change in (0.1, 1.0)
    )
    assert 0 < slight < whole
