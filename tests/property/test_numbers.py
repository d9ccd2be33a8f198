"""What is made can be read back, ranges are what counting gives, and check digits are those of the standards."""

import datetime as dt

import stdnum.ean
import stdnum.imei
import stdnum.luhn
import stdnum.mac
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.iso7064 import mod_11_2, mod_11_10, mod_37_2, mod_37_36, mod_97_10

from allocator.model.number import NumberFormat
from allocator.numbers import (
    check_identifiers,
    check_numbers,
    counter_period,
    expand_ranges,
    generate_numbers,
    number_parts,
)

SCHEMES = {
    "luhn": stdnum.luhn.calc_check_digit,
    "gs1_mod_10": stdnum.ean.calc_check_digit,
    "iso7064_mod_11_2": mod_11_2.calc_check_digit,
    "iso7064_mod_11_10": mod_11_10.calc_check_digit,
    "iso7064_mod_37_2": mod_37_2.calc_check_digit,
    "iso7064_mod_37_36": mod_37_36.calc_check_digit,
}
DAYS = st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31))


@st.composite
def formats(draw):
    literal = st.text("ABCXZ0189-/", max_size=6).map(lambda text: f"[{text}]" if text else "")
    sequence = "N" * draw(st.integers(1, 9))
    middle = draw(st.permutations([sequence, draw(st.sampled_from(["YYYY", "YY"])), "MM"]))
    pattern = draw(literal) + draw(st.sampled_from(["", "-", "/", "[Q]"])).join(middle) + draw(literal)
    check = draw(st.none() | st.sampled_from(sorted(SCHEMES)))
    reset = draw(st.sampled_from(["yearly", "monthly", "never"]))
    return NumberFormat(pattern=pattern + ("#" if check else ""), check=check, reset=reset)


@given(formats(), st.data(), DAYS)
@settings(max_examples=60, deadline=None)
def test_what_is_made_is_right_and_says_what_it_was_made_from(number_format, data, on):
    first = data.draw(st.integers(0, number_format.sequence_max))
    count = data.draw(st.integers(0, min(20, number_format.sequence_max - first + 1)))
    numbers = generate_numbers(number_format, first, count, on=on)
    found = number_parts(numbers, number_format)
    assert found["problem"].null_count() == count
    assert found["number"].to_list() == numbers.to_list()
    assert found["sequence"].to_list() == list(range(first, first + count))
    assert set(found["year"]) | set(found["month"]) <= {on.year, on.month}
    assert number_parts(numbers.str.to_lowercase(), number_format).equals(found)
    assert {"yearly": f"{on:%Y}", "monthly": f"{on:%Y-%m}", "never": ""}[number_format.reset] == counter_period(
        number_format, on
    )


@given(formats(), st.data(), DAYS)
@settings(max_examples=40, deadline=None)
def test_a_range_is_every_number_from_the_first_to_the_last(number_format, data, on):
    first = data.draw(st.integers(0, number_format.sequence_max))
    count = data.draw(st.integers(1, min(30, number_format.sequence_max - first + 1)))
    numbers = generate_numbers(number_format, first, count, on=on).to_list()
    assert expand_ranges([f"{numbers[0]} to {numbers[-1]}"], number_format)["number"].to_list() == numbers


@settings(max_examples=50)
@given(st.text("ABZ-/9", max_size=5), st.integers(1, 12), st.integers(0, 10**9), st.integers(0, 40))
def test_a_range_without_a_format_counts_the_digits_at_the_end(head, width, first, count):
    head, first = head.rstrip("9"), first % 10**width
    last = min(first + count, 10**width - 1)
    texts = [f"{head}{n:0{width}}" for n in range(first, last + 1)]
    assert expand_ranges([f"{texts[0]}..{texts[-1]}"])["number"].to_list() == texts


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(SCHEMES)), st.lists(st.integers(0, 10**9 - 1), max_size=20), st.text("AB05-", max_size=8))
def test_check_digits_are_those_of_stdnum(scheme, sequence, head):
    number_format = NumberFormat(pattern=f"[{head}]NNNNNNNNN#", check=scheme)
    known = "0123456789" + ("ABCDEFGHIJKLMNOPQRSTUVWXYZ" if "37" in scheme else "")
    payloads = [f"{head}{n:09}" for n in sequence]
    right = [payload + SCHEMES[scheme]("".join(c for c in payload if c in known)) for payload in payloads]
    assert check_numbers(right, number_format)["problem"].null_count() == len(right)
    made = [generate_numbers(number_format, n, 1, on=dt.date(2026, 1, 1)).item() for n in sequence[:3]]
    assert made == right[:3]
    for digit in "059":
        wrong = [payload + digit for payload, number in zip(payloads, right, strict=True) if number[-1] != digit]
        assert set(check_numbers(wrong, number_format)["problem"]) <= {"check_digit_wrong"}


NEAR_IMEI = st.text("0123456789", min_size=13, max_size=17) | st.integers(10**13, 10**14 - 1).map(
    lambda n: f"{n}{stdnum.luhn.calc_check_digit(str(n))}"
)


@settings(max_examples=50)
@given(st.lists(NEAR_IMEI, max_size=20))
def test_imeis_are_those_of_stdnum(texts):
    right = [stdnum.imei.is_valid(text) and len(text) > 14 and text.strip("0") != "" for text in texts]
    assert check_identifiers(texts, "imei")["problem"].is_null().to_list() == right


@settings(max_examples=50)
@given(st.lists(st.text("0123456789abcdefABCDEF", min_size=12, max_size=12), max_size=20), st.sampled_from(":-"))
def test_addresses_are_those_of_stdnum(texts, separator):
    paired = [separator.join(text[n : n + 2] for n in range(0, 12, 2)) for text in texts]
    right = [int(text[1], 16) % 2 == 0 and set(text) != {"0"} for text in texts]
    found = check_identifiers(paired, "mac")
    assert found["problem"].is_null().to_list() == right
    assert found["identifier"].drop_nulls().to_list() == [
        stdnum.mac.compact(text).upper() for text, good in zip(paired, right, strict=True) if good
    ]


@settings(max_examples=50)
@given(st.lists(st.integers(0, 10**28 - 1), max_size=20), st.booleans())
def test_identifiers_of_sims_are_those_of_stdnum(numbers, right):
    payloads = [f"89{n:028}" for n in numbers]
    texts = [text + mod_97_10.calc_check_digits(text) if right else text + "00" for text in payloads]
    valid = [mod_97_10.is_valid(text) for text in texts]
    assert check_identifiers(texts, "eid")["problem"].is_null().to_list() == valid


@settings(max_examples=50)
@given(st.lists(st.text(max_size=70), max_size=20))
def test_any_text_at_all_gets_an_answer(texts):
    found = check_numbers(texts)
    assert found.height == len(texts)
    numbers = found["number"].drop_nulls().to_list()
    assert all(number.isascii() and number.isprintable() and number == number.strip().upper() for number in numbers)
