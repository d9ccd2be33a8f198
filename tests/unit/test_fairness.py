"""Fair shares, quotas, protection and requests as planners know them, and the one error for what makes no sense."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from allocator import Policy, allocate
from allocator.cli.app import program
from allocator.errors import InputError, PolicyError
from allocator.fairness import FairShare, Quotas, compare_rules, fairness, ration, share, share_requests
from allocator.limits import Limits

TODAY = dt.date(2026, 3, 10)
SUPPLY = pl.DataFrame({"sku": ["X"], "qty": [500]})
DEMAND = pl.DataFrame({"line_id": ["A", "B", "C"], "sku": ["X", "X", "X"], "qty": [200, 250, 350]})


def shares(supply, demand, rule):
    out = share(supply, demand, FairShare.load(rule) if isinstance(rule, str) else rule)
    return dict(out.select("line_id", "share").rows())


def problems_of(call, *args, error=InputError, **kwargs):
    with pytest.raises(error) as caught:
        call(*args, **kwargs)
    return [(p.code, p.table, p.column, p.row) for p in caught.value.problems]


# --- known answers ---


def test_500_over_200_250_350_proportionally():
    assert shares(SUPPLY, DEMAND, "proportional") == {"A": 125, "B": 156, "C": 219}


@pytest.mark.parametrize(
    ("supply", "on_hand", "target", "answer"),
    [
        (1_200, [200, 600], [800, 1_500], [496, 704]),
        (500, [200, 250, 250], [500, 600, 700], [133, 150, 217]),
    ],
)
def test_equal_cover_of_targets(supply, on_hand, target, answer):
    lines = pl.DataFrame({"sku": "X", "on_hand": on_hand, "target": target}).with_row_index("line_id")
    assert list(shares({"sku": ["X"], "qty": [supply]}, lines, "equal_cover").values()) == answer


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ("proportional", [1, 4, 5]),
        ("equal_gains", [2, 4, 4]),
        ("equal_losses", [0, 4, 6]),
        ("priority", [2, 6, 2]),
    ],
)
def test_ten_over_2_6_9_by_every_rule_as_the_docs_say(rule, answer):
    lines = pl.DataFrame({"line_id": [1, 2, 3], "sku": "X", "qty": [2, 6, 9]})
    assert list(shares({"sku": ["X"], "qty": [10]}, lines, rule).values()) == answer


def test_decimal_quantities_are_shared_to_their_last_place():
    lines = DEMAND.with_columns(qty=pl.Series([Decimal("0.10")] * 3))
    out = share({"sku": ["X"], "qty": [Decimal("0.10")]}, lines, FairShare.load("proportional"))
    assert out["share"].to_list() == [Decimal("0.04"), Decimal("0.03"), Decimal("0.03")]


def test_a_network_is_divided_by_region_then_by_sku_then_among_lines():
    lines = pl.DataFrame(
        {
            "line_id": [1, 2, 3, 4],
            "region": ["north", "north", "north", "south"],
            "sku": ["X", "X", "Y", "X"],
            "qty": [10, 30, 40, 80],
        }
    )
    assert shares({"qty": [80]}, lines, "by_region") == {1: 10, 2: 10, 3: 20, 4: 40}
    capped = FairShare(
        pool=[],
        method="equal_gains",
        levels=[{"by": "region", "method": "proportional", "bounds": [{"value": "north", "qty_max": 10}]}],
    )
    out = share({"qty": [80]}, lines, capped)
    assert dict(out.group_by("region").agg(pl.col("share").sum()).rows()) == {"north": 10, "south": 70}
    assert out.filter(pl.col("region") == "north")["reason"].unique().to_list() == ["group_max"]


def test_bounds_of_a_group_may_have_the_decimals_of_the_tables_and_no_more():
    lines = {
        "line_id": [1, 2],
        "sku": ["X", "X"],
        "region": ["north", "south"],
        "qty": [Decimal("4.0"), Decimal("6.0")],
    }
    bounds = [{"value": "north", "qty_max": "1.5"}, {"value": "south", "qty_min": 2.5, "qty_max": 3}]
    level = {"by": "region", "method": "proportional", "bounds": bounds}
    rule = FairShare(method="equal_gains", levels=[level])
    supply = {"sku": ["X"], "qty": [10]}
    assert shares(supply, lines, rule) == {1: Decimal("1.5"), 2: Decimal(3)}
    assert FairShare(**rule.model_dump(mode="json")) == rule and "at least 2.5, at most 3 of" in rule.describe()
    with pytest.raises(InputError) as caught:
        share(supply, lines | {"qty": [4, 6]}, rule)
    problems = [(problem.code, problem.table, problem.column) for problem in caught.value.problems]
    at = "levels.0.bounds"
    assert problems == [("qty_step", "share", f"{at}.0.qty_max"), ("qty_step", "share", f"{at}.1.qty_min")]


def test_a_tier_takes_what_it_needs_but_not_what_is_guaranteed_to_later_ones():
    rule = FairShare(
        tier_by="segment",
        tiers=[
            {"name": "hospitals", "values": ["hospital"], "method": "priority"},
            {"name": "others", "method": "equal_gains"},
        ],
    )
    lines = pl.DataFrame(
        {"line_id": [1, 2, 3], "sku": "X", "segment": ["hospital", "shop", "web"], "qty": 10, "qty_min": [0, 3, 0]}
    )
    out = share({"sku": ["X"], "qty": [11]}, lines, rule)
    assert out.select("tier", "share", "reason").rows() == [
        ("hospitals", 8, "guaranteed"),
        ("others", 3, "taken"),
        ("others", 0, "taken"),
    ]


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [("qty_max", [5, None, None], "above_max"), ("pack", [150, 1, 1], "pack"), ("weight", [0, 1, 1], "no_weight")],
)
def test_a_line_is_short_for_the_reason_that_binds(column, values, reason):
    rule = FairShare(method="proportional", weight="weight")
    lines = DEMAND.with_columns(weight=pl.lit(1)).with_columns(pl.Series(column, values))
    out = share({"sku": ["X"], "qty": [1_000]}, lines, rule)
    assert out["reason"].to_list()[0] == reason


def test_a_pool_without_supply_says_so():
    out = share({"sku": ["Y"], "qty": [9]}, DEMAND, FairShare.load("equal_gains"))
    assert out["reason"].unique().to_list() == ["no_supply"]


def test_an_allocation_takes_the_shares_as_its_quantities():
    stock = pl.DataFrame({"stock_id": ["old", "new"], "sku": "X", "qty_on_hand": [300, 200]})
    possible = allocate(stock, DEMAND, as_of=TODAY).lines.join(DEMAND.select("line_id", "sku"), on="line_id")
    supply = possible.group_by("sku").agg(qty=pl.col("allocated").sum())
    ceilings = share(supply, DEMAND, FairShare.load("proportional"))
    result = allocate(stock, ceilings.with_columns(qty="share"), Policy.load("fifo"), as_of=TODAY)
    assert result.lines.select("line_id", "allocated", "short").sort("line_id").rows() == [
        ("A", 125, 0),
        ("B", 156, 0),
        ("C", 219, 0),
    ]


def test_numbers_as_large_as_there_may_be_are_shared_exactly():
    lines = pl.DataFrame({"line_id": [1, 2], "sku": "X", "qty": [2**59, 2**59 - 1]})
    assert shares({"sku": ["X"], "qty": [2**59]}, lines, "proportional") == {1: 2**58, 2: 2**58}


# --- measures ---


def test_priority_is_the_least_fair_and_equal_fills_are_wholly_fair():
    rules = [FairShare.load(name) for name in ("proportional", "priority")]
    out = compare_rules(SUPPLY, DEMAND, rules)
    assert out["rule"].to_list() == ["proportional", "priority"]
    assert out["jain"][0] == pytest.approx(1, abs=1e-4)
    assert out["jain"][1] < out["jain"][0]
    assert out.select("worst_group", "worst_fill").row(1) == ("C", pytest.approx(50 / 350))


def test_groups_that_asked_for_nothing_are_not_measured():
    lines = pl.DataFrame({"line_id": ["A", "B"], "qty": [0, 4], "share": [0, 4]})
    assert fairness(lines).select("groups", "jain", "gini").row(0) == (1, 1.0, 0.0)
    assert fairness(lines[:1]).select("groups", "jain", "worst_group").row(0) == (0, None, None)


# --- quotas and protection ---

LINES = pl.DataFrame(
    {
        "line_id": [1, 2, 3, 4],
        "sku": "X",
        "region": ["north", "north", "south", None],
        "channel": ["web", "shop", "web", "fleet"],
        "qty": [40, 40, 40, 40],
        "needed_on": [dt.date(2026, 3, 20), dt.date(2026, 2, 20), None, None],
    }
)
QUOTAS = pl.DataFrame(
    {
        "region": ["north", "north"],
        "starts_on": [dt.date(2026, 2, 1), dt.date(2026, 3, 1)],
        "ends_on": [dt.date(2026, 2, 28), dt.date(2026, 3, 31)],
        "qty": [30, 30],
    }
)
KEPT = pl.DataFrame({"sku": ["X"], "channel": ["fleet"], "qty": [20], "lapses_on": [TODAY]})
TERMS = Quotas(quota_by=["region"], protection_by=["channel"], carry_over=1)
FIRM = {"quotas": QUOTAS, "protections": KEPT}


def test_quota_and_protection_hold_together_in_order_of_demand():
    out = ration({"sku": ["X"], "qty": [110]}, LINES, TERMS, as_of=TODAY, **FIRM)
    assert out.lines.select("line_id", "granted", "carried", "protected", "reason").rows() == [
        (1, 40, 10, 0, None),
        (2, 20, 0, 0, "quota"),
        (3, 30, 0, 0, "protected"),
        (4, 20, 0, 20, "taken"),
    ]
    assert (out.quotas["left"].to_list(), out.protections["kept"].to_list()) == ([0, 0], [0])


def test_what_a_period_leaves_is_gone_unless_it_is_carried_over():
    terms = Quotas(quota_by=["region"], without_quota="refuse")
    out = ration({"sku": ["X"], "qty": [110]}, LINES, terms, as_of=TODAY, quotas=QUOTAS)
    assert out.lines.select("granted", "reason").rows()[:3] == [(30, "quota"), (30, "quota"), (0, "no_quota")]


def test_protection_lapses_after_its_last_day():
    terms = Quotas(protection_by=["channel"])
    kept = {
        day: ration(SUPPLY, LINES, terms, as_of=day, protections=KEPT).lines for day in (TODAY, dt.date(2026, 3, 11))
    }
    assert [lines["protected"].sum() for lines in kept.values()] == [20, 0]


def test_a_fair_share_may_be_held_within_quotas():
    rations = ration({"sku": ["X"], "qty": [110]}, LINES, TERMS, as_of=TODAY, **FIRM)
    lines = rations.lines.drop("short", "reason").with_columns(qty_max="granted")
    assert list(shares({"sku": ["X"], "qty": [60]}, lines, "equal_gains").values()) == [15, 15, 15, 15]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"quotas": None}, [("argument_missing", "", "quotas", None)]),
        (
            {"quotas": QUOTAS.with_columns(starts_on=dt.date(2026, 2, 1))},
            [("period_overlap", "quotas", "starts_on", 1)],
        ),
        ({"quotas": QUOTAS.with_columns(ends_on=dt.date(2026, 2, 5))}, [("period_reversed", "quotas", "ends_on", 1)]),
        ({"protections": pl.concat([KEPT, KEPT])}, [("group_overlap", "protections", "channel", 1)]),
        ({"protections": KEPT.with_columns(sku=pl.lit("Z"))}, [("group_unknown", "protections", "sku", 0)]),
        ({"protections": KEPT.with_columns(qty=900)}, [("protection_above_supply", "protections", "qty", 0)]),
        ({"protections": KEPT.with_columns(qty=-1)}, [("qty_out_of_range", "protections", "qty", 0)]),
        ({"protections": KEPT.drop("channel")}, [("column_missing", "protections", "channel", None)]),
    ],
)
def test_quotas_and_protections_that_make_no_sense_are_refused(given, found):
    assert problems_of(ration, SUPPLY, LINES, TERMS, as_of=TODAY, **(FIRM | given)) == found


def test_protection_above_the_supply_may_be_cut_the_last_priority_first():
    kept = pl.DataFrame({"sku": "X", "channel": ["web", "fleet"], "qty": [60, 80], "priority": [2, 1]})
    terms = Quotas(protection_by=["channel"], protection_above_supply="cut")
    out = ration({"sku": ["X"], "qty": [100]}, LINES.clear(), terms, as_of=TODAY, protections=kept)
    assert out.protections.select("channel", "kept").rows() == [("fleet", 80), ("web", 20)]


def test_lines_of_no_group_and_tables_without_rows_are_served_as_if_nothing_were_kept():
    nobody = LINES.with_columns(channel=None, region=None)
    out = ration(SUPPLY, nobody, TERMS, as_of=TODAY, quotas=QUOTAS.clear(), protections=KEPT.clear())
    assert out.lines["granted"].to_list() == [40] * 4
    numbered = nobody.with_columns(channel=pl.lit(7))
    assert ration(SUPPLY, numbered, TERMS, as_of=TODAY, **(FIRM | {"protections": KEPT.clear()})).lines.height == 4


def test_quotas_may_be_held_within_the_supply():
    terms = Quotas(quota_by=["sku", "region"], quotas_above_supply="refuse")
    quotas = QUOTAS.with_columns(sku=pl.lit("X"), qty=600)
    assert problems_of(ration, SUPPLY, LINES, terms, as_of=TODAY, quotas=quotas) == [
        ("quota_above_supply", "quotas", "qty", 1)
    ]


def test_terms_that_hold_nothing_are_refused():
    assert problems_of(Quotas, error=PolicyError) == [("rule_empty", "quotas", "", None)]


# --- requests of partners ---


def test_breakdowns_come_first_and_nobody_gets_more_than_the_limit_leaves():
    partners = {"bu": ["B"] * 3, "asp": ["A1", "A2", "A3"], "sku": ["PUMP"] * 3}
    stock = pl.DataFrame(partners | {"qty_on_hand": [0, 4, 1]})
    requests = pl.DataFrame(
        partners | {"request_id": [1, 2, 3], "qty": [10, 3, 6], "purpose": ["top_up", "breakdown", "top_up"]}
    )
    limits = Limits(rules=[{"name": "all", "units_max": 6}], above_limit="reduce")
    out = share_requests({"sku": ["PUMP"], "qty": [7]}, requests, stock, limits, as_of=TODAY)
    assert out.select("request_id", "qty_granted", "share", "reason").rows() == [
        (2, 2, 2, "above_limit"),
        (1, 6, 3, "taken"),
        (3, 5, 2, "taken"),
    ]


def test_headroom_goes_to_the_breakdown_of_a_partner_before_its_top_up():
    key = {"bu": ["B"] * 2, "asp": ["A"] * 2, "sku": ["PUMP"] * 2}
    requests = pl.DataFrame(key | {"request_id": ["t", "b"], "qty": [4, 4], "purpose": ["top_up", "breakdown"]})
    limits = Limits(rules=[{"name": "all", "units_max": 5}], above_limit="reduce")
    stock = pl.DataFrame(key | {"qty_on_hand": [0, 0]})
    out = share_requests({"sku": ["PUMP"], "qty": [50]}, requests, stock, limits, as_of=TODAY)
    assert dict(out.select("request_id", "share").rows()) == {"b": 4, "t": 1}
    wrong = requests.with_columns(purpose=pl.lit("spare"))
    assert problems_of(share_requests, SUPPLY, wrong, stock, limits, as_of=TODAY) == [
        ("group_unknown", "requests", "purpose", 0),
        ("group_unknown", "requests", "purpose", 1),
    ]


# --- what is refused ---


def test_every_problem_of_both_tables_is_reported_at_once():
    lines = pl.DataFrame(
        {"line_id": ["A", "A"], "sku": [1, 2], "qty": [-1, 5], "qty_min": [0, 9], "qty_max": [1, 8], "share": [0, 0]}
    )
    found = problems_of(share, {"sku": ["X"], "qty": [1.5]}, lines, FairShare.load("equal_gains"))
    assert set(found) == {
        ("id_duplicate", "demand", "line_id", 1),
        ("qty_out_of_range", "demand", "qty", 0),
        ("guarantee_above_max", "demand", "qty_min", 1),
        ("column_reserved", "demand", "share", None),
        ("column_type", "supply", "qty", None),
        ("mixed_keys", "", "sku", None),
    }


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"target": [-1, 2, 3]}, "qty_out_of_range"),
        ({"target": [None, 2, 3]}, "value_null"),
        ({"target": [2**62, 2, 3]}, "value_overflow"),
        ({"target": [2**60, 2, 3]}, "value_overflow"),
        ({"target": [1, 2, 3], "pack": [0, 1, 1]}, "qty_out_of_range"),
    ],
)
def test_targets_and_packs_that_make_no_sense_are_refused(columns, code):
    lines = DEMAND.with_columns(pl.Series(name, values) for name, values in columns.items())
    assert {found[0] for found in problems_of(share, SUPPLY, lines, FairShare.load("equal_cover"))} == {code}


def test_packs_of_what_is_weighed_may_be_parts_of_a_unit():
    asked = {"line_id": ["A", "B"], "sku": ["X", "X"], "qty": [6, 6], "pack": [Decimal("0.25"), Decimal("0.75")]}
    supply = {"sku": ["X"], "qty": [Decimal("7.50")]}
    assert shares(supply, asked, "proportional") == {"A": Decimal("3.75"), "B": Decimal("3.75")}


@pytest.mark.parametrize("pack", [0, 2**31])
def test_packs_beyond_what_is_reckoned_with_are_refused(pack):
    supply = {"sku": ["X"], "qty": [Decimal("7.50")]}
    lines = DEMAND.with_columns(pack=pl.lit(pack, pl.Int64))
    told = [("qty_out_of_range", "demand", "pack", row) for row in range(3)]
    assert problems_of(share, supply, lines, FairShare.load("proportional")) == told


def test_priorities_that_no_integer_holds_are_refused():
    large = pl.Series([2**63, 1, 2], dtype=pl.UInt64)
    told = [("value_overflow", "demand", "priority", 0)]
    assert problems_of(share, SUPPLY, DEMAND.with_columns(priority=large), FairShare.load("priority")) == told
    kept = {"sku": ["X"], "region": ["N"], "qty": [1], "priority": pl.Series([2**63], dtype=pl.UInt64)}
    terms, lines = Quotas(protection_by=["region"]), DEMAND.with_columns(region=pl.lit("N"))
    told = [("value_overflow", "protections", "priority", 0)]
    assert problems_of(ration, SUPPLY, lines, terms, as_of=TODAY, protections=kept) == told


def test_rules_that_are_none_cannot_be_compared():
    rules = ["proportional", FairShare.load("priority"), None]
    assert problems_of(compare_rules, SUPPLY, DEMAND, rules) == [
        ("argument_type", "", "rules.0", None),
        ("argument_type", "", "rules.2", None),
    ]


def test_every_problem_of_requests_supply_and_stock_is_told_at_once():
    key = {"bu": ["B"] * 2, "asp": ["A"] * 2, "sku": ["PUMP"] * 2}
    requests = pl.DataFrame(
        key | {"request_id": [1, 2], "qty": [4, -4], "purpose": ["spare", "top_up"], "priority": [None, 1]}
    )
    stock = pl.DataFrame(key | {"qty_on_hand": [-1, 0]})
    limits = Limits(rules=[{"name": "all", "units_max": 5}])
    found = problems_of(share_requests, {"sku": ["PUMP"], "qty": [-1]}, requests, stock, limits, as_of=TODAY)
    assert sorted(found) == [
        ("group_unknown", "requests", "purpose", 0),
        ("qty_out_of_range", "requests", "qty", 1),
        ("qty_out_of_range", "stock", "qty_on_hand", 0),
        ("qty_out_of_range", "supply", "qty", 0),
        ("value_null", "requests", "priority", 0),
    ]


def test_a_line_in_no_tier_is_refused():
    rule = FairShare(tier_by="sku", tiers=[{"name": "y", "values": ["Y"], "method": "priority"}])
    assert problems_of(share, SUPPLY, DEMAND[:1], rule) == [("group_unknown", "demand", "sku", 0)]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, [("rule_empty", "")]),
        ({"method": "equal_gains", "weight": "w"}, [("setting_conflict", "weight")]),
        ({"method": "fair"}, [("setting_value", "method")]),
        ({"method": "priority", "tier_by": "x"}, [("setting_conflict", "tier_by")]),
        (
            {
                "tier_by": "x",
                "tiers": [
                    {"name": "a", "values": ["1", "2"], "method": "priority"},
                    {"name": "b", "values": [2], "method": "priority"},
                ],
            },
            [("group_overlap", "tiers.1.values")],
        ),
        (
            {"tier_by": "x", "tiers": [{"name": n, "method": "priority"} for n in "ab"]},
            [("group_overlap", "tiers.0")],
        ),
        (
            {"method": "priority", "levels": [{"by": "x", "method": "priority"}] * 2},
            [("setting_twice", "levels")],
        ),
        (
            {
                "method": "priority",
                "levels": [{"by": "x", "method": "priority", "bounds": [{"value": 1, "qty_min": 2, "qty_max": 1}]}],
            },
            [("guarantee_above_max", "levels.0.bounds.0.qty_min")],
        ),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(said, found):
    with pytest.raises(PolicyError) as caught:
        FairShare(**said)
    assert [(p.code, p.column) for p in caught.value.problems] == found


@pytest.mark.parametrize("kind", [FairShare, Quotas])
def test_presets_can_be_copied_in_every_format_and_say_what_they_do(kind, tmp_path):
    for name in kind.presets():
        document = kind.load(name)
        assert document.name == name
        assert document.description.endswith(".")
        assert document.describe()
        for suffix in ("toml", "yaml", "json"):
            document.dump(tmp_path / f"copy.{suffix}")
            assert kind.load(tmp_path / f"copy.{suffix}") == document


# --- command line ---


def test_share_compares_rules_and_writes_the_shares(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    SUPPLY.write_csv("supply.csv")
    DEMAND.write_csv("demand.csv")
    given = ("share", "supply.csv", "demand.csv", "--against", "priority", "--out", "shares.csv")
    assert program([*given, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [rule["rule"] for rule in said["rules"]] == ["proportional", "priority"]
    assert pl.read_csv("shares.csv")["share"].to_list() == [125, 156, 219]
    assert program(list(given)) == 0
    assert "How even" in capsys.readouterr().out


def test_share_holds_quotas_and_tells_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    SUPPLY.with_columns(qty=110).write_csv("supply.csv")
    LINES.write_csv("demand.csv")
    QUOTAS.write_csv("quotas.csv")
    KEPT.write_csv("kept.csv")
    tables = ("--quota-table", "quotas.csv", "--protection-table", "kept.csv", "--json")
    assert program(["share", "supply.csv", "demand.csv", "--quotas", "channels", "--as-of", str(TODAY), *tables]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [line["share"] for line in said["lines"]] == [40, 20, 30, 20]
    assert program(["share", "supply.csv", "demand.csv", "--quotas", "channels", *tables]) == 2
    assert [p["code"] for p in json.loads(capsys.readouterr().out)["problems"]] == ["argument_missing"]
    assert program(["share", "supply.csv", "demand.csv", *tables]) == 2
    assert not Path("shares.csv").exists()
