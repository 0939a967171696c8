"""Reference codes survive people: any one wrong letter and any swap of neighbours is found."""

import random

from hypothesis import given
from hypothesis import strategies as st

from exchange.fiat import references

codes = st.integers().map(lambda seed: references.make(random.Random(seed).choice))


@given(codes, st.sampled_from(["{}", " {} ", "REF: {}"]), st.booleans())
def test_a_code_is_read_whatever_its_case_and_dashes(code, frame, lower):
    written = code.lower() if lower else code
    assert references.parse(written.replace("-", " ")) == code
    assert references.parse(written.replace("-", "")) == code
    assert references.parse(frame.format(written)) in (code, None)


@given(codes, st.integers(0, 8), st.sampled_from(references.ALPHABET))
def test_one_wrong_letter_is_found(code, place, letter):
    letters = list(code.replace("-", "")[3:])
    if letters[place] != letter:
        letters[place] = letter
        assert references.parse("BRS" + "".join(letters)) is None


@given(codes, st.integers(0, 7))
def test_a_swap_of_neighbours_is_found(code, place):
    letters = list(code.replace("-", "")[3:])
    if letters[place] != letters[place + 1]:
        letters[place], letters[place + 1] = letters[place + 1], letters[place]
        assert references.parse("BRS" + "".join(letters)) is None


@given(st.text(max_size=20))
def test_other_text_is_no_code_and_no_error(text):
    assert references.parse(text) is None or text.upper().replace("-", "").replace(" ", "").startswith("BRS")


def test_codes_do_not_repeat():
    choose = random.Random(7).choice
    assert len({references.make(choose) for _ in range(10_000)}) == 10_000
