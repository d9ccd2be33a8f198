"""The whole life of a unit, of a lot, of a document and of an order, by any number, then and now, on both stores."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

import polars as pl
import pytest

from allocator.errors import InputError
from allocator.ledger import Ledger
from allocator.ledger.history import BY, PLACED
from allocator.ledger.store import Session
from allocator.ledger.store.base import Params, Row
from ledger_stores import TODAY, receive, shop

__all__ = ["shop"]


def life(ledger: Ledger) -> list[int]:
    """One gauge from receipt to its customer, with all that can happen to it; the numbers of the transactions."""
    post = ledger.post
    seqs = [
        receive(ledger, {"sku": "gauge", "serial": "G-1", "location": "dock", "attributes": {"firmware": "2.1"},
                         "numbers": {"mac": "00:B0:D0:63:C2:26"}}, details={"sodo": "4711", "request": "PR-9"}),
        post("move", {"serial": "G-1", "to_location": "shelf"}, actor="ana"),
        post("note", {"serial": "G-1", "event": "calibration", "note": "within 0.1 %"}, actor="cal", document="CERT-1"),
        post("renumber", {"serial": "G-1", "new_serial": "G-1A"}, reason="label unreadable", actor="ana"),
        post("block", {"serial": "G-1A"}, reason="quality", actor="qa"),
        post("unblock", {"serial": "G-1"}, reason="quality", actor="qa"),
        post("note", {"serial": "G-1A", "attributes": {"firmware": "2.2"}}, actor="cal"),
    ]  # fmt: skip
    answer = ledger.reserve([{"line_id": "L1", "order_id": "O1", "sku": "gauge", "qty": 1}], actor="bob", as_of=TODAY)
    promise = {"allocation_id": answer["lines"][0]["allocations"][0]["allocation_id"]}
    seqs += [
        answer["seq"],
        post("pick", promise, actor="pip"),
        post("ship", promise | {"to_holder": "carrier"}, document="DC-1", actor="pip"),
        post("deliver", {"serial": "G-1A", "to_holder": "customer 7"}, actor="carrier"),
        post("invoice", {"serial": "G-1A"}, document="INV-1", actor="bob"),
        post("note", {"serial": "G-1A", "event": "contact", "note": "asked for the manual"}, actor="cara"),
    ]
    return seqs


def test_the_history_of_a_unit_has_every_event_in_order_under_all_its_numbers(shop: Ledger) -> None:
    seqs = life(shop)
    told = shop.history("G-1A")
    assert told["seq"].to_list() == seqs
    assert told["event"].to_list() == [
        "created", "move", "service", "renumber", "status", "status", "note", "allocation", "pick", "transaction",
        "transaction", "transaction", "contact",
    ]  # fmt: skip
    assert told["serial"].to_list() == ["G-1"] * 3 + ["G-1A"] * 10
    assert shop.history("G-1").equals(told), "the former number finds the same unit"
    assert shop.history("00:B0:D0:63:C2:26").equals(told), "and so does any other number that it has"


def test_each_event_says_when_who_what_was_before_and_after_by_which_document_and_why(shop: Ledger) -> None:
    life(shop)
    rows = shop.history("G-1").rows(named=True)
    move, service, block, ship = rows[1], rows[2], rows[4], rows[9]
    assert (move["location_before"], move["location_after"], move["actor"]) == ("dock", "shelf", "ana")
    assert (service["subject"], service["note"], service["document"]) == ("calibration", "within 0.1 %", "CERT-1")
    assert (block["blocks_before"], block["blocks_after"], block["reason"]) == (None, "quality", "quality")
    assert (ship["status_before"], ship["status_after"]) == ("Picked", "Shipped")
    assert (ship["kind_before"], ship["kind_after"], ship["holder_after"]) == ("stock", "transit", "carrier")
    assert (ship["line_id"], ship["qty"], ship["unreserved"], ship["reserved"]) == ("L1", 1, 1, 0)
    assert all(row["at"].tzinfo is not None and row["actor"] for row in rows)


def test_each_event_tells_the_serial_of_its_time_whatever_is_told_beside_it(shop: Ledger) -> None:
    seqs = life(shop)
    assert shop.history("G-1", until=seqs[2])["serial"].to_list() == ["G-1"] * 3
    assert shop.history(document="CERT-1")["serial"].to_list() == ["G-1"]
    assert shop.history(document="INV-1")["serial"].to_list() == ["G-1A"]
    assert shop.history(line_id="L1")["serial"].to_list() == ["G-1A"] * 3
    receive(shop, {"sku": "monitor", "lot": "M", "serial": "P-1", "location": "dock"}, document="GRN-2")
    receive(shop, {"sku": "monitor", "lot": "M", "serial": "P-2", "location": "dock"}, document="GRN-3")
    shop.post("renumber", {"serial": "P-2", "new_serial": "P-3"}, reason="label unreadable", actor="ana")
    assert shop.history(lot="M")["serial"].to_list() == ["P-1", "P-2", "P-3"]


def test_a_history_has_the_same_columns_and_types_whatever_it_tells(shop: Ledger) -> None:
    life(shop)
    told = shop.history("G-1")
    numbers = dict.fromkeys(("seq", "qty", "reserved", "unreserved", "reverses"), pl.Int64)
    types = numbers | {"at": pl.Datetime("us", "UTC"), "day": pl.Date}
    names = (
        *("seq", "at", "day", "event", "type", "subject", "sku", "lot", "serial", "qty", "reserved", "unreserved"),
        *("line_id", *(f"{name}_before" for name in PLACED), *(f"{name}_after" for name in PLACED), "actor", "role"),
        *("approved_by", "document_kind", "document", "reason", "note", "details", "references", "reverses"),
    )
    assert list(told.schema.items()) == [(name, types.get(name, pl.String)) for name in names]
    receive(shop, {"sku": "oil", "lot": "A", "qty": Decimal("2.50"), "location": "tank"}, document="GRN-1")
    nothing, mixed = shop.history(document="no such"), shop.history(document="GRN-1")
    assert nothing.is_empty() and nothing.schema == told.schema
    exact = dict.fromkeys(("qty", "reserved", "unreserved"), pl.Decimal(38, 2))
    assert mixed.schema == told.schema | exact
    assert mixed["qty"].to_list() == [Decimal("1.00"), Decimal("2.50")]


def test_a_unit_is_looked_up_by_as_few_statements_as_it_takes(shop: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    life(shop)
    receive(shop, {"sku": "gauge", "serial": "G-2", "location": "dock"}, document="GRN-2")
    asked: list[str] = []
    read = shop.store.session_type.rows

    def rows(session: Session, sql: str, params: Params | None = None) -> list[Row]:
        asked.append(sql)
        return read(session, sql, params)

    monkeypatch.setattr(shop.store.session_type, "rows", rows)
    for question, statements in ((shop.history, 2), (shop.state, 4)):
        asked.clear()
        question("G-2")
        assert len(asked) == statements, asked


def test_the_state_of_a_unit_is_known_at_every_past_moment(shop: Ledger) -> None:
    seqs = life(shop)
    at = {seq: shop.state("G-1", at=seq) for seq in seqs}
    assert (at[seqs[0]]["serial"], at[seqs[0]]["location"], at[seqs[0]]["attributes"]) == (
        "G-1",
        "dock",
        {"firmware": "2.1"},
    )
    assert (at[seqs[3]]["serial"], at[seqs[3]]["serials_before"]) == ("G-1A", ["G-1"])
    assert at[seqs[4]]["blocks"] == "quality" and at[seqs[5]]["blocks"] is None
    assert at[seqs[7]]["line_id"] == "L1" and at[seqs[10]]["line_id"] is None
    now = shop.state("G-1A")
    assert now == at[seqs[-1]]
    assert (now["owner"], now["holder"], now["attributes"], now["numbers"]) == (
        "customer 7",
        "customer 7",
        {"firmware": "2.2"},
        {"mac": "00:B0:D0:63:C2:26"},
    )
    for event, row in zip(shop.history("G-1").rows(named=True), at.values(), strict=True):
        assert row["status"] == event["status_after"] and row["location"] == event["location_after"]


def test_a_number_that_nobody_had_yet_is_unknown_then(shop: Ledger) -> None:
    seqs = life(shop)
    with pytest.raises(InputError) as caught:
        shop.state("G-1A", at=seqs[0])
    assert caught.value.code == "goods_unknown"
    for wrong in ({}, {"serial": "G-1", "lot": "A"}):
        with pytest.raises(InputError) as caught:
            shop.history(**wrong)  # type: ignore[arg-type]
        assert caught.value.code == "argument_value"


def test_units_of_two_skus_with_one_number_are_told_apart_by_the_sku(shop: Ledger) -> None:
    receive(shop, {"sku": "gauge", "serial": "X", "location": "dock"})
    receive(shop, {"sku": "monitor", "serial": "X", "lot": "M", "location": "dock"}, document="GRN-2")
    with pytest.raises(InputError) as caught:
        shop.history("X")
    assert caught.value.code == "goods_ambiguous" and "gauge, monitor" in str(caught.value)
    assert shop.history("X", sku="monitor")["document"].to_list() == ["GRN-2"]


def test_a_lot_a_document_a_line_and_an_order_have_their_histories(shop: Ledger) -> None:
    seqs = life(shop)
    receive(shop, {"sku": "oil", "lot": "A", "qty": Decimal("2.50"), "location": "tank"}, document="GRN-2")
    shop.post("consume", {"sku": "oil", "qty": Decimal("0.75"), "location": "tank"}, document="JOB-1", actor="tec")
    assert shop.history(lot="A")["qty"].to_list() == [Decimal("2.50"), Decimal("0.75")]
    assert shop.history(document="DC-1")["serial"].to_list() == ["G-1A"]
    assert shop.history(line_id="L1")["seq"].to_list() == seqs[7:10]
    assert shop.history(order_id="O1").equals(shop.history(line_id="L1"))
    assert shop.history("G-1", until=seqs[3])["seq"].to_list() == seqs[:4]


def test_a_unit_names_all_that_brought_it_where_it_is(shop: Ledger) -> None:
    life(shop)
    steps = shop.origin("G-1")
    assert steps["type"].to_list() == ["receive", "move", "ship", "deliver", "invoice"][: steps.height]
    assert steps["document"].to_list()[0] == "GRN-1"
    assert steps["references"].to_list()[0] == '{"request": "PR-9", "sodo": "4711"}'


def test_from_a_receipt_one_finds_where_everything_went(shop: Ledger) -> None:
    life(shop)
    receive(shop, {"sku": "oil", "lot": "A", "qty": Decimal("2.50"), "location": "tank"}, document="GRN-1")
    shop.post("consume", {"sku": "oil", "qty": Decimal("0.75"), "location": "tank"}, document="JOB-1", actor="tec")
    found = shop.whereabouts("GRN-1").select("sku", "qty", "kind", "holder", "document").rows()
    assert found == [
        ("gauge", Decimal("1.00"), "customer", "customer 7", "INV-1"),
        ("oil", Decimal("0.75"), "consumed", None, "JOB-1"),
        ("oil", Decimal("1.75"), "stock", None, "GRN-1"),
    ]
    assert shop.whereabouts(lot="A")["kind"].to_list() == ["consumed", "stock"]
    assert shop.whereabouts("GRN-77").is_empty()


def test_histories_are_found_by_index_on_either_store(shop: Ledger) -> None:
    life(shop)
    params = {"tenant": 1, "seq": 99, "since": 0, "ids": [1], "keys": ["L1"], "document": "DC-1"}
    with shop.store.session() as session:
        if shop.store.dialect == "postgresql":
            session.run("SET LOCAL enable_seqscan = off")
        for name, sql in BY.items():
            used = {k: v for k, v in params.items() if f":{k}" in sql}
            explain = "EXPLAIN QUERY PLAN" if shop.store.dialect == "sqlite" else "EXPLAIN"
            plan = "\n".join(str(row[-1]) for row in session.rows(f"{explain} {sql} ORDER BY e.seq, e.n", used))
            scans = re.findall(r"^SCAN (?!json_each)\w+|Seq Scan.*", plan, re.M)
            assert not scans, f"{name}: {plan}"


def test_what_looks_alike_finds_the_same_however_it_was_typed(empty_ledger: Ledger) -> None:
    empty_ledger.define([{"sku": "café", "tracking": "both"}], actor="ana")
    receive(empty_ledger, {"sku": "café", "serial": "Né-1", "lot": "été", "location": "store"}, document="Gé")
    empty_ledger.reserve({"line_id": "Lé", "order_id": "Oé", "sku": "café", "qty": 1}, actor="bob")

    def typed(text: str) -> str:
        return unicodedata.normalize("NFD", text)

    assert empty_ledger.state(typed("Né-1"), sku=typed("café"))["serial"] == "Né-1"
    asked = {"serial": "Né-1", "lot": "été", "document": "Gé", "line_id": "Lé", "order_id": "Oé"}
    for name, value in asked.items():
        found = empty_ledger.history(**{name: typed(value)})
        assert found.height and found.equals(empty_ledger.history(**{name: value})), name
    assert empty_ledger.origin(typed("Né-1")).height == empty_ledger.whereabouts(typed("Gé")).height == 1
    assert empty_ledger.stock(skus=typed("café")).height == empty_ledger.balances(skus=[typed("café")]).height == 1
