"""A recall names lots, serials and dates in free text; the units that it hits are found (SN-19)."""

import datetime as dt

import polars as pl
import pytest

from allocator.errors import InputError
from allocator.numbers import match_recall, parse_recall


def read(text):
    return parse_recall([text]).select("kind", "first", "last").rows()


def days(text):
    return parse_recall([text]).select("kind", "first_on", "last_on").rows()


def d(text):
    return dt.date.fromisoformat(text)


# --- reading ---


@pytest.mark.parametrize(
    ("text", "lots"),
    [
        ("Lot codes: 72741", ["72741"]),
        ("LOT # Q10-1 & Q20-1", ["Q10-1", "Q20-1"]),
        ("lot numbers AB12, AB13 and AB14.", ["AB12", "AB13", "AB14"]),
        ("Batch No - CK27K Lot No - WO02S", ["CK27K", "WO02S"]),
        ("0701-1, 0702-2", ["0701-1", "0702-2"]),
        ("1 lb. lots P81, P82  4 oz. lot P83", ["P81", "P82", "P83"]),
        ("a) Lot #: 90A1, Exp 09/26; b) 90B2, Exp 10/26", ["90A1", "90B2"]),
        ("1082, 1087/1086", ["1082", "1087", "1086"]),
        ("Lot Code: 05-30-26-3A1W 06-01-26-3B1W", ["05-30-26-3A1W", "06-01-26-3B1W"]),
        ("Lot Number: 30.05.2026 Best By 05/2027", ["30.05.2026"]),
    ],
)
def test_lots_are_found_however_they_are_listed(text, lots):
    assert [first for kind, first, _ in read(text) if kind == "lot"] == lots


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("Lot Number: 07110002 thru 07110009", ("lot", "07110002", "07110009")),
        ("Z324-Z350", ("lot", "Z324", "Z350")),
        ("Serial numbers SN0100 through SN0200", ("serial", "SN0100", "SN0200")),
        ("Units: W010 to W019", ("serial", "W010", "W019")),
    ],
)
def test_a_range_is_one_row(text, row):
    assert read(text) == [row]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("Best By 04/23/2026", ("expiry", d("2026-04-23"), d("2026-04-23"))),
        ("EXP: 23APR2026", ("expiry", d("2026-04-23"), d("2026-04-23"))),
        ("Use By: Apr/ 23/ 2026", ("expiry", d("2026-04-23"), d("2026-04-23"))),
        ("expires 2026-04-23", ("expiry", d("2026-04-23"), d("2026-04-23"))),
        ("Sell by 23/04/26", ("expiry", d("2026-04-23"), d("2026-04-23"))),
        ("Exp. 02/28", ("expiry", d("2028-02-01"), d("2028-02-29"))),
        ("Best before August 2026 to May 2027", ("expiry", d("2026-08-01"), d("2027-05-31"))),
        ("Sell by 8/9/2026-8/12/2026", ("expiry", d("2026-08-09"), d("2026-08-12"))),
        ("Best by dates between June 16, 2026 and April 16, 2027", ("expiry", d("2026-06-16"), d("2027-04-16"))),
        ("Use by 1/12/26 and earlier", ("expiry", None, d("2026-01-12"))),
        ("Use by dates before 1/12/26", ("expiry", None, d("2026-01-11"))),
        ("Used by or before 1/12/26", ("expiry", None, d("2026-01-12"))),
        ("packed on April 23, 2026, or later", ("made", d("2026-04-23"), None)),
        ("sold from 2-1-2026 to 12-31-2026", ("traded", d("2026-02-01"), d("2026-12-31"))),
        ("Best by May 17", ("expiry", None, None)),
        ("Best by 13/13/2026", ("expiry", None, None)),
    ],
)
def test_dates_are_read_as_people_write_them(text, row):
    assert days(text) == [row]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("All lots", ["all"]),
        ("UPC: 0 09933 60030 8", ["product"]),
        ("No codes.", ["none"]),
        ("N/A", ["none"]),
        ("", []),
        ("numbers as given by the wholesaler", ["not_understood"]),
    ],
)
def test_everything_and_nothing_are_told_apart(text, kinds):
    assert [kind for kind, *_ in read(text)] == kinds


