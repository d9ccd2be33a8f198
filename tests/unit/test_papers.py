"""Papers are read back as people and scanners would: the text of the PDF, and the codes on its picture."""

from __future__ import annotations

import builtins
import copy
import datetime as dt
from decimal import Decimal
from typing import Any

import pypdfium2 as pdfium
import pytest
import zxingcpp

from allocator.errors import InputError
from allocator.papers import KINDS, render
from allocator.papers.kinds import COLUMNS, WORKED_OUT

STORE = {"name": "North Partner", "code": "ASP-NORTH", "address": ["12 Station Road", "Leeds"], "contact": "+44 113 0"}
CUSTOMER = {"name": "Metro Manufacturing", "address": "Unit 5, Harbour Estate"}
SERIALS = ["CM500-2025-0046", "CM500-2025-0047", "CM500-2025-0048"]
VALUES: dict[str, Any] = {"code": "X-1", "text": "said", "qty": 2, "money": "1.50", "day": "2027-03-01"}


def data(kind: str, lines: list[dict[str, Any]] | None = None, **said: Any) -> dict[str, Any]:
    """A good paper of a kind, with one line that has every column."""
    form = KINDS[kind]
    full = {
        name: VALUES[COLUMNS[name].shows]
        for name in form.columns
        if name not in WORKED_OUT | {"serial"} and COLUMNS[name].shows in VALUES
    }
    paper: dict[str, Any] = {
        "number": "P-2026-000017", "date": dt.date(2026, 11, 22), "issuer": "Precision Components",
        "from": STORE, "to": CUSTOMER, "references": {"Service order": "SO-2025-1245"}, "currency": "EUR",
    }  # fmt: skip
    rows = [full] if lines is None else lines
    rest = {"boxes": [{"number": "BOX-7", "lines": rows, "weight": "6.4 kg"}]} if form.boxed else {"lines": rows}
    return paper | rest | said


def pages(pdf: bytes) -> list[str]:
    document = pdfium.PdfDocument(pdf)
    return [document[n].get_textpage().get_text_bounded().replace("\r\n", "\n") for n in range(len(document))]


def words(pdf: bytes) -> str:
    """The text of all pages, on one line."""
    return " ".join(" ".join(pages(pdf)).split())


def scanned(pdf: bytes, page: int = 0) -> set[tuple[str, str]]:
    """What a scanner reads on a page."""
    picture = pdfium.PdfDocument(pdf)[page].render(scale=3, grayscale=True).to_numpy()
    return {
        (str(code.format).rpartition(".")[2].replace(" ", ""), code.text) for code in zxingcpp.read_barcodes(picture)
    }


def problems(kind: str, given: Any) -> set[tuple[str, str, int | None]]:
    with pytest.raises(InputError) as refused:
        render(kind, given)
    assert {problem.table for problem in refused.value.problems} <= {kind, ""}
    return {(problem.code, problem.column, problem.row) for problem in refused.value.problems}


@pytest.mark.parametrize("kind", KINDS)
class TestEveryPaper:
    def test_says_who_what_and_which_number_and_both_codes_hold_the_number(self, kind: str) -> None:
        pdf = render(kind, data(kind))
        said = words(pdf)
        assert all(text in said for text in ("P-2026-000017", "North Partner", "Metro Manufacturing", "X-1"))
        number = "BOX-7" if kind == "box_label" else "P-2026-000017"
        assert scanned(pdf) == {("QRCode", number), ("Code128", number)}

    def test_is_the_same_to_the_byte_for_the_same_data(self, kind: str) -> None:
        assert render(kind, data(kind)) == render(kind, copy.deepcopy(data(kind)))

    def test_changes_nothing_of_what_it_is_given(self, kind: str) -> None:
        given = data(kind)
        before = copy.deepcopy(given)
        render(kind, given)
        assert given == before

    def test_names_every_column_that_it_needs_and_lacks(self, kind: str) -> None:
        at = {("setting_missing", name, 0) for name in KINDS[kind].needs}
        assert problems(kind, data(kind, [{"name": "a part"}])) == at

    def test_says_all_that_is_missing_at_once(self, kind: str) -> None:
        lines = "boxes" if KINDS[kind].boxed else "lines"
        needed = ("number", "date", "issuer", "from", "to", lines)
        assert problems(kind, {}) == {("setting_missing", name, None) for name in needed}


