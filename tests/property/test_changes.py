"""How the answer must follow a change of the question: nothing, the same, or in proportion."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

import oracle
from small_worlds import AS_OF, QUICK, World, any_fill, changed, uncounted, without, worlds

Row = dict[str, Any]
QUANTITIES = ("qty_on_hand", "qty_reserved", "qty", "pack", "least")


def keys_of_stock(made: World) -> set[str]:
    """The columns by which the world's policy orders stock."""
    return {key.column for key in made.policy.stock_order}


def one_for_one(made: World) -> World:
    """The world with substitutes one for one and without other units of measure."""
    ratios = [{**entry, "ratio": 1} for entry in made.settings.get("substitutes", ())]
    tables = [[{**row, "unit": None} if "unit" in row else row for row in rows] for rows in (made.stock, made.demand)]
    return World(*tables, changed(made, substitutes=ratios).settings)


# What nobody may have -------------------------------------------------------------------------------------------------

OBSTACLES: dict[str, Callable[[Row], Row]] = {
    "scrapped": lambda row: row | {"status": "lost"},
    "blocked": lambda row: row | {"blocked": True},
    "expired": lambda row: row | {"expires_on": AS_OF - dt.timedelta(days=2)},
    "empty": lambda row: row | dict.fromkeys(("qty_on_hand", "qty_reserved"), row["qty_on_hand"] * 0),
}


@QUICK
@given(worlds(), st.sampled_from(sorted(OBSTACLES)), st.integers(0, 99))
def test_a_lot_that_nobody_may_have_changes_nothing(made: World, obstacle: str, which: int) -> None:
    """But for lines that no row may serve: their reason is the gate of the row that got furthest, and may be its."""
    row = made.stock[which % len(made.stock)] | {"stock_id": "A-0", "serial": None}
    useless = {name: value for name, value in OBSTACLES[obstacle](row).items() if name in made.stock[0]}
    assume(any(value != row[name] for name, value in useless.items()))
    before, after = made.decided(), replace(made, stock=[*made.stock, useless]).decided()
    assert after.allocations == before.allocations
    assert [row for row in after.stock if row["stock_id"] != "A-0"] == before.stock
    for line, was in zip(after.lines, before.lines, strict=True):
        assert line == was or (line | {"reason": None} == was | {"reason": None} and was["allocated"] == 0)


# Splitting ------------------------------------------------------------------------------------------------------------

COUNTS_ROWS = ("pack", "rows_max", "one", "whole_rows")


@QUICK
@given(worlds(), st.integers(0, 99), st.integers(1, 4))
def test_splitting_a_lot_keeps_what_every_line_gets(made: World, which: int, part: int) -> None:
    made = uncounted(one_for_one(made))
    rules = {name: made.settings.get("fills", {})[name] for name in made.settings.get("fills", {})}
    rules = {name: {k: v for k, v in rule.items() if k not in COUNTS_ROWS} for name, rule in rules.items()}
    fill = {k: v for k, v in made.settings.get("fill", {}).items() if k not in COUNTS_ROWS}
    made = changed(made, fill=fill, fills=rules)
    row = made.stock[which % len(made.stock)]
    free = row["qty_on_hand"] - row.get("qty_reserved", 0)
    part = type(free)(part) if isinstance(free, int) else Decimal(part).scaleb(free.as_tuple().exponent)
    assume(part < free and "qty_available" not in keys_of_stock(made) and row.get("serial") is None)
    halves = [row | {"qty_on_hand": row["qty_on_hand"] - part}, row | {"stock_id": row["stock_id"] + "!"}]
    halves[1] |= {"qty_on_hand": part} | ({"qty_reserved": part * 0} if "qty_reserved" in row else {})
    split = replace(made, stock=[other for other in made.stock if other is not row] + halves)
    assert split.decided().lines == made.decided().lines


# Names and sizes ------------------------------------------------------------------------------------------------------


@QUICK
@given(worlds())
def test_new_names_in_the_same_order_give_the_same_answer(made: World) -> None:
    def renamed(rows: list[Row]) -> list[Row]:
        return [{name: new(row[name]) if name in IDS else row[name] for name in row} for row in rows]

    settings = made.settings | {"substitutes": [], "safety_stock": []}
    for name in ("substitutes", "safety_stock", "units"):
        entries = made.settings.get(name, [])
        settings[name] = [{k: new(v) if k in ("sku", "substitute") else v for k, v in e.items()} for e in entries]
    if "shelf_life" in settings:
        by_sku = settings["shelf_life"]["by_sku"]
        settings["shelf_life"] = settings["shelf_life"] | {"by_sku": {new(sku): days for sku, days in by_sku.items()}}
    there = World(renamed(made.stock), renamed(made.demand), settings).decided()
    here = made.decided()
    assert there.lines == renamed(here.lines)
    assert there.allocations == renamed(here.allocations)
    assert there.stock == renamed(here.stock)


