"""An explanation shows every stock row of a line's SKU, every rule that stopped it, and who took it before."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from allocator.errors import InputError
from allocator.explain import explain
from allocator.model.policy import Policy
from allocator.model.reason import GATES

TODAY = dt.date(2026, 3, 1)


def day(number):
    """A day by its distance from today."""
    return TODAY + dt.timedelta(days=number)


def stock_of(*rows):
    """Stock rows from what matters of each; everything else is as usual."""
    usual = {
        "status": "available",
        "blocked": False,
        "sku": "A",
        "location": "W1",
        "qty_on_hand": 10,
        "received_on": day(-9),
        "expires_on": None,
    }
    return pl.DataFrame([usual | row for row in rows], infer_schema_length=None)


def told(rows, line, policy=None, *, before=(), taken=(), reason="insufficient"):
    """The explanation of a line `L`; `before` and `taken` are (line, stock row, quantity) and (stock row, quantity)."""
    line = {"line_id": "L", "sku": "A", "qty": 10} | line
    earlier = list(dict.fromkeys(name for name, *_ in before))
    got = sum(qty for _, qty in taken)
    short = line["qty"] - got
    lines = [{"line_id": name, "requested": 99, "allocated": 0, "short": 99, "reason": "taken"} for name in earlier]
    lines += [
        {
            "line_id": "L",
            "requested": line["qty"],
            "allocated": got,
            "short": short,
            "reason": reason if short else None,
        }
    ]
    lines += [{"line_id": "later", "requested": 1, "allocated": 1, "short": 0, "reason": None}]
    given = [(name, row, qty, 1) for name, row, qty in before]
    given += [("L", row, qty, rank) for rank, (row, qty) in enumerate(taken, start=1)]
    given += [("later", rows[0]["stock_id"], 1, 1)] if rows else []
    schema = {"line_id": pl.String, "stock_id": pl.String, "qty": pl.Int64, "rank": pl.Int64}
    stock = stock_of(*rows) if rows else stock_of({"stock_id": "none", "sku": "other"})
    return explain(
        stock,
        pl.DataFrame([line], infer_schema_length=None),
        policy or Policy(),
        as_of=TODAY,
        lines=pl.DataFrame(lines, infer_schema_length=None),
        allocations=pl.DataFrame(given, schema=schema, orient="row"),
        line_id="L",
    )


def gates(explanation):
    return dict(explanation.candidates.select("stock_id", "gates").iter_rows())


def column(explanation, name):
    return dict(explanation.candidates.select("stock_id", name).iter_rows())


ONE_GATE = {
    "place": ({"location": "W2"}, {"location": "W1"}, {}),
    "serial": ({"serial": "N1"}, {"serial": "N2"}, {}),
    "lot": ({"lot": None}, {"lot": "B7"}, {}),
    "owner": ({"owner": "ACME"}, {}, {"owner": "unowned"}),
    "no_balance": ({"qty_reserved": 10}, {}, {}),
    "status": ({"status": "inspected"}, {}, {}),
    "blocked": ({"blocked": True}, {}, {}),
    "not_received": ({"received_on": day(1)}, {}, {}),
    "condition": ({"condition": "used"}, {}, {"conditions": ["new"]}),
    "attribute": ({"grade": 1}, {}, {"attributes": [{"column": "grade", "op": ">=", "value": 2}]}),
    "contract": ({"condition": "used"}, {"contract_type": "amc"}, {"contracts": {"rules": [{"condition": "new"}]}}),
    "shelf_life": ({"expires_on": day(4)}, {"min_shelf_life_days": 5}, {}),
    "safety_stock": ({}, {}, {"safety_stock": [{"sku": "A", "qty": 10}]}),
}


@pytest.mark.parametrize("gate", ONE_GATE)
def test_a_row_that_breaks_one_rule_fails_that_gate_alone(gate):
    row, line, settings = ONE_GATE[gate]
    explanation = told([{"stock_id": "S"} | row], line, Policy(**settings), reason=gate)
    assert gates(explanation) == {"S": [gate]}
    assert column(explanation, "eligible") == {"S": False}
    assert GATES[gate] in explanation.text()


def test_what_is_expired_has_no_remaining_life_either():
    assert gates(told([{"stock_id": "S", "expires_on": day(-1)}], {})) == {"S": ["expired", "shelf_life"]}


def test_every_gate_is_tried_here():
    assert {"unknown_sku", "expired", *ONE_GATE} == set(GATES)


def test_all_rules_that_a_row_breaks_are_listed_in_the_sequence_of_the_gates():
    row = {"stock_id": "S", "location": "W2", "blocked": True, "status": "lost", "expires_on": day(-5), "lot": "B1"}
    explanation = told([row], {"location": "W1", "lot": "B2", "min_shelf_life_days": 3})
    assert gates(explanation) == {"S": ["place", "lot", "status", "blocked", "expired", "shelf_life"]}


def test_the_rows_of_the_line_come_in_its_order_and_those_that_got_furthest_after_them():
    rows = [
        {"stock_id": "elsewhere", "location": "W9", "expires_on": day(1)},
        {"stock_id": "never", "expires_on": None},
        {"stock_id": "later", "expires_on": day(8)},
        {"stock_id": "blocked", "expires_on": day(1), "blocked": True},
        {"stock_id": "soon", "expires_on": day(2)},
    ]
    explanation = told(rows, {"location": "W1"})
    assert explanation.candidates["stock_id"].to_list() == ["soon", "later", "never", "blocked", "elsewhere"]
    assert explanation.candidates["position"].to_list() == [1, 2, 3, None, None]


def test_what_lines_served_before_took_is_named_and_what_later_lines_took_is_not():
    rows = [{"stock_id": "S1"}, {"stock_id": "S2"}]
    before = [("L1", "S1", 4), ("L2", "S1", 3), ("L2", "S2", 1)]
    explanation = told(rows, {"qty": 10}, before=before, taken=[("S1", 3), ("S2", 7)])
    assert column(explanation, "taken_before") == {
        "S1": [{"line_id": "L1", "qty": 4}, {"line_id": "L2", "qty": 3}],
        "S2": [{"line_id": "L2", "qty": 1}],
    }
    assert column(explanation, "qty_balance") == {"S1": 3, "S2": 9}
    assert column(explanation, "qty_taken") == {"S1": 3, "S2": 7}
    assert column(explanation, "rank") == {"S1": 1, "S2": 2}


def test_a_line_that_gave_everything_back_held_nothing_from_the_lines_after_it():
    explanation = told([{"stock_id": "S"}], {"qty": 8}, before=[("gave back", "S", 0)], taken=[("S", 8)])
    assert column(explanation, "qty_balance") == {"S": 10}


def test_what_is_reserved_was_never_available():
    explanation = told([{"stock_id": "S", "qty_reserved": 4}], {})
    assert column(explanation, "qty_available") == {"S": 6}


def test_safety_stock_is_kept_back_from_the_end_of_the_order_the_deepest_place_first():
    rows = [
        {"stock_id": "old", "location": "W1/A", "received_on": day(-9), "qty_on_hand": 5},
        {"stock_id": "new", "location": "W1/A", "received_on": day(-3), "qty_on_hand": 5},
        {"stock_id": "other", "location": "W1/B", "received_on": day(-1), "qty_on_hand": 5},
        {"stock_id": "blocked", "location": "W1/A", "received_on": day(0), "qty_on_hand": 5, "blocked": True},
        {"stock_id": "far", "location": "W2", "received_on": day(0), "qty_on_hand": 5},
    ]
    entries = [{"sku": "A", "location": "W1", "qty": 9}, {"sku": "A", "location": "W1/A", "qty": 6}]
    explanation = told(rows, {"location": "W1"}, Policy(stock_order="fifo", safety_stock=entries))
    assert column(explanation, "qty_kept_back") == {"old": 1, "new": 5, "other": 3, "blocked": 0, "far": 0}
    assert column(explanation, "qty_balance") == {"old": 4, "new": 0, "other": 2, "blocked": 5, "far": 5}
    assert gates(explanation)["new"] == ["safety_stock"]


def test_substitutes_stand_behind_the_sku_itself_in_the_order_in_which_they_are_listed():
    rows = [
        {"stock_id": "x", "sku": "X"},
        {"stock_id": "y", "sku": "Y"},
        {"stock_id": "a"},
        {"stock_id": "z", "sku": "Z"},
    ]
    entries = [
        {"sku": "A", "substitute": "Y", "ratio": "3/2"},
        {"sku": "A", "substitute": "X"},
        {"sku": "X", "substitute": "Z"},
    ]
    explanation = told(rows, {}, Policy(substitutes=entries))
    assert column(explanation, "substitute_rank") == {"a": 0, "y": 1, "x": 2}
    assert explanation.candidates["stock_id"].to_list() == ["a", "y", "x"]


def test_stock_that_arrives_in_time_serves_a_line_that_is_needed_then():
    rows = [{"stock_id": "in time", "received_on": day(5)}, {"stock_id": "too late", "received_on": day(6)}]
    explanation = told(rows, {"needed_on": day(5)}, Policy(inbound="when_needed"))
    assert gates(explanation) == {"in time": [], "too late": ["not_received"]}


def test_sources_of_the_nearest_place_above_are_ranked_after_the_own_place():
    sources = [
        {"location": "W1", "source": "W2", "rank": 2},
        {"location": "W1", "source": "W3", "rank": 1},
        {"location": "W1/A", "source": "W4"},
    ]
    rows = [{"stock_id": place, "location": place} for place in ("W2/X", "W1/B/1", "W3", "W30", "W4")]
    explanation = told(rows, {"location": "W1/B"}, Policy(location={"sources": sources}))
    assert column(explanation, "source_rank") == {"W1/B/1": 0, "W3": 1, "W2/X": 2, "W30": None, "W4": None}
    assert gates(explanation)["W30"] == ["place"]


def test_distance_is_steps_in_the_tree_unless_it_is_listed():
    rows = [{"stock_id": place, "location": place} for place in ("W1/A", "W1/B/1", "W2")]
    nearest = Policy(stock_order="nearest", location={"scope": "any"})
    assert column(told(rows, {"location": "W1/A"}, nearest), "distance") == {"W1/A": 0, "W1/B/1": 3, "W2": 3}
    listed = [{"location": "W1", "source": "W1", "distance": 5}, {"location": "W1/A", "source": "W1", "distance": 7}]
    policy = Policy(stock_order="nearest", location={"scope": "any", "distances": listed})
    assert column(told(rows, {"location": "W1/A"}, policy), "distance") == {"W1/A": 7, "W1/B/1": 7, "W2": None}


def test_contracts_and_owners_rank_what_they_allow():
    rows = [
        {"stock_id": "new", "condition": "new", "owner": None},
        {"stock_id": "repaired", "condition": "repaired", "owner": "ACME"},
        {"stock_id": "foreign", "condition": "used", "owner": "ZETA"},
    ]
    rules = [
        {"contract_type": "amc", "condition": "repaired"},
        {"contract_type": "amc", "condition": "new", "rank": 1},
        {"condition": "used", "rank": 3},
        {"condition": "used", "contract_type": "amc", "allow": False},
    ]
    policy = Policy(owner="deposit_first", contracts={"rules": rules})
    explanation = told(rows, {"contract_type": "amc", "owner": "ACME"}, policy)
    assert column(explanation, "contract_rank") == {"repaired": 0, "new": 1, "foreign": None}
    assert column(explanation, "owner_rank") == {"repaired": 0, "new": 1, "foreign": None}
    assert gates(explanation)["foreign"] == ["owner", "contract"]


@pytest.mark.parametrize(
    ("rule", "passing"),
    [
        ({"op": ">=", "value": "2.10", "compare": "version"}, {"2.10.1", "10.0"}),
        ({"op": "in", "value": ["2.9", "10.0"]}, {"2.9", "10.0"}),
        ({"op": "not_in", "value": ["2.9", "10.0"], "nulls": "pass"}, {"2.10.1", "none"}),
        ({"op": "=", "demand_column": "wanted"}, {"2.9", "10.0", "2.10.1", "none"}),
        ({"op": "between", "demand_columns": ["wanted", "at_most"], "compare": "version"}, {"2.9"}),
        ({"op": "!=", "value": "2.9"}, {"2.10.1", "10.0"}),
    ],
)
def test_attributes_are_compared_as_the_rule_says(rule, passing):
    rows = [{"stock_id": v or "none", "firmware": v} for v in ("2.9", "2.10.1", "10.0", None)]
    line = {"wanted": None, "at_most": "2.9"}
    explanation = told(rows, line, Policy(attributes=[{"column": "firmware", **rule}]))
    assert {row for row, failed in gates(explanation).items() if not failed} == passing


def test_a_line_without_any_stock_row_says_so():
    explanation = told([], {}, reason="unknown_sku")
    assert explanation.candidates.height == 0
    assert "There is no stock row of this SKU or of a substitute." in explanation.text()
    assert explanation.frame().height == 0


def test_decimal_quantities_stay_exact():
    stock = stock_of({"stock_id": "S", "qty_on_hand": Decimal("33.60")}).with_columns(
        pl.col("qty_on_hand").cast(pl.Decimal(18, 2))
    )
    demand = pl.DataFrame({"line_id": ["L"], "sku": ["A"], "qty": [Decimal("33.59")]})
    lines = demand.select(
        "line_id", requested="qty", allocated="qty", short=pl.col("qty") * 0, reason=pl.lit(None, pl.String)
    )
    allocations = demand.select("line_id", stock_id=pl.lit("S"), qty="qty", rank=pl.lit(1))
    policy = Policy(safety_stock=[{"sku": "A", "qty": "0.01"}])
    told = explain(stock, demand, policy, as_of=TODAY, lines=lines, allocations=allocations, line_id="L")
    row = told.candidates.row(0, named=True)
    assert (row["qty_kept_back"], row["qty_balance"], row["qty_taken"]) == (
        Decimal("0.01"),
        Decimal("33.59"),
        Decimal("33.59"),
    )


def numbered():
    """A world whose ids and keys are whole numbers."""
    stock = pl.DataFrame({"stock_id": [7, 8], "sku": [1, 2], "qty_on_hand": [5, 5]})
    demand = pl.DataFrame({"line_id": [4711, 4712], "sku": [1, 1], "qty": [3, 4]})
    lines = pl.DataFrame(
        {"line_id": [4711, 4712], "requested": [3, 4], "allocated": [3, 4], "short": [0, 0], "reason": [None, None]}
    )
    allocations = pl.DataFrame(
        {"line_id": [4711, 4712, 4712], "stock_id": [7, 7, 8], "qty": [3, 2, 2], "rank": [1, 1, 2]}
    )
    policy = Policy(substitutes=[{"sku": "1", "substitute": "2"}])
    return {
        "stock": stock,
        "demand": demand,
        "policy": policy,
        "as_of": TODAY,
        "lines": lines,
        "allocations": allocations,
    }


@pytest.mark.parametrize("line_id", [4712, "4712"])
def test_ids_and_keys_may_be_whole_numbers(line_id):
    explanation = explain(**numbered(), line_id=line_id)
    assert explanation.candidates["stock_id"].to_list() == [7, 8]
    assert column(explanation, "taken_before") == {7: [{"line_id": 4711, "qty": 3}], 8: []}


@pytest.mark.parametrize(("asked", "hint"), [("471", "4711"), (9, "Take a line_id"), (True, "Take a line_id")])
def test_a_line_that_does_not_exist_gets_ids_that_come_close(asked, hint):
    with pytest.raises(InputError, match=hint) as caught:
        explain(**numbered(), line_id=asked)
    assert caught.value.code == "line_unknown"


def test_a_misspelt_text_id_gets_its_near_miss():
    with pytest.raises(InputError, match="Did you mean ORDER-77/2"):
        explain(
            stock_of({"stock_id": "S"}),
            pl.DataFrame({"line_id": ["ORDER-77/2", "ORDER-99/1"], "sku": "A", "qty": 1}),
            Policy(),
            as_of=TODAY,
            lines=pl.DataFrame(),
            allocations=pl.DataFrame(),
            line_id="ORDER-72/2",
        )


def test_the_header_says_what_was_asked_and_under_which_rules():
    line = {"order_id": "O7", "customer": "Hospital", "fill": "boxes", "needed_on": day(3), "sku_group": "G"}
    policy = Policy(fills={"boxes": {"pack": 6}}, shelf_life={"by_customer": {"Hospital": 30}, "by_group": {"G": 60}})
    header = told([{"stock_id": "S"}], line, policy, reason="shelf_life").line
    assert header["order_id"] == "O7"
    assert header["shelf_life_days_min"] == 60
    assert header["fill"] == "any quantity; in packs of 6 from each row"
    assert (header["requested"], header["allocated"], header["short"], header["reason"]) == (10, 0, 10, "shelf_life")


def test_an_explanation_is_read_in_a_terminal():
    rows = [
        {"stock_id": "S1", "expires_on": day(5)},
        {"stock_id": "S2", "expires_on": day(9), "qty_on_hand": 3},
        {"stock_id": "S3", "expires_on": day(-2), "blocked": True},
    ]
    explanation = told(rows, {"location": "W1"}, before=[("K1", "S1", 4)], taken=[("S1", 6), ("S2", 3)], reason="taken")
    assert explanation.text().splitlines() == [
        "Line L asks 10 of A and gets 9.",
        "It is 1 short because lines served before it took what it could have had (taken).",
        "As of 2026-03-01: at W1.",
        "Fill rule: any quantity.",
        "",
        "2 stock rows may serve it, in the order in which it looks at them:",
        "#  stock row  place  available  taken before by  balance  taken",
        "1  S1         W1            10  K1: 4                  6      6",
        "2  S2         W1             3                         3      3",
        "",
        "1 stock row may not:",
        "stock row  place  available  stopped by",
        "S3         W1            10  blocked, expired, shelf_life",
    ]


def test_a_long_explanation_counts_what_it_does_not_show():
    rows = [{"stock_id": f"S{i}"} for i in range(30)]
    rows += [{"stock_id": f"B{i}", "blocked": True} for i in range(5)] + [{"stock_id": "X", "status": "lost"}]
    shown = told(rows, {"qty": 300}, taken=[(f"S{i}", 10) for i in range(30)]).text(rows_max=2)
    assert "… and 28 more, of which it took 280" in shown
    assert "… and 4 more: blocked 3, status 1" in shown


def test_the_flat_frame_can_be_written_to_a_file(tmp_path):
    rows = [{"stock_id": "S1"}, {"stock_id": "S2", "blocked": True, "status": "lost"}]
    flat = told(rows, {}, before=[("K1", "S1", 4), ("K2", "S1", 1)], taken=[("S1", 5)]).frame()
    flat.write_csv(tmp_path / "explained.csv")
    again = pl.read_csv(tmp_path / "explained.csv")
    assert again["line_id"].to_list() == ["L", "L"]
    assert again["gates"].to_list() == ["", "status, blocked"]
    assert again["taken_before"].to_list() == ["K1: 4, K2: 1", ""]


def test_a_column_that_the_tables_leave_out_orders_nothing_and_holds_nothing():
    rule = {"column": "stock_class", "op": "=", "value": "asp", "nulls": "pass"}
    policy = Policy(stock_order=["unit_cost", "received_on"], attributes=[rule])
    rows = [{"stock_id": "young", "received_on": day(-1)}, {"stock_id": "old", "received_on": day(-5)}]
    assert told(rows, {}, policy).candidates["stock_id"].to_list() == ["old", "young"]


def test_a_substitute_of_numbered_skus_is_named_as_the_number_is_written():
    world = numbered() | {"policy": Policy(substitutes=[{"sku": "1", "substitute": "02"}])}
    assert explain(**world, line_id=4711).candidates["stock_id"].to_list() == [7]


def test_a_place_contains_what_is_below_it_and_not_a_longer_name():
    rows = [{"stock_id": place, "location": place} for place in ("W1", "W1/A", "W10", "W1-B")]
    policy = Policy(location={"exclude": ["W1/A/3"]})
    found = gates(told([*rows, {"stock_id": "closed", "location": "W1/A/3"}], {"location": "W1"}, policy))
    assert found == {"W1": [], "W1/A": [], "W10": ["place"], "W1-B": ["place"], "closed": ["place"]}