class TestWhatMustBeSeenFirst:
    def test_a_challan_tells_where_and_when_parts_come_back(self) -> None:
        said = words(render("delivery_challan", data("delivery_challan", reverse="RDC-17", due_on="2026-12-06")))
        assert "COMES BACK ON RDC-17" in said
        assert "BACK BY 2026-12-06" in said

    def test_a_receipt_adds_up_its_differences_by_what_they_are(self) -> None:
        lines = [
            {"sku": "valve", "shipped": 10, "received": 10, "accepted": 10},
            {"sku": "pump", "serial": "P-1", "shipped": 1, "received": 0, "accepted": 0},
            {"sku": "seal", "shipped": 1200, "received": 1198, "damaged": 3, "accepted": 1195},
            {"sku": "fan", "shipped": 0, "received": 2, "wrong": 2, "accepted": 0},
        ]
        said = words(render("goods_receipt", data("goods_receipt", lines)))
        assert "DIFFERENCES 3 short, 3 damaged, 2 wrong part" in said
        assert "ACCEPTED 1205" in said

    def test_a_receipt_without_differences_says_so(self) -> None:
        lines = [{"sku": "valve", "shipped": 10, "received": 10, "accepted": 10}]
        assert "DIFFERENCES none" in words(render("goods_receipt", data("goods_receipt", lines)))

    def test_quantities_of_different_units_are_never_added(self) -> None:
        lines = [{"place": "A-1", "sku": "cable", "qty": "33.60", "unit": "m"},
                 {"place": "A-2", "sku": "pump", "serial": SERIALS, "qty": 3, "unit": "pcs"}]  # fmt: skip
        said = words(render("pick_list", data("pick_list", lines)))
        assert "PLACES 2 QUANTITY 33.60 m, 3 pcs" in said
        assert all(serial in said for serial in SERIALS)

    def test_a_packing_list_and_its_labels_tell_each_box(self) -> None:
        boxes = [{"number": f"BOX-{n}", "dimensions": "400 x 300 x 200 mm", "packed_by": "Lisa",
                  "lines": [{"sku": "pump", "serial": SERIALS[n], "qty": 1}]} for n in range(3)]  # fmt: skip
        said = words(render("packing_list", data("packing_list", boxes=boxes)))
        assert "Box 2 of 3 BOX-1 400 x 300 x 200 mm packed by Lisa 2 pump CM500-2025-0047" in said
        labels = render("box_label", data("box_label", boxes=boxes))
        assert len(pages(labels)) == 3
        assert "2 / 3" in pages(labels)[1]
        assert scanned(labels, 1) == {("QRCode", "BOX-1"), ("Code128", "BOX-1")}


class TestExact:
    def test_money_is_never_rounded(self) -> None:
        lines = [{"sku": "a", "qty": 12, "rate": Decimal("4.255")}, {"sku": "b", "qty": "33.60", "rate": "0.89"},
                 {"sku": "c", "qty": 100_000, "rate": 125}]  # fmt: skip
        said = words(render("delivery_challan", data("delivery_challan", lines))).replace("\u202f", " ")
        assert "VALUE 12 500 080.964 EUR" in said
        for text in ("4.255 51.06", "0.89 29.904", "125.00 12 500 000.00"):
            assert text in said

    def test_the_first_and_the_last_digit_of_a_large_quantity_are_there(self) -> None:
        lines = [{"place": "A-1", "sku": "screw", "qty": 9_223_372_036_854_775_807}]
        assert "9 223 372 036 854 775 807" in words(render("pick_list", data("pick_list", lines))).replace(
            "\u202f", " "
        )

    @pytest.mark.parametrize("qty", [1.5, True, float("nan"), "1e999999", "NaN", -1, "1,5", "٣", "1_0", [], 10**40])
    def test_what_is_no_exact_quantity_is_refused(self, qty: Any) -> None:
        told = problems("pick_list", data("pick_list", [{"place": "A-1", "sku": "a", "qty": qty}]))
        assert {(column, row) for _, column, row in told} == {("qty", 0)}


class TestHostileTexts:
    @pytest.mark.parametrize("text", ["#panic()", "*b* $x^2$ <l> @ref", "\\", "`raw`", "// gone", '"q" \\u{7}', "]]]",
                                      '#read("/etc/hosts")', "{{ 7 * 7 }}"])  # fmt: skip
    def test_markup_is_text(self, text: str) -> None:
        paper = data("pick_list", [{"place": "A-1", "sku": "a", "name": text, "qty": 1}], note=text, issuer=text)
        assert words(render("pick_list", paper)).count(" ".join(text.split())) >= 3

    def test_a_mark_that_turns_the_direction_of_a_serial_is_shown(self) -> None:
        lines = [{"place": "A-1", "sku": "a", "serial": "SN-12\u202e43", "qty": 1}]
        assert "SN-12\ufffd43" in words(render("pick_list", data("pick_list", lines)))

    def test_hebrew_and_arabic_names_are_there(self) -> None:
        paper = data("pick_list", to={"name": "שלום", "address": ["عربي"]})
        said = words(render("pick_list", paper))
        assert "שלום" in said
        assert "עربي"[1:] in said or "\ufe8e" not in said

    def test_a_word_of_five_hundred_letters_stays_on_the_paper(self) -> None:
        paper = data("packing_list", [{"sku": "S" * 500, "name": "N" * 500, "qty": 1}])
        pdf = render("packing_list", paper)
        assert words(pdf).count("S") > 490
        for page in pdfium.PdfDocument(pdf):
            ink = page.render(scale=1, grayscale=True).to_numpy()
            assert (ink[:, -30:] > 250).all(), "something ran over the right margin"

    def test_nul_control_characters_and_lone_surrogates(self) -> None:
        assert problems("pick_list", data("pick_list", note="a\0b")) == {("text_nul", "note", None)}
        assert "a\ufffdb" in words(render("pick_list", data("pick_list", note="a\ud800b")))

    def test_a_number_that_no_barcode_can_hold_is_refused(self) -> None:
        for number in ("Ä-1", "A\n1", " A", "A" * 65):
            assert {c for _, c, _ in problems("pick_list", data("pick_list", number=number))} == {"number"}


