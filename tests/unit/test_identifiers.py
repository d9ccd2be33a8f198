"""Identifiers of devices and products, and what a scanned label says (OS-3, WD-10)."""

import csv
import datetime as dt
import os
from pathlib import Path

import polars as pl
import pytest

from allocator.errors import InputError
from allocator.numbers import check_identifiers, read_labels

TODAY = dt.date(2026, 3, 1)
BARCODES = "ALLOCATOR_BARCODES"
"""The environment variable that names a folder with vectors of GS1 (`gs1_syntax_engine_vectors.csv`)."""


def checked(text, kind):
    return check_identifiers([text], kind).row(0)


def label(text, on=TODAY):
    return {key: value for key, value in read_labels([text], on=on).row(0, named=True).items() if value is not None}


@pytest.mark.parametrize(
    ("text", "kind", "spelled"),
    [
        ("352099001761481", "imei", "352099001761481"),
        ("35-209900-176148-1", "imei", "352099001761481"),
        ("35 209900 176148 1", "imei", "352099001761481"),
        ("3520990017614823", "imei", "3520990017614823"),
        ("00:1a:2b:3c:4d:5e", "mac", "00:1A:2B:3C:4D:5E"),
        ("00-1A-2B-3C-4D-5E", "mac", "00:1A:2B:3C:4D:5E"),
        ("001a.2b3c.4d5e", "mac", "00:1A:2B:3C:4D:5E"),
        ("001A2B3C4D5E", "mac", "00:1A:2B:3C:4D:5E"),
        ("89049032123451234512345678901235", "eid", "89049032123451234512345678901235"),
        ("96385074", "gtin", "00000096385074"),
        ("9520123456788", "gtin", "09520123456788"),
    ],
)
def test_an_identifier_has_one_spelling(text, kind, spelled):
    assert checked(text, kind) == (spelled, None)


@pytest.mark.parametrize(
    ("text", "kind", "fault"),
    [
        ("352099001761482", "imei", "check_digit_wrong"),
        ("352099001764181", "imei", "check_digit_wrong"),
        ("35209900176148", "imei", "identifier_malformed"),
        ("35209900176148123", "imei", "identifier_malformed"),
        ("35209900176148A", "imei", "identifier_malformed"),
        ("35--209900-176148-1", "imei", "identifier_malformed"),
        ("352099001761481 ", "imei", "number_blank"),
        ("35209900176148\u0661", "imei", "number_not_ascii"),
        ("000000000000000", "imei", "identifier_reserved"),
        ("00:1A-2B:3C:4D:5E", "mac", "identifier_malformed"),
        ("00:1A:2B:3C:4D", "mac", "identifier_malformed"),
        ("00:1A:2B:3C:4D:5G", "mac", "identifier_malformed"),
        ("FF:FF:FF:FF:FF:FF", "mac", "identifier_reserved"),
        ("01:00:5E:00:00:01", "mac", "identifier_reserved"),
        ("00:00:00:00:00:00", "mac", "identifier_reserved"),
        ("89049032123451234512345678901253", "eid", "check_digit_wrong"),
        ("19049032123451234512345678901235", "eid", "identifier_malformed"),
        ("9520123456789", "gtin", "check_digit_wrong"),
        ("952012345678", "gtin", "check_digit_wrong"),
        ("95201234567", "gtin", "identifier_malformed"),
        (None, "gtin", "value_null"),
        ("", "mac", "value_empty"),
    ],
)
def test_what_is_no_identifier_is_said_to_be_none(text, kind, fault):
    assert checked(text, kind) == (None, fault)


def test_good_and_bad_identifiers_of_one_column_keep_their_rows():
    texts = ["352099001761482", "352099001761481", None, "000000000000000", "3520990017614823"]
    found = check_identifiers(texts, "imei")
    assert found["identifier"].to_list() == [None, "352099001761481", None, None, "3520990017614823"]
    assert check_identifiers([], "mac").height == 0


def test_a_kind_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="imei, mac, eid, gtin"):
        check_identifiers(["1"], "imsi")


# --- labels ---


def scan(text):
    """A vector as a scanner gives it: `^` is FNC1, except where there are brackets."""
    return text if text.startswith("(") else text.replace("^", "\x1d")


SAID = {"gtin": "09520123456788", "lot": "ABC", "serial": "S1", "expires_on": dt.date(2026, 12, 31)}


