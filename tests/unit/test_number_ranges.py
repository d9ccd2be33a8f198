"""A receipt names ranges and single numbers, and is taken whole or not at all (SN-4)."""

import datetime as dt

import pytest

from allocator.errors import InputError
from allocator.model.number import NumberFormat
from allocator.numbers import expand_ranges, generate_numbers, register_numbers

CHILLER = NumberFormat(pattern="CM500-YYYY-NNNN")
RANGE = [f"CM500-2025-{n:04}" for n in range(46, 71)]


def problems(call, *arguments, **named):
    with pytest.raises(InputError) as caught:
        call(*arguments, **named)
    return [(p.code, p.table, p.row) for p in caught.value.problems]


@pytest.mark.parametrize("number_format", [None, CHILLER])
@pytest.mark.parametrize(
    "separator",
    [" to ", " TO ", "..", "...", " .. ", "\u2013", " \u2014 ", " - ", "-", " thru ", " through ", "\u2026"],
)
def test_twenty_five_chillers_are_registered_as_one_range(separator, number_format):
    text = f"CM500-2025-0046{separator}CM500-2025-0070"
    assert register_numbers([text], number_format).to_list() == RANGE


def test_a_number_with_hyphens_is_a_number():
    whole = ["0046-0070", "A-1-A-2X", "CM500-2025-0046", "AB1-AC2", "1-1"]
    assert register_numbers(whole).to_list() == whole


def test_ranges_and_single_numbers_keep_their_order():
    found = expand_ranges(["B7", "A09..A11", "B2"])
    assert found.rows() == [(0, "B7"), (1, "A09"), (1, "A10"), (1, "A11"), (2, "B2")]


def test_each_number_of_a_range_has_its_own_check_digit():
    guarded = NumberFormat(pattern="A-NNN-#", check="iso7064_mod_37_36")
    numbers = generate_numbers(guarded, 5, 10, on=dt.date(2025, 1, 1)).to_list()
    assert register_numbers([f"{numbers[0]} to {numbers[-1]}"], guarded).to_list() == numbers


def test_a_range_of_a_format_runs_in_its_sequence_wherever_that_is():
    leading = NumberFormat(pattern="NNN-YYYY")
    assert register_numbers(["007-2025 to 009-2025"], leading).to_list() == ["007-2025", "008-2025", "009-2025"]
    assert problems(register_numbers, ["007-2025 to 009-2026"], leading) == [("range_ends_differ", "numbers", 0)]


@pytest.mark.parametrize("number_format", [None, CHILLER])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CM500-2025-0070 to CM500-2025-0046", "range_reversed"),
        ("CM500-2025-0046 to CM500-2026-0070", "range_ends_differ"),
        ("CM500-2025-0046 to CM500-2025-0070 to CM500-2025-0071", "range_malformed"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(text, code, number_format):
    assert problems(expand_ranges, ["CM500-2025-0001", text], number_format) == [(code, "numbers", 1)]


def test_every_range_that_is_wrong_is_named_at_once():
    texts = ["A..B", "A2..A1", "A1..A10", "A1..B2", "A1 to A\u0661", "A1..A3", ""]
    assert sorted(problems(register_numbers, texts)) == [
        ("number_not_ascii", "numbers", 4),
        ("range_ends_differ", "numbers", 2),
        ("range_ends_differ", "numbers", 3),
        ("range_malformed", "numbers", 0),
        ("range_reversed", "numbers", 1),
        ("value_empty", "numbers", 6),
    ]


def test_a_mistyped_end_does_not_fill_the_memory():
    assert problems(expand_ranges, ["A000000000000..A999999999999"]) == [("range_too_large", "numbers", 0)]
    assert problems(expand_ranges, ["A1..A4", "B1..B4"], numbers_max=7) == [("range_too_large", "numbers", None)]
    assert len(expand_ranges(["A1..A4", "B1..B4"], numbers_max=8)) == 8


# --- against the packing list ---


def test_what_was_packed_and_nothing_else_is_taken():
    assert register_numbers(["A1..A3", "B7"], packing_list=["B7", "A1", "A2..A3"]).to_list() == ["A1", "A2", "A3", "B7"]


def test_missing_extra_and_twice_are_reported_together_and_nothing_is_taken():
    assert sorted(problems(register_numbers, ["A1..A3", "A2", "B7"], packing_list=["A1..A2", "A2", "A9", "a1"])) == [
        ("number_duplicate", "numbers", 1),
        ("number_duplicate", "packing_list", 1),
        ("number_duplicate", "packing_list", 3),
        ("number_missing", "packing_list", 2),
        ("number_unlisted", "numbers", 0),
        ("number_unlisted", "numbers", 2),
    ]


def test_a_list_that_cannot_be_read_is_not_compared():
    assert problems(register_numbers, ["A1"], packing_list=["A2", "A3..A1"]) == [("range_reversed", "packing_list", 1)]


def test_an_empty_receipt_registers_nothing():
    assert register_numbers([]).to_list() == []
    assert problems(register_numbers, [], packing_list=["A1"]) == [("number_missing", "packing_list", 0)]
