"""The format of a SKU says how its numbers are spelled, checks them and makes the next ones (SN-5, SN-6)."""

import datetime as dt

import polars as pl
import pytest

from allocator.errors import InputError, PolicyError
from allocator.model.number import NumberFormat, NumberRules, segments
from allocator.numbers import check_numbers, counter_period, generate_numbers, number_parts, parse_number

CHILLER = NumberFormat(pattern="CM500-YYYY-NNNN", reset="yearly")
DAY = dt.date(2025, 3, 31)


def codes(error):
    return [problem.code for problem in error.value.problems]


def faults(numbers, number_format=None, **arguments):
    return check_numbers(numbers, number_format, **arguments)["problem"].to_list()


# --- what a pattern means ---


@pytest.mark.parametrize(
    ("pattern", "kinds"),
    [
        ("CM500-YYYY-NNNN", ["literal", "literal", "year", "literal", "sequence"]),
        ("YYMMNNNNN", ["year_short", "month", "sequence"]),
        ("[MM]-NNNN", ["literal", "literal", "sequence"]),
        ("[SN]NNNN[N]", ["literal", "sequence", "literal"]),
        ("SN-N", ["literal", "literal", "sequence"]),
        ("A-NN[#]", ["literal", "literal", "sequence", "literal"]),
    ],
)
def test_a_run_of_letters_stands_for_something_only_as_a_whole(pattern, kinds):
    assert [segment.kind for segment in segments(NumberFormat(pattern=pattern).pattern)] == kinds


@pytest.mark.parametrize(
    "pattern",
    [
        "COMM-NNNN",
        "CMYYYY-NN",
        "ANNA-NN",
        "SN",
        "NN-NN",
        "YYYY-YY-NN",
        "[A-NN",
        "A]-NN",
        "Ä-NN",
        "A B-NN",
        "a-NN",
        "A..NN",
    ],
)
def test_a_pattern_that_can_be_read_in_two_ways_or_in_none_is_refused(pattern):
    with pytest.raises(PolicyError) as caught:
        NumberFormat(pattern=pattern)
    assert set(codes(caught)) == {"pattern_malformed"}


@pytest.mark.parametrize(
    "settings",
    [
        {"pattern": "A-NN", "reset": "yearly"},
        {"pattern": "A-YYYY-NN", "reset": "monthly"},
        {"pattern": "A-NN-#"},
        {"pattern": "A-NN", "check": "luhn"},
    ],
)
def test_settings_under_which_numbers_would_repeat_or_have_no_check_digit_are_refused(settings):
    with pytest.raises(PolicyError) as caught:
        NumberFormat(**settings)
    assert codes(caught) == ["setting_conflict"]


def test_every_problem_of_a_format_is_reported_at_once():
    with pytest.raises(PolicyError) as caught:
        NumberFormat(pattern="COMM-#NN" + "N" * 20, reset="monthly")
    assert codes(caught) == ["pattern_malformed"] * 3 + ["setting_conflict"] * 2


# --- checking ---


def test_a_number_of_the_format_is_read_whatever_its_letters():
    assert check_numbers(["CM500-2025-0046", "cm500-2025-0047"], CHILLER)["number"].to_list() == [
        "CM500-2025-0046",
        "CM500-2025-0047",
    ]
    exact = NumberFormat(pattern="CM500-YYYY-NNNN", case="exact")
    assert faults(["cm500-2025-0047"], exact) == ["number_pattern"]
    assert check_numbers(["aB1"], case="exact")["number"].to_list() == ["aB1"]


@pytest.mark.parametrize(
    "number",
    ["CM500-2025-046", "CM500-2025-00046", "CM500-25-0046", "XM500-2025-0046", "CM500-2025-004O", "CM500 2025 0046"],
)
def test_a_number_of_another_shape_is_not_of_the_format(number):
    assert faults([number], CHILLER) == ["number_pattern"]


def test_a_month_is_one_of_twelve():
    dated = NumberFormat(pattern="YYMM-NNN", reset="monthly")
    assert faults(["2512-001", "2513-001", "2500-001"], dated) == [None, "number_pattern", "number_pattern"]


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (None, "value_null"),
        ("", "value_empty"),
        ("A1\0", "text_nul"),
        ("A1 ", "number_blank"),
        ("\tA1", "number_invisible"),
        ("A  1", "number_blank"),
        ("A 1", None),
        ("\ufeffA1", "number_invisible"),
        ("A1\u200f", "number_invisible"),
        ("A\u200b1", "number_invisible"),
        ("\u04101", "number_not_ascii"),
        ("\uff211", "number_not_ascii"),
        ("A\u20131", "number_not_ascii"),
        ("A\u0663", "number_not_ascii"),
        ("E\u0301", "number_invisible"),
        ("\u00c9", "number_not_ascii"),
        ("\u0131-1", "number_not_ascii"),
        ("A" * 64, None),
        ("A" * 65, "number_too_long"),
        ("A" * 10_000_000, "number_too_long"),
        ("A1\n", "number_invisible"),
    ],
)
def test_what_people_cannot_see_or_tell_apart_is_no_number(number, fault):
    assert faults([number]) == [fault]