def test_a_row_says_where_in_the_text_it_stands_and_how_sure_it_is():
    text = "Lot A1, then perhaps B2"
    found = parse_recall([None, text])
    assert found["row"].to_list() == [1, 1, 1]
    assert found["confidence"].to_list() == ["high", None, "medium"]
    assert [text[start:end] for start, end in found.select("start", "end").iter_rows()] == found["text"].to_list()


def test_all_that_is_limited_is_not_certain():
    assert parse_recall(["All lots distributed between May 1, 2026 and May 9, 2026"])["confidence"][0] == "low"


def test_no_number_of_a_text_is_dropped():
    text = "Case 12 oz of 3 X9 (Y8/77) lot Q-1 exp 1/1/27 #55 12:30 PM  upc 1 2 3"
    covered = set()
    for start, end in parse_recall([text]).select("start", "end").iter_rows():
        covered |= set(range(start, end))
    assert not [text[place:] for place, character in enumerate(text) if character.isdigit() and place not in covered]


def test_a_long_text_is_read_in_time_and_an_endless_one_refused():
    for piece in ("a.", "5 ", "1-", "Lot A1, "):
        parse_recall([(piece * 10_000)[:20_000]])
    with pytest.raises(InputError) as caught:
        parse_recall(["x", "A1 " * 40_000])
    assert [(p.code, p.row) for p in caught.value.problems] == [("text_too_long", 1)]


# --- matching ---

UNITS = pl.DataFrame(
    {
        "sku": ["A", "A", "B", "A", "A", None],
        "lot": ["q-106", "Q111", "Q105", None, "B7", "X"],
        "serial": [None, "S0007", "S0008", "S00008", None, "s 0009"],
        "expires_on": [None, d("2026-05-31"), None, d("2026-05-01"), d("2027-01-01"), None],
        "holder": list("abcdef"),
    }
)


def hit(text, **about):
    recall = parse_recall([text]).with_columns(**{name: pl.lit(value) for name, value in about.items()})
    found = match_recall(UNITS, recall)
    return {row["holder"]: row["certain"] for row in found.iter_rows(named=True)}


def test_lots_are_the_same_whatever_is_between_their_characters():
    assert hit("Lots Q106, B-7") == {"a": True, "e": True}


def test_a_range_hits_what_has_as_many_digits():
    assert hit("Lots Q105 through Q110") == {"a": True, "c": True}
    assert hit("Serial numbers S0001 to S0009") == {"b": True, "c": True, "f": True}


def test_a_recall_of_one_sku_leaves_the_others():
    assert hit("Lots Q105 through Q110", sku="A") == {"a": True}
    assert hit("all lots", sku="B") == {"c": True}


def test_everything_is_everything():
    assert hit("all lots") == dict.fromkeys("abcdef", True)
    assert set(hit("All lots sold in May").values()) == {False}


def test_dates_hit_for_certain_only_where_no_lot_is_named():
    assert hit("Best by May 2026") == {"b": True, "d": True}
    assert hit("Best by 5/1/2026 and earlier") == {"d": True}
    assert hit("Lot Q111, best by May 2026") == {"b": True, "d": False}


def test_what_names_no_unit_hits_none():
    assert hit("UPC 12345678; sold on 1/1/2026; see the notice") == {}
    assert match_recall(UNITS, parse_recall([])).height == 0
    assert match_recall(UNITS.clear(), parse_recall(["all lots"])).height == 0


def test_overlapping_ranges_hit_what_any_of_them_holds():
    text = "Lots: Q100 to Q109, Q101 to Q102, Q104 to Q112, Q103 to Q105"
    units = pl.DataFrame({"lot": [f"Q{n}" for n in range(95, 120)]})
    assert match_recall(units, parse_recall([text]))["lot"].to_list() == [f"Q{n}" for n in range(100, 113)]


def test_tables_that_do_not_fit_are_refused_with_every_reason():
    recall = parse_recall(["Lots Q105 through Q110"])
    with pytest.raises(InputError) as caught:
        match_recall(
            UNITS.drop("sku").with_columns(certain=True, lot=1), recall.drop("kind").with_columns(sku=pl.lit("A"))
        )
    assert sorted(problem.code for problem in caught.value.problems) == [
        "column_missing",
        "column_missing",
        "column_reserved",
        "column_type",
    ]
    with pytest.raises(InputError) as caught:
        match_recall(UNITS, recall.with_columns(last=pl.lit("R110")))
    assert [(p.code, p.row) for p in caught.value.problems] == [("range_ends_differ", 0)]