IDS = ("stock_id", "line_id", "order_id", "sku")


def new(name: str | None) -> str | None:
    """A longer name; no two change their order."""
    return None if name is None else f"№ {name}"


@QUICK
@given(worlds(), st.sampled_from([3, 10, 1_000_000]))
def test_all_quantities_times_a_number_give_the_answer_times_that_number(made: World, times: int) -> None:
    made = uncounted(one_for_one(made))
    made = replace(made, stock=without(made.stock, "serial"), demand=without(made.demand, "serial"))

    def scaled(rows: list[Row]) -> list[Row]:
        return [{k: v * times if k in QUANTITIES and v is not None else v for k, v in row.items()} for row in rows]

    def scaled_rule(rule: Row) -> Row:
        return {k: v * times if k in ("qty_min", "pack") and not isinstance(v, str) else v for k, v in rule.items()}

    settings = made.settings | {"fill": scaled_rule(made.settings.get("fill", {}))}
    settings["fills"] = {name: scaled_rule(rule) for name, rule in made.settings.get("fills", {}).items()}
    entries = made.settings.get("safety_stock", [])
    settings["safety_stock"] = [{**entry, "qty": entry["qty"] * times} for entry in entries]
    there, here = World(scaled(made.stock), scaled(made.demand), settings).decided(), made.decided()
    assert [row["reason"] for row in there.lines] == [row["reason"] for row in here.lines]
    assert [row["allocated"] for row in there.lines] == [row["allocated"] * times for row in here.lines]
    assert [(t["line_id"], t["stock_id"], t["qty"]) for t in there.allocations] == [
        (t["line_id"], t["stock_id"], t["qty"] * times) for t in here.allocations
    ]


@QUICK
@given(worlds(), st.integers(1, 4))
def test_whole_numbers_and_decimals_of_the_same_value_give_the_same_answer(made: World, scale: int) -> None:
    made = one_for_one(made)

    def decimal(rows: list[Row]) -> list[Row]:
        zero = Decimal(0).scaleb(-scale)
        return [{k: v + zero if k in QUANTITIES and v is not None else v for k, v in row.items()} for row in rows]

    assert World(decimal(made.stock), decimal(made.demand), made.settings).decided() == made.decided()


# One run or several ---------------------------------------------------------------------------------------------------


@QUICK
@given(worlds().map(any_fill).map(uncounted), st.integers(0, 99))
def test_lines_served_in_two_runs_get_what_one_run_gives_them(made: World, where: int) -> None:
    made = changed(one_for_one(made), safety_stock=None)
    assume("qty_available" not in keys_of_stock(made))
    together = made.decided()
    served = sorted(made.demand, key=lambda line: order_of_service(made).index(line["line_id"]))
    cut = where % (len(served) + 1)
    assume(0 < cut < len(served))
    first = replace(made, demand=served[:cut]).decided()
    taken: Counter[str] = Counter()
    for take in first.allocations:
        taken[take["stock_id"]] += take["qty"]
    left = [row | {"qty_reserved": reserved(row, taken[row["stock_id"]])} for row in made.stock]
    second = replace(made, stock=left, demand=served[cut:]).decided()

    def by_line(rows: list[Row]) -> list[Row]:
        return sorted(rows, key=lambda take: (take["line_id"], take["rank"]))

    assert by_line(first.allocations + second.allocations) == by_line(together.allocations)
    assert second.stock == together.stock


def reserved(row: Row, taken: Any) -> Any:
    """What is reserved of the row once that much more is."""
    before = row.get("qty_reserved", row["qty_on_hand"] * 0)
    return before + (int(taken) if isinstance(before, int) else Decimal(taken.numerator) / taken.denominator)


def order_of_service(made: World) -> list[str]:
    """The ids of the lines as they are served."""
    return [
        line["line_id"] for unit in oracle.Run([], made.demand, made.policy, AS_OF).units_of_service() for line in unit
    ]
