"""Substitutes that count otherwise than one for one: promised, given out and back, decided again in whole exchanges."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocator.errors import InputError, Problem
from allocator.ledger import Ledger, change
from allocator.ledger.blocking import block
from allocator.ledger.book import Book
from allocator.ledger.exchanges import ONE_FOR_ONE, Exchange
from allocator.ledger.export import export_ledger, import_ledger
from allocator.ledger.reserve import Wish, reserve
from allocator.ledger.verify import canonical_dump, verify
from allocator.model.policy import Policy
from ledger.raw import Errors, beside, unguarded
from ledger.reference import Reference
from ledger_stores import TODAY, receive, shop

__all__ = ["shop"]

NUMBERS = itertools.count(1)


def instead(substitute: str = "pad", ratio: Any = 2, sku: str = "filter", **said: Any) -> Policy:
    return Policy.model_validate({"substitutes": [{"sku": sku, "substitute": substitute, "ratio": ratio}], **said})


@pytest.fixture
def stocked(shop: Ledger) -> Ledger:
    """Four filters, a hundred pads, of dust a hundred by the gram."""
    shop.define([{"sku": "pad"}, {"sku": "dust", "scale": 3}], actor="ana")
    receive(shop, {"sku": "filter", "qty": 4, "location": "yard"},
            *({"sku": sku, "qty": 100, "location": "yard"} for sku in ("pad", "dust")))  # fmt: skip
    return shop


def promised(ledger: Ledger, policy: Policy, qty: Any = 10, line_id: str = "L1", sku: str = "filter") -> dict[str, Any]:
    (told,) = ledger.reserve({"line_id": line_id, "sku": sku, "qty": qty}, policy, actor="bob", as_of=TODAY)["lines"]
    return dict(told)


def seen(ledger: Ledger) -> list[Any]:
    """What a view tells that promises count for their lines."""
    with beside(ledger) as connection:
        rows = connection.execute("SELECT qty_served FROM promises ORDER BY allocation_id").fetchall()
    return [row[0] for row in rows]


def line(ledger: Ledger, line_id: str = "L1") -> tuple[Any, ...]:
    """What is promised to a line, given out, and come back."""
    return ledger.lines().filter(line_id=line_id).select("allocated", "shipped", "returned").row(0)


def codes(error: pytest.ExceptionInfo[InputError]) -> list[str]:
    return [problem.code for problem in error.value.problems]


def assert_sound(ledger: Ledger) -> None:
    assert verify(ledger).clean, verify(ledger)
    assert Reference(canonical_dump(ledger)).wrong == []


@pytest.mark.parametrize(
    ("substitute", "ratio", "asked", "got", "rows"),
    [
        ("pad", 2, 10, 10, [("filter", 4), ("pad", 12)]),
        ("pad", "1/2", 11, 10, [("filter", 4), ("pad", 3)]),
        ("pad", "3/2", 9, 8, [("filter", 4), ("pad", 6)]),
        ("pad", 30, 10, 7, [("filter", 4), ("pad", 90)]),
        ("dust", 1, 10, 10, [("filter", 4), ("dust", Decimal("6.000"))]),
        ("dust", "0.0005", 10, 10, [("filter", 4), ("dust", Decimal("0.003"))]),
        ("dust", "1/3", 10, 10, [("filter", 4), ("dust", Decimal("2.000"))]),
        ("dust", "0.001", 10, 10, [("filter", 4), ("dust", Decimal("0.006"))]),
    ],
)
def test_a_line_gets_whole_exchanges_and_counts_them_in_its_own_sku(
    stocked: Ledger, substitute: str, ratio: Any, asked: int, got: int, rows: list[tuple[str, Any]]
) -> None:
    told = promised(stocked, instead(substitute, ratio), asked)
    assert (told["requested"], told["allocated"], told["short"]) == (asked, got, asked - got)
    assert [each["qty"] for each in told["allocations"]] == [qty for _, qty in rows]
    served = [each.get("qty_served", each["qty"]) for each in told["allocations"]]
    assert served == [4, got - 4]
    assert stocked.allocations().select("sku", "qty", "qty_served").rows() == [
        (*row, count) for row, count in zip(rows, served, strict=True)
    ]
    assert seen(stocked) == served
    assert line(stocked) == (got, 0, 0)
    assert_sound(stocked)


def test_a_line_with_decimals_gets_whole_pieces_of_a_substitute_without(stocked: Ledger) -> None:
    told = promised(stocked, instead("pad", 1, sku="oil"), Decimal("2.75"), sku="oil")
    assert (told["requested"], told["allocated"], told["short"]) == (Decimal("2.75"), Decimal("2.00"), Decimal("0.75"))
    assert [(each["qty"], each["qty_served"]) for each in told["allocations"]] == [(2, Decimal("2.00"))]
    assert type(told["allocations"][0]["qty"]) is int
    assert stocked.allocations().select("qty", "qty_served").rows() == [(Decimal("2.000"), Decimal("2.000"))]
    assert seen(stocked) == [2]
    assert told["reason"] == "exchange"
    assert_sound(stocked)


def test_a_repeat_hears_what_was_answered_first(stocked: Ledger) -> None:
    asked = {"line_id": "L1", "sku": "filter", "qty": 6}
    first, again = (stocked.reserve(asked, instead("dust", "1/2"), actor="bob", key="k") for _ in range(2))
    assert first == again == stocked.outcome("k")
    assert first["lines"][0]["allocations"][1]["qty"] == Decimal("1.000")


def test_what_goes_and_what_comes_back_counts_by_the_exchange(stocked: Ledger) -> None:
    promised(stocked, instead(), 10)
    number = stocked.allocations().filter(sku="pad")["allocation_id"][0]
    stocked.post("pick", {"allocation_id": number, "qty": 8}, actor="pip")
    picked = stocked.allocations().filter(stage="picked")
    assert picked.select("qty", "qty_served").rows() == [(8, 4)]
    assert line(stocked) == (10, 0, 0)
    stocked.post("put_back", {"allocation_id": picked["allocation_id"][0], "qty": 2}, actor="pip")
    stocked.post("deliver", {"allocation_id": picked["allocation_id"][0], "to_holder": "eva"}, actor="pip")
    assert line(stocked) == (7, 3, 0)
    back = {"sku": "pad", "holder": "eva", "qty": 4, "line_id": "L1", "to_location": "yard"}
    seq = stocked.post("return", back, document="R-1", actor="pip")
    assert line(stocked) == (7, 3, 2)
    with pytest.raises(InputError, match="3 were given out for the line, and 2 of them are back") as caught:
        receive(stocked, {"sku": "pad", "qty": 9, "location": "yard"})
        stocked.post("deliver", {"sku": "pad", "qty": 9, "to_holder": "eva"}, actor="pip")
        stocked.post("return", back, document="R-2", actor="pip")
    assert codes(caught) == ["stock_short"]
    assert_sound(stocked)
    stocked.reverse(seq, actor="ana", reason="entry error")
    assert line(stocked) == (7, 3, 0)
    stocked.release(allocation_ids=[number], actor="bob")
    assert line(stocked) == (5, 3, 0)
    assert_sound(stocked)


def test_an_invoiced_substitute_that_is_credited_counts_by_the_exchange_and_no_more_than_went(stocked: Ledger) -> None:
    promised(stocked, instead(), 10)
    number = stocked.allocations().filter(sku="pad")["allocation_id"][0]
    stocked.post("deliver", {"allocation_id": number, "qty": 6, "to_holder": "eva"}, document="DC-1", actor="pip")
    stocked.post("invoice", {"sku": "pad", "holder": "eva", "qty": 6}, document="I-1", actor="ana")
    back = {"sku": "pad", "holder": "eva", "line_id": "L1", "to_location": "yard"}
    for qty, returned in ((2, 1), (4, 3)):
        stocked.post("credit", back | {"qty": qty}, document="CN-1", actor="ana")
        assert line(stocked) == (7, 3, returned)
    assert_sound(stocked)


def test_a_hold_of_a_substitute_ends_whole(stocked: Ledger) -> None:
    asked = {"line_id": "L1", "sku": "filter", "qty": 10}
    stocked.reserve(asked, instead(), actor="bob", hold_s=0.0)
    assert promised(stocked, Policy(), 4, "L2")["short"] == 0
    assert line(stocked) == (0, 0, 0)
    assert_sound(stocked)


TORN: dict[str, Callable[[Ledger, int], Any]] = {
    "ship": lambda led, n: led.post("ship", {"allocation_id": n, "qty": 3}, document="DC-1", actor="pip"),
    "pick": lambda led, n: led.post("pick", {"allocation_id": n, "qty": 1}, actor="pip"),
    "release": lambda led, n: led.post("release", {"allocation_id": n, "qty": 5}, actor="pip"),
    "return": lambda led, n: led.post(
        "return", {"sku": "pad", "holder": "eva", "qty": 1, "line_id": "L1", "to_location": "yard"}, document="R-1",
        actor="pip",
    ),
}  # fmt: skip


@pytest.mark.parametrize("step", TORN.values(), ids=TORN)
def test_an_exchange_is_not_torn(stocked: Ledger, step: Callable[[Ledger, int], Any]) -> None:
    promised(stocked, instead(), 10)
    number = stocked.allocations().filter(sku="pad")["allocation_id"][0]
    stocked.post("deliver", {"allocation_id": number, "qty": 2, "to_holder": "eva"}, actor="pip")
    before = canonical_dump(stocked)
    with pytest.raises(InputError, match="2 of pad stand for 1 of filter") as caught:
        step(stocked, number)
    assert codes(caught) == ["qty_step"]
    assert canonical_dump(stocked) == before


def test_a_line_counts_a_substitute_as_it_did_first(stocked: Ledger) -> None:
    promised(stocked, instead("pad", 30), 10)
    receive(stocked, {"sku": "pad", "qty": 100, "location": "yard"})
    assert promised(stocked, instead("pad", 30), 10)["allocated"] == 3
    for other in (2, 1):
        with pytest.raises(InputError, match="for this line, 30 of pad stand for 1 of filter") as caught:
            promised(stocked, instead("pad", other), 10)
        assert codes(caught) == ["line_changed"]
    promised(stocked, instead("pad", 1), 5, "L2")
    with pytest.raises(InputError, match="for this line, 1 of pad stand for 1 of filter"):
        promised(stocked, instead("pad", 2), 5, "L2")
    assert_sound(stocked)


def test_a_line_that_never_had_a_substitute_counts_it_as_the_policy_says_then(stocked: Ledger) -> None:
    assert promised(stocked, instead("pad", 200), 10)["allocated"] == 4
    assert promised(stocked, instead("pad", 3), 10)["allocated"] == 6
    assert promised(stocked, instead("pad", 3), 10)["short"] == 0
    assert_sound(stocked)


def test_a_refused_transaction_leaves_no_exchange_behind(stocked: Ledger) -> None:
    def work(book: Book) -> Exchange:
        book.load_lines(["L1"])
        with suppress(InputError), book.transaction(heading):
            book.exchanges.make("L1", pad, Exchange(2, 1))
            raise InputError(Problem("stock_short", "none is left"))
        return book.exchanges.of("L1", pad)

    pad, heading = 5, stocked.heading("reserve", actor="bob")
    assert stocked.do(work, heading) == ONE_FOR_ONE
    assert promised(stocked, instead("pad", 3), 10)["short"] == 0
    assert_sound(stocked)


def test_what_is_not_written_yet_comes_back_by_its_exchange(stocked: Ledger) -> None:
    """Promised, delivered and back within one commit."""
    said = {name: stocked.heading(name, actor="bob", document="D-1") for name in ("reserve", "deliver", "return")}

    def work(book: Book) -> int:
        told = reserve(
            book, said["reserve"], Wish([{"line_id": "L1", "sku": "filter", "qty": 10}], instead(), said["reserve"].day)
        )
        number = told["lines"][0]["allocations"][1]["allocation_id"]
        change.post(book, said["deliver"], [{"allocation_id": number, "to_holder": "eva"}])
        back = {"sku": "pad", "holder": "eva", "qty": 4, "line_id": "L1", "to_location": "yard"}
        return change.post(book, said["return"], [back])

    stocked.do(work, said["reserve"])
    assert line(stocked) == (4, 6, 2)
    assert_sound(stocked)


def test_orders_that_wait_together_are_counted_each_by_its_own_exchange(stocked: Ledger) -> None:
    """Those with the same policy are decided in one run; what one of them makes is there for the next."""
    lines = [{"line_id": f"L{n}", "sku": "filter", "qty": 5} for n in range(1, 4)]
    told = stocked.reserve(lines, instead("pad", "5/3"), actor="bob")["lines"]
    assert [each["allocated"] for each in told] == [4 + 0, 3, 3]
    number = stocked.allocations().filter(line_id="L2")["allocation_id"][0]
    work = [{"allocation_id": number, "to_holder": "eva"}]
    stocked.post("deliver", work, actor="pip")
    assert (line(stocked, "L2"), line(stocked, "L3")) == ((0, 3, 0), (3, 0, 0))
    assert_sound(stocked)


def test_a_block_decides_again_by_the_exchange_that_is_on_record(stocked: Ledger) -> None:
    promised(stocked, instead(), 10)
    receive(stocked, {"sku": "pad", "qty": 5, "location": "shop"})
    pads = stocked.allocations().filter(sku="pad")["stock_id"][0]
    with pytest.raises(InputError) as caught:
        block(stocked, {"stock_id": pads}, reason="quality", outcome="replan", policy=instead("pad", 3), actor="ana")
    assert codes(caught) == ["line_changed"]
    assert line(stocked) == (10, 0, 0)
    told = block(stocked, {"stock_id": pads}, reason="quality", outcome="replan", policy=instead(), actor="ana")
    assert [(each["allocated"], each["short"], each["reason"]) for each in told["lines"]] == [(2, 4, "insufficient")]
    assert line(stocked) == (6, 0, 0)
    assert_sound(stocked)


def test_what_was_never_given_out_for_a_line_does_not_come_back_for_it(stocked: Ledger) -> None:
    promised(stocked, Policy(), 4)
    number = stocked.allocations()["allocation_id"][0]
    stocked.post("deliver", {"allocation_id": number, "to_holder": "eva"}, actor="pip")
    stocked.post("deliver", {"sku": "dust", "qty": 1, "to_holder": "eva"}, actor="pip")
    back = {"sku": "dust", "holder": "eva", "qty": Decimal("0.002"), "line_id": "L1", "to_location": "yard"}
    with pytest.raises(InputError, match="no dust was given out for the line") as caught:
        stocked.post("return", back, document="R-1", actor="pip")
    assert codes(caught) == ["stock_short"]


def test_the_lines_of_a_document_count_one_for_one(stocked: Ledger) -> None:
    def open_order(book: Book) -> int:
        with book.transaction(heading) as seq:
            book.documents.open("SO-1", "place", "order", "placed")
        return seq

    heading = stocked.heading("document", actor="ana")
    stocked.do(open_order, heading)
    asked = {"line_id": "SO-1/1", "order_id": "SO-1", "sku": "filter", "qty": 9}
    with pytest.raises(InputError, match="the lines of a document count one for one") as caught:
        stocked.reserve(asked, instead(), actor="bob")
    assert codes(caught) == ["setting_conflict"]
    assert stocked.reserve(asked, instead("pad", 1), actor="bob")["lines"][0]["short"] == 0


def test_an_exchange_that_no_quantity_can_be_of_is_refused(stocked: Ledger) -> None:
    with pytest.raises(InputError) as caught:
        promised(stocked, instead("dust", f"{10**17 + 1}/3"), 10)
    assert codes(caught) == ["value_overflow"]


def test_a_ledger_with_exchanges_is_restored_with_them(stocked: Ledger, tmp_path: Path) -> None:
    promised(stocked, instead(), 10)
    export_ledger(stocked, tmp_path / "out")
    with import_ledger(tmp_path / "out", f"sqlite:///{tmp_path / 'again.db'}") as again:
        assert canonical_dump(again) == canonical_dump(stocked)
        assert_sound(again)


def test_a_ledger_from_before_there_were_exchanges_is_brought_up_to_date(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as ledger:
        ledger.define([{"sku": "filter"}, {"sku": "pad"}], actor="ana")
        receive(ledger, {"sku": "pad", "qty": 9, "location": "yard"})
        promised(ledger, instead("pad", 1), 3)
        before = canonical_dump(ledger)
        with unguarded(ledger) as connection:
            connection.execute("DROP VIEW promises")
            connection.execute("DROP TABLE exchange")
            connection.execute("UPDATE alembic_version SET version_num = '0002'")
            if ledger.store.dialect == "sqlite":
                connection.execute("DELETE FROM sqlite_stat1 WHERE tbl = 'exchange'")
    with Ledger.open(ledger_url) as ledger:
        assert canonical_dump(ledger) == before
        assert promised(ledger, instead(), 3, "L2")["allocated"] == 3
        assert_sound(ledger)


def test_the_database_keeps_exchanges_as_they_are(stocked: Ledger) -> None:
    promised(stocked, instead(), 10)
    row = "INSERT INTO exchange (tenant, line_id, sku_id, given, asked, seq)"
    for statement in (
        "UPDATE exchange SET given = 3",
        "DELETE FROM exchange",
        f"{row} VALUES (1, 'L1', 1, 1, 1, 3)",
        f"{row} VALUES (1, 'L1', 1, 0, 1, 3)",
        f"{row} VALUES (1, 'L9', 1, 2, 1, 3)",
        f"{row} VALUES (1, 'L1', 99, 2, 1, 3)",
    ):
        with pytest.raises(Errors), beside(stocked) as connection:
            connection.execute(statement)
    assert_sound(stocked)


TAMPERED = {
    "a ratio is another": (5, "UPDATE exchange SET given = 3"),
    "a ratio is beyond all numbers": (5, f"UPDATE exchange SET asked = {2**62}"),
    "a ratio is none": (5, "UPDATE exchange SET given = 0"),
    "a ratio is another that fits": (8, "UPDATE exchange SET given = 4, asked = 2"),
    "an exchange is gone": (5, "DELETE FROM exchange"),
    "an exchange was made up": (5, "INSERT INTO exchange SELECT tenant, line_id, 99, given, asked, seq FROM exchange"),
    "an exchange is of nobody": (37, "UPDATE exchange SET line_id = 'L9'"),
    "it was made later": (5, "UPDATE exchange SET seq = seq - 1"),
    "a part went alone": (5, "UPDATE entry SET unreserved = 3 WHERE unreserved = 2"),
}


@pytest.mark.parametrize(("invariant", "sql"), TAMPERED.values(), ids=TAMPERED)
def test_verify_names_what_is_wrong_with_an_exchange(tmp_path: Path, invariant: int, sql: str) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        ledger.define([{"sku": "filter"}, {"sku": "pad"}], actor="ana")
        receive(ledger, {"sku": "pad", "qty": 9, "location": "yard"})
        promised(ledger, instead(), 3)
        ledger.post("ship", {"allocation_id": 1, "qty": 2}, document="DC-1", actor="pip")
        assert verify(ledger).clean
        with unguarded(ledger) as connection:
            connection.execute(sql)
        assert invariant in verify(ledger).frame["invariant"].to_list()


# --- whatever the numbers are ---


@pytest.fixture(scope="module")
def memory() -> Iterator[Ledger]:
    with Ledger.open("sqlite://") as ledger:
        yield ledger


def smallest(ratio: Fraction, scale: int, other: int) -> tuple[int, int]:
    """The least number of steps of a substitute that is worth a whole number of steps, found by trying."""
    for asked in itertools.count(1):
        steps = ratio * Fraction(asked, 10**scale) * 10**other
        if steps.denominator == 1:
            return int(steps), asked
    raise AssertionError


@settings(max_examples=80, deadline=None)
@given(data=st.data(), scale=st.integers(0, 2), other=st.integers(0, 2),
       ratio=st.fractions(min_value=Fraction(1, 6), max_value=6, max_denominator=6))  # fmt: skip
def test_lines_get_what_whole_exchanges_give_and_count_what_becomes_of_it(
    memory: Ledger, data: st.DataObject, scale: int, other: int, ratio: Fraction
) -> None:
    part, stand_in = (f"{name} {next(NUMBERS)}" for name in ("part", "stand-in"))
    memory.define([{"sku": part, "scale": scale}, {"sku": stand_in, "scale": other}], actor="ana")
    receipts = data.draw(st.lists(st.integers(1, 60), max_size=3))
    own = data.draw(st.integers(0, 20))
    lines = [{"sku": part, "qty": Decimal(own).scaleb(-scale), "location": "yard"}] if own else []
    lines += [{"sku": stand_in, "qty": Decimal(each).scaleb(-other), "location": "yard"} for each in receipts]
    if lines:
        receive(memory, *lines)
    asked = data.draw(st.integers(1, 60))
    policy = instead(stand_in, str(ratio), sku=part)
    told = promised(memory, policy, Decimal(asked).scaleb(-scale), f"{part} L", part)
    give, take = smallest(ratio, scale, other)
    open_, wanted = asked - min(asked, own), []
    if own:
        wanted.append((min(asked, own), min(asked, own)))
    for have in receipts:
        times = min(have // give, open_ // take)
        if times:
            wanted.append((times * give, times * take))
            open_ -= times * take
    steps, served = 10**other, 10**scale
    got = [(each["qty"] * (served if n == 0 and own else steps), each.get("qty_served", each["qty"]) * served)
           for n, each in enumerate(told["allocations"])]  # fmt: skip
    assert got == wanted
    assert told["short"] * served == open_
    for number in memory.allocations().filter(line_id=f"{part} L")["allocation_id"]:
        for _ in range(data.draw(st.integers(0, 3))):
            kind = data.draw(st.sampled_from(["pick", "put_back", "deliver", "release"]))
            qty = Decimal(data.draw(st.integers(1, 12))).scaleb(-max(scale, other))
            said = {"to_holder": "eva"} if kind == "deliver" else {}
            try:
                memory.post(kind, {"allocation_id": number, "qty": qty, **said}, actor="pip", document="D")
            except InputError as error:
                assert {each.code for each in error.problems} <= {
                    "qty_step", "stock_short", "transition_unlisted", "allocation_unknown",
                }  # fmt: skip
    back = {"sku": stand_in, "holder": "eva", "line_id": f"{part} L", "to_location": "yard"}
    with suppress(InputError):
        memory.post("return", back | {"qty": Decimal(give).scaleb(-other)}, actor="pip", document="R")
    assert Reference(canonical_dump(memory)).wrong == []


def test_the_ledger_of_all_these_numbers_is_sound(memory: Ledger) -> None:
    assert_sound(memory)
