"""Replenishment and the check of requests against an independent oracle, and what must hold for both."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import oracle_limits as oracle
from allocator.limits import Limits, check_requests, replenish
from allocator.limits.plain import Asked, are_plainly_allowed
from allocator.limits.tables import FORMS, TABLES

usual = settings(deadline=None, max_examples=40)
AS_OF = dt.date(2026, 3, 1)
DAYS = st.sampled_from([None, AS_OF - dt.timedelta(1), AS_OF, AS_OF + dt.timedelta(1)])
BUS, ASPS, SKUS, GROUPS = ["B1", "B2"], ["A1", "A2"], ["S1", "S2", "S3"], ["G1", "G2"]
QTY = st.integers(0, 12)
COST = st.sampled_from([None, Decimal("0.5"), Decimal("3"), Decimal("7.25")])
KEY = {"bu": st.sampled_from(BUS), "asp": st.sampled_from(ASPS), "sku": st.sampled_from(SKUS)}
ROUNDINGS = ["never_above", "nearest", "always_reach"]


def rows(**columns):
    return st.lists(st.fixed_dictionaries(columns), max_size=8)


@st.composite
def stock_row(draw):
    qty = draw(QTY)
    return {name: draw(strategy) for name, strategy in KEY.items()} | {
        "qty_on_hand": qty,
        "qty_reserved": draw(st.integers(0, qty)),
        "status": draw(st.sampled_from(["available", "available", "quarantine", None])),
        "condition": draw(st.sampled_from(["new", "repaired", "defective"])),
        "blocked": draw(st.booleans()),
        "received_on": draw(DAYS),
        "expires_on": draw(DAYS),
        "unit_cost": draw(COST),
    }


WORLDS = st.fixed_dictionaries(
    {
        "stock": st.lists(stock_row(), max_size=8),
        "in_transit": rows(**KEY, qty=QTY, unit_cost=COST),
        "open_requests": rows(**KEY, qty=QTY, unit_cost=COST),
        "assortment": rows(**KEY),
        "skus": st.tuples(
            *(
                st.fixed_dictionaries(
                    {
                        "sku": st.just(sku),
                        "sku_group": st.sampled_from([None, *GROUPS]),
                        "unit_cost": COST.filter(bool),
                        "pack": st.sampled_from([None, 1, 3]),
                    }
                )
                for sku in SKUS
            )
        ).map(list),
    }
)


@st.composite
def rule(draw):
    units = draw(st.none() | st.integers(0, 30))
    value = draw(st.decimals(0, 90, places=2) if units is None else st.none() | st.decimals(0, 90, places=2))
    return {
        "bu": draw(st.sampled_from([None, *BUS])),
        "asp": draw(st.sampled_from([None, *ASPS])),
        "sku_group": draw(st.sampled_from([None, *GROUPS])),
        "sku": draw(st.sampled_from([None, *SKUS])),
        "units_max": units,
        "value_max": value,
        "trigger": draw(st.none() | st.integers(0, 15 if units is None else units)),
        "pack": draw(st.sampled_from([None, 1, 3, 4])),
        "rounding": draw(st.sampled_from([None, *ROUNDINGS])),
    }


def named(found):
    return [{"name": f"rule {number}", **each} for number, each in enumerate(found)]


LIMITS = st.fixed_dictionaries(
    {
        "rules": st.lists(rule(), max_size=8, unique_by=lambda r: (r["bu"], r["asp"], r["sku_group"], r["sku"])).map(
            named
        ),
        "rounding": st.sampled_from(ROUNDINGS),
        "above_limit": st.sampled_from(["refuse", "reduce"]),
        "without_rule": st.sampled_from(["refuse", "allow"]),
        "on_hand": st.fixed_dictionaries(
            {
                "statuses": st.sampled_from([["available"], ["available", "quarantine"]]),
                "conditions": st.sampled_from([["new"], ["new", "repaired", "defective"]]),
                "blocked": st.booleans(),
                "expired": st.booleans(),
                "usable": st.sampled_from(["through", "until"]),
                "reserved": st.booleans(),
            }
        ),
        "override": st.sampled_from(
            [None, {"roles": ["manager"], "reason_required": True}, {"roles": ["manager"], "reason_required": False}]
        ),
    }
)
REQUESTS = st.lists(
    st.fixed_dictionaries(
        KEY
        | {
            "qty": st.integers(1, 20),
            "priority": st.integers(0, 2),
            "requested_at": st.none() | st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 3)),
            "override_role": st.sampled_from([None, None, "manager", "clerk"]),
            "override_reason": st.sampled_from([None, " ", "season"]),
        }
    ),
    max_size=12,
).map(lambda found: [{"request_id": number, **each} for number, each in enumerate(found)])


def frame(table, found):
    """Rows as a frame with the dtypes that the table asks for."""
    schema = {name: FORMS[TABLES[table][name].kind].dtype for name in (found[0] if found else TABLES[table])}
    if "request_id" in schema:
        schema["request_id"] = pl.Int64()
    return pl.DataFrame(found, schema=schema, orient="row")


def frames(world):
    return {table: frame(table, found) for table, found in world.items()}


def keys_of(world, limits):
    tables = ("stock", "in_transit", "open_requests", "assortment")
    keys = {(r["bu"], r["asp"], r["sku"]) for table in tables for r in world[table]}
    whole = {(r["bu"], r["asp"], r["sku"]) for r in limits["rules"]}
    return sorted(keys | {key for key in whole if None not in key})


def without_assortment(world):
    return {table: each for table, each in frames(world).items() if table != "assortment"}


@usual
@given(WORLDS, LIMITS)
def test_replenish_agrees_with_the_oracle(world, limits):
    out = replenish(limits=Limits(**limits), as_of=AS_OF, **frames(world))
    assert out.select("bu", "asp", "sku").rows() == keys_of(world, limits)
    for row in out.iter_rows(named=True):
        wanted = oracle.propose((row["bu"], row["asp"], row["sku"]), world, limits, AS_OF)
        assert {name: row[name] for name in wanted if name != "room"} == {
            name: value for name, value in wanted.items() if name != "room"
        }


@usual
@given(WORLDS, LIMITS, REQUESTS)
def test_check_requests_agrees_with_the_oracle(world, limits, requests):
    out = check_requests(frame("requests", requests), limits=Limits(**limits), as_of=AS_OF, **without_assortment(world))
    found = out.select("request_id", "decision", "qty_granted", "reason").rows()
    assert found == oracle.decide(requests, world, limits, AS_OF)


@usual
@given(WORLDS, LIMITS)
def test_asking_again_with_the_proposals_open_proposes_nothing(world, limits):
    tables = frames(world)
    first = replenish(limits=Limits(**limits), as_of=AS_OF, **tables)
    own = first.filter(pl.col("qty_proposed") > 0).select("bu", "asp", "sku", qty="qty_proposed")
    tables["open_requests"] = pl.concat([tables["open_requests"], own], how="diagonal")
    again = replenish(limits=Limits(**limits), as_of=AS_OF, **tables)
    assert again["qty_proposed"].sum() == 0


@usual
@given(WORLDS, LIMITS)
def test_every_proposal_is_a_request_that_is_allowed(world, limits):
    proposals = replenish(limits=Limits(**limits), as_of=AS_OF, **frames(world)).filter(pl.col("qty_proposed") > 0)
    requests = proposals.select("bu", "asp", "sku", qty="qty_proposed").with_row_index("request_id")
    out = check_requests(requests, limits=Limits(**limits), as_of=AS_OF, **without_assortment(world))
    assert set(out["decision"]) <= {"allowed"}


@usual
@given(WORLDS, LIMITS)
def test_never_above_keeps_the_projected_position_within_both_limits(world, limits):
    calm = {**limits, "rounding": "never_above", "rules": [{**r, "rounding": None} for r in limits["rules"]]}
    out = replenish(limits=Limits(**calm), as_of=AS_OF, **frames(world)).filter(pl.col("qty_proposed") > 0)
    assert (out["qty_proposed"] <= out["headroom_units"]).fill_null(value=True).all()
    spent = out.select(pl.col("unit_cost") * pl.col("qty_proposed") <= pl.col("headroom_value")).to_series()
    assert spent.fill_null(value=True).all()


@usual
@given(WORLDS, LIMITS, REQUESTS, st.randoms())
def test_the_order_of_rows_changes_nothing(world, limits, requests, random):
    def shuffled(found):
        return random.sample(found, len(found))

    mixed = {table: shuffled(found) for table, found in world.items()}
    turned = {**limits, "rules": shuffled(limits["rules"])}
    assert_frame_equal(
        replenish(limits=Limits(**limits), as_of=AS_OF, **frames(world)),
        replenish(limits=Limits(**turned), as_of=AS_OF, **frames(mixed)),
    )
    assert_frame_equal(
        check_requests(frame("requests", requests), limits=Limits(**limits), as_of=AS_OF, **without_assortment(world)),
        check_requests(
            frame("requests", shuffled(requests)),
            limits=Limits(**turned),
            as_of=AS_OF,
            **without_assortment(mixed),
        ),
    )


@usual
@given(WORLDS, LIMITS, REQUESTS)
def test_rules_may_as_well_come_as_a_table(world, limits, requests):
    table = frame("rules", limits["rules"])
    document = Limits(**{**limits, "rules": []})
    assert_frame_equal(
        replenish(limits=Limits(**limits), as_of=AS_OF, **frames(world)),
        replenish(limits=document, rules=table, as_of=AS_OF, **frames(world)),
    )
    asked = frame("requests", requests)
    assert_frame_equal(
        check_requests(asked, limits=Limits(**limits), as_of=AS_OF, **without_assortment(world)),
        check_requests(asked, limits=document, rules=table, as_of=AS_OF, **without_assortment(world)),
    )


@usual
@given(LIMITS)
@pytest.mark.parametrize("form", ["toml", "yaml", "json"])
def test_limits_read_back_what_they_wrote(form, limits):
    document = Limits(**limits)
    again = Limits.loads(document.dumps(form), form)
    assert again == document
    assert again.fingerprint() == document.fingerprint()
    assert document.describe() == again.describe()


def lines_of(world, requests):
    """Requests, one per key, with all that is there of it and what it is worth; and as rows."""
    once = {(each["bu"], each["asp"], each["sku"]): each for each in requests}
    kept = {each["sku"]: each for each in world["skus"]}
    there, worth = dict.fromkeys(once, 0), dict.fromkeys(once, Decimal(0))
    for table, column in (("stock", "qty_on_hand"), ("in_transit", "qty"), ("open_requests", "qty")):
        for row in world[table]:
            if (key := (row["bu"], row["asp"], row["sku"])) in once:
                cost = kept[key[2]]["unit_cost"] if row["unit_cost"] is None else row["unit_cost"]
                there[key] += row[column]
                worth[key] += row[column] * cost
    lines = [
        Asked(bu, asp, of["sku_group"], sku, each["qty"], there[key], of["pack"], of["unit_cost"], worth[key])
        for key, each in once.items()
        for bu, asp, sku in [key]
        for of in [kept[sku]]
    ]
    return lines, list(once.values())


@settings(deadline=None, max_examples=150)
@given(WORLDS, LIMITS, REQUESTS)
def test_what_is_plainly_allowed_is_allowed(world, limits, requests):
    limits = Limits(**limits)
    lines, asked = lines_of(world, requests)
    decided = check_requests(frame("requests", asked), limits=limits, as_of=AS_OF, **without_assortment(world))
    decision = dict(decided.select("request_id", "decision").iter_rows())
    for line, each in zip(lines, asked, strict=True):
        plain = are_plainly_allowed(limits, [line])
        event(f"plain: {plain}, {decision[each['request_id']]}")
        assert decision[each["request_id"]] == "allowed" or not plain
    assert are_plainly_allowed(limits, lines) == all(are_plainly_allowed(limits, [line]) for line in lines)


COUNTED = {"statuses": ["available", "quarantine"], "conditions": ["new", "repaired", "defective"], "blocked": True,
           "expired": True, "reserved": True}  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(WORLDS, LIMITS, REQUESTS)
def test_where_all_that_is_there_counts_whatever_is_allowed_is_plainly_so(world, limits, requests):
    limits = Limits(**limits | {"rounding": "never_above", "on_hand": COUNTED,
                                "rules": [{**each, "rounding": None} for each in limits["rules"]]})  # fmt: skip
    world = world | {"stock": [{**each, "status": "available"} for each in world["stock"]]}
    lines, asked = lines_of(world, requests)
    asked = [{**each, "override_role": None} for each in asked]
    decided = check_requests(frame("requests", asked), limits=limits, as_of=AS_OF, **without_assortment(world))
    allowed = dict(decided.select("request_id", pl.col("decision") == "allowed").iter_rows())
    assert [are_plainly_allowed(limits, [line]) for line in lines] == [allowed[each["request_id"]] for each in asked]


@usual
@given(WORLDS, LIMITS)
def test_one_rule_holds_for_a_key_in_a_document_as_in_tables(world, limits):
    out = replenish(limits=Limits(**limits), as_of=AS_OF, **frames(world))
    groups = {each["sku"]: each["sku_group"] for each in world["skus"]}
    for bu, asp, sku, name in out.select("bu", "asp", "sku", "rule").iter_rows():
        rule = Limits(**limits).rule_for(bu=bu, asp=asp, sku=sku, sku_group=groups[sku])
        assert (rule.name if rule else None) == name


@pytest.mark.parametrize("cost", [None, Decimal(0)])
def test_what_costs_nothing_that_is_known_is_not_plainly_within_a_value(cost):
    limits = Limits(rules=[{"name": "all", "value_max": 20}])
    assert not are_plainly_allowed(limits, [Asked("", "A1", None, "S1", 1, 0, None, cost)])
