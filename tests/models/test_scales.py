"""Which scales there are, and of what a mean of several is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.pixels import MAX_SIDE, MIN_SIDE
from models.scales import MOST, check_scales, refusal, scales_of, sides_of

SCALES = st.lists(st.floats(0, MOST, exclude_min=True), min_size=1, max_size=5)


@given(SCALES)
def test_what_is_said_is_read_as_it_was_said(scales: list[float]) -> None:
    assert list(scales_of(",".join(map(repr, scales)))) == scales


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("", "'' is no list of scales: write numbers with commas between, as in 1,0.7,0.5"),
        ("1;2", "'1;2' is no list of scales"),
        ("1,", "'1,' is no list of scales"),
        ("1,0", "greater than 0 and at most 4, and not 0"),
        ("1,-0.5", "and not -0.5"),
        ("4.01", "and not 4.01"),
        ("nan", "and not nan"),
        ("inf", "and not inf"),
    ],
)
def test_what_is_no_scale_is_refused(said: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        scales_of(said)


@given(SCALES, st.integers(MIN_SIDE, MAX_SIDE))
def test_sides_are_those_of_pictures_or_refused(scales: list[float], size: int) -> None:
    check_scales(scales)
    wanted = [round(scale * size) for scale in scales]
    if all(MIN_SIDE <= side <= MAX_SIDE for side in wanted):
        assert sides_of(scales, size) == wanted
    else:
        with pytest.raises(ValueError, match="pictures have 8 to 1024 a side"):
            sides_of(scales, size)


def test_vectors_and_codes_have_a_mean_and_visual_words_have_none() -> None:
    assert [refusal("cosine"), refusal("hamming")] == ["", ""]
    assert "visual words are none" in refusal("asmk")