@pytest.mark.parametrize(
    "text",
    [
        "010952012345678810ABC\x1d1726123121S1",
        "]C1010952012345678810ABC\x1d1726123121S1",
        "]d2\x1d010952012345678810ABC\x1d1726123121S1\x1d",
        "]Q30109520123456788" + "21S1\x1d17261200" + "10ABC",
        "(01)09520123456788(10)ABC(17)261231(21)S1",
        "https://id.gs1.org/01/09520123456788/10/ABC/21/S1?17=261231",
        "HTTPS://example.com/some/path/01/9520123456788/10/ABC/21/S1?17=261231&color=red",
    ],
)
def test_every_way_to_write_a_label_says_the_same(text):
    assert label(text) == SAID


def test_dates_and_shipping_units_are_read_too():
    assert label("(00)395201234567890123(11)260101(15)260228") == {
        "sscc": "395201234567890123",
        "made_on": dt.date(2026, 1, 1),
        "best_before_on": dt.date(2026, 2, 28),
    }


def test_the_century_comes_from_the_day_that_is_given_and_never_from_the_clock():
    assert label("(17)500101")["expires_on"] == dt.date(2050, 1, 1)
    assert label("(17)770101")["expires_on"] == dt.date(1977, 1, 1)
    assert label("(17)770101", dt.date(2027, 1, 1))["expires_on"] == dt.date(2077, 1, 1)
    assert label("(17)240200")["expires_on"] == dt.date(2024, 2, 29)
    assert label("(17)990101", dt.date(2101, 1, 1))["expires_on"] == dt.date(2099, 1, 1)


@pytest.mark.parametrize("text", ["96385074", "9520123456788", "]E09520123456788", "]E496385074", "09520123456788"])
def test_a_plain_product_code_is_a_label_too(text):
    assert label(text)["gtin"].lstrip("0") in {"96385074", "9520123456788"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("0109520123456789", "label_check_digit"),
        ("(01)09520123456789(10)A", "label_check_digit"),
        ("9520123456789", "label_check_digit"),
        ("(17)261301", "label_malformed"),
        ("(17)260230", "label_date"),
        ("(17)250229", "label_date"),
        ("(10)A(10)B", "label_contradiction"),
        ("0109520123456788 10ABC", "label_malformed"),
        ("(01)0952012345678", "label_malformed"),
        ("(01)09520123456788 (10)ABC", "label_malformed"),
        ("hello", "label_malformed"),
        ("]C1", "label_malformed"),
        ("https://example.com/", "label_malformed"),
        ("https://[/01/09520123456788", "label_malformed"),
        ("10A\0", "label_malformed"),
        ("10\u0410", "label_malformed"),
        ("10A" * 10_000, "label_malformed"),
        ("", "value_empty"),
        (None, "value_null"),
    ],
)
def test_a_label_that_says_nothing_certain_says_nothing(text, fault):
    assert label(text) == {"problem": fault}


def test_the_same_label_may_be_scanned_many_times():
    column = pl.Series(["(10)A", None, "(10)B", "(10)A", None])
    found = read_labels(column, on=TODAY)
    assert found["lot"].to_list() == ["A", None, "B", "A", None]
    assert read_labels([], on=TODAY).columns == found.columns


def test_today_is_a_date():
    with pytest.raises(InputError) as caught:
        read_labels(["(10)A"], on=dt.datetime(2026, 1, 1))
    assert caught.value.code == "argument_type"


def test_the_vectors_of_gs1_are_read_as_gs1_reads_them():
    if BARCODES not in os.environ:
        pytest.skip(f"{BARCODES} does not name a folder with the vectors of GS1's syntax engine")
    with (Path(os.environ[BARCODES]) / "gs1_syntax_engine_vectors.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kinds = ("unbracketed_ai(^=FNC1)", "bracketed_ai")
    rows = [row for row in rows if row["kind"] in kinds and "\\(" not in row["input"]]
    found = read_labels([scan(row["input"]) for row in rows], on=TODAY)["problem"].is_null()
    wrong = [row["input"] for row, right in zip(rows, found, strict=True) if right != (row["valid"] == "true")]
    # biip knows nothing of what is inside these: 7007 is two dates, 8003 a serial of an asset; `99…` lacks its FNC1.
    assert [text for text in wrong if text[:5] not in ("^7007", "^8003") and text != "991234"] == []
    assert len(rows) > 90