def test_the_message_names_the_letter_that_only_looks_right():
    with pytest.raises(InputError, match=r"U\+0410 CYRILLIC CAPITAL LETTER A"):
        parse_number("\u0410M500-2025-0046", CHILLER)


def test_the_last_digit_guards_the_others():
    guarded = NumberFormat(pattern="CM500-YYYY-NNNN-#", check="luhn")
    number = generate_numbers(guarded, 46, 1, on=DAY).item()
    swapped = number.replace("0046", "0064")
    assert faults([number, swapped, number[:-1] + "X"], guarded) == [None, "check_digit_wrong", "number_pattern"]


def test_numbers_come_as_a_series_of_any_text_type_and_nothing_else():
    column = pl.Series("serial", ["CM500-2025-0046", None], dtype=pl.Categorical)
    assert faults(column, CHILLER) == [None, "value_null"]
    assert faults([], CHILLER) == []
    assert faults(pl.Series([None, None])) == ["value_null", "value_null"]
    for wrong in ([46], pl.Series([46]), "CM500-2025-0046", ["\ud800"], [b"A"]):
        with pytest.raises(InputError) as caught:
            check_numbers(wrong, CHILLER)
        assert codes(caught) == ["column_type"]


def test_a_number_says_its_parts():
    parts = parse_number("CM500-2025-0046", CHILLER)
    assert (parts.year, parts.month, parts.sequence, parts.check) == (2025, None, 46, None)
    short = number_parts(["7-2503", None, "x"], NumberFormat(pattern="N-YYMM"))
    assert short.select("year", "month", "sequence").rows() == [(2025, 3, 7), (None,) * 3, (None,) * 3]


# --- making ---


def test_the_next_numbers_follow_the_last_one():
    assert generate_numbers(CHILLER, 46, 25, on=DAY).to_list() == [f"CM500-2025-{n:04}" for n in range(46, 71)]
    assert generate_numbers(CHILLER, 46, 0, on=DAY).to_list() == []
    assert generate_numbers(NumberFormat(pattern="NN-MM-YY[A]"), 7, 1, on=DAY).item() == "07-03-25A"


def test_a_sequence_that_ends_makes_no_number_at_all():
    assert generate_numbers(CHILLER, 9999, 1, on=DAY).item() == "CM500-2025-9999"
    with pytest.raises(InputError, match="2 numbers are left, 3 are asked for") as caught:
        generate_numbers(CHILLER, 9998, 3, on=DAY)
    assert codes(caught) == ["sequence_overflow"]


def test_arguments_that_make_no_sense_are_all_named():
    with pytest.raises(InputError) as caught:
        generate_numbers(CHILLER, -1, True, on=DAY)
    assert codes(caught) == ["argument_value", "argument_value"]


def test_the_counter_begins_again_as_the_format_says():
    monthly = NumberFormat(pattern="YYYYMM-NN", reset="monthly")
    assert counter_period(CHILLER, DAY) == "2025"
    assert counter_period(monthly, DAY) == "2025-03"
    assert counter_period(NumberFormat(pattern="NNN"), DAY) == ""


# --- which SKUs ---


def test_the_most_specific_rule_says_how_a_sku_is_tracked():
    rules = NumberRules.loads(
        """
        [formats.chiller]
        pattern = "CM500-YYYY-NNNN"
        reset = "yearly"

        [[tracking]]
        track = "lot"
        [[tracking]]
        sku_group = "boards"
        track = "both"
        [[tracking]]
        sku = "CM500"
        track = "serial"
        format = "chiller"
        generate = true
        """
    )
    assert [rules.rule_of(*key).track for key in (("CM500", "boards"), ("B1", "boards"), ("X", None))] == [
        "serial",
        "both",
        "lot",
    ]
    assert rules.format_of("CM500") == CHILLER
    assert rules.format_of("X") is None
    assert NumberRules().rule_of("X").track == "none"
    assert NumberRules.loads(rules.dumps("yaml"), "yaml") == rules


def test_rules_that_contradict_each_other_are_all_reported():
    with pytest.raises(PolicyError) as caught:
        NumberRules(
            tracking=[
                {"track": "serial", "format": "missing"},
                {"track": "lot"},
                {"track": "lot", "format": "missing"},
                {"track": "serial", "generate": True},
                {"track": "serial", "sku": "A", "sku_group": "G"},
            ]
        )
    assert sorted(codes(caught)) == ["setting_conflict"] * 3
    with pytest.raises(PolicyError) as caught:
        NumberRules(tracking=[{"track": "serial", "format": "missing"}, {"track": "lot"}])
    assert [(p.code, p.column) for p in caught.value.problems] == [
        ("format_unknown", "tracking.0.format"),
        ("setting_twice", "tracking.1"),
    ]