class TestWrongData:
    def test_a_field_that_does_not_exist_is_named_with_the_nearest(self) -> None:
        with pytest.raises(InputError, match="Did you mean 'serial'"):
            render("pick_list", data("pick_list", [{"place": "A-1", "sku": "a", "serail": "x", "qty": 1}]))

    def test_no_such_paper(self) -> None:
        with pytest.raises(InputError, match="Did you mean 'pick_list'"):
            render("pick_lst", {})

    def test_serials_and_quantity_must_agree(self) -> None:
        told = problems("pick_list", data("pick_list", [{"place": "A", "sku": "a", "serial": SERIALS, "qty": 2}]))
        assert told == {("serial_quantity", "serial", 0)}

    def test_more_cannot_be_accepted_than_received(self) -> None:
        lines = [{"sku": "a", "shipped": 2, "received": 1, "accepted": 2}]
        assert problems("goods_receipt", data("goods_receipt", lines)) == {("qty_out_of_range", "accepted", 0)}

    def test_rates_are_for_all_lines_or_none_and_in_a_currency(self) -> None:
        lines = [{"sku": "a", "qty": 1, "rate": 1}, {"sku": "b", "qty": 1}]
        told = problems("delivery_challan", data("delivery_challan", lines, currency=""))
        assert told == {("value_null", "rate", 1), ("setting_missing", "currency", None)}

    def test_two_boxes_of_one_number(self) -> None:
        box = {"number": "BOX-1", "lines": [{"sku": "a", "qty": 1}]}
        assert problems("packing_list", data("packing_list", boxes=[box, box])) == {("id_duplicate", "boxes.number", 1)}

    @pytest.mark.parametrize("given", [None, [], "text", 7, {"lines": 5}, {"from": "me"}, {"date": "yesterday"},
                                       {"references": [1]}, {"lines": [None]}])  # fmt: skip
    def test_what_is_no_paper_at_all(self, given: Any) -> None:
        assert problems("pick_list", given)

    def test_too_many_lines(self) -> None:
        line = {"place": "A-1", "sku": "a", "qty": 1}
        assert problems("pick_list", data("pick_list", [line] * 20_001)) == {("too_many_rows", "lines", None)}

    def test_the_extra_that_is_not_installed_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = builtins.__import__

        def without(name: str, *args: Any, **kwargs: Any) -> Any:
            if name == "segno":
                raise ImportError(name)
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(InputError, match=r"extra_missing.*allocator\[documents\]"):
            render("pick_list", data("pick_list"))


def test_the_head_of_the_lines_and_the_page_number_are_on_every_page() -> None:
    lines = [{"place": f"A-{n:03}", "sku": "pump", "serial": f"P-{n}", "qty": 1} for n in range(200)]
    told = pages(render("pick_list", data("pick_list", lines)))
    assert len(told) > 3
    for n, page in enumerate(told, start=1):
        assert f"Page {n} of {len(told)}" in page
        assert all(word in page for word in ("Place", "Serial", "Picked", "P-2026-000017"))
    assert all(f"P-{n}\n" in "\n".join(told) or f"P-{n} " in "\n".join(told) for n in range(200))


def test_the_qr_code_can_hold_a_link() -> None:
    link = "https://stock.example/challans/P-2026-000017?x=ü"
    assert ("QRCode", link) in scanned(render("pick_list", data("pick_list", code=link)))


@pytest.mark.slow
def test_ten_thousand_lines_are_one_paper() -> None:
    lines = [{"place": f"A-{n}", "sku": "pump", "serial": f"P-{n:05}", "qty": 1} for n in range(10_000)]
    told = pages(render("pick_list", data("pick_list", lines)))
    assert f"Page {len(told)} of {len(told)}" in told[-1]
    text = "\n".join(told)
    assert all(f"P-{n:05}" in text for n in range(10_000))
