"""Replenishment and the check of requests against an independent oracle, and what must hold for both."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import oracle_limits as oracle
from allocator.errors import InputError
from allocator.limits import Limits, check_requests, replenish
from allocator.limits.plain import Asked, Held, decide_plainly
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
    """Requests, one per key, with all that is known of it; and as rows."""
    once = list({(each["bu"], each["asp"], each["sku"]): each for each in requests}.values())
    kept = {each["sku"]: each for each in world["skus"]}
    lines = []
    for each in once:
        mine = {table: [row for row in world[table] if all(row[name] == each[name] for name in KEY)]
                for table in ("stock", "in_transit", "open_requests")}  # fmt: skip
        of = kept[each["sku"]]
        stock = [Held(row["qty_on_hand"], row["qty_reserved"], row["status"], row["condition"], row["blocked"],
                      row["expires_on"], row["unit_cost"]) for row in mine["stock"]]  # fmt: skip
        moving = [sum(row["qty"] for row in mine[table]) for table in ("in_transit", "open_requests")]
        known = [of["sku_group"], of["pack"], of["unit_cost"], stock, *moving]
        said = [each[name] for name in ("override_role", "override_reason")]
        lines.append(Asked(each["bu"], each["asp"], each["sku"], each["qty"], *known, *said))
    return lines, once


@settings(deadline=None, max_examples=300)
@given(WORLDS, LIMITS, REQUESTS)
def test_a_few_requests_are_decided_without_tables_as_with_them(world, limits, requests):
    world = {table: [row | dict.fromkeys(row.keys() & {"received_on"}) for row in found]
             for table, found in world.items()}  # fmt: skip
    for table in ("in_transit", "open_requests"):
        world[table] = [{**row, "unit_cost": None} for row in world[table]]
    lines, asked = lines_of(world, requests)
    decided = decide_plainly(Limits(**limits), lines, AS_OF)
    told = [(each["request_id"], *one[:3]) for each, one in zip(asked, decided, strict=True)]
    assert sorted(told) == sorted(oracle.decide(asked, world, limits, AS_OF))
    for _, decision, _, reason in told:
        event(f"{decision}: {reason}")
    table = check_requests(
        frame("requests", asked), limits=Limits(**limits), as_of=AS_OF, **without_assortment(world)
    ).sort("request_id")
    figures = [
        (one.headroom_left, one.rule.name if one.rule else None, one.pack, one.on_hand, line.in_transit,
         line.requested_open)
        for _, line, one in sorted(
            zip((each["request_id"] for each in asked), lines, decided, strict=True), key=lambda each: each[0]
        )
    ]  # fmt: skip
    columns = ("headroom_left", "rule", "pack", "on_hand", "in_transit", "requested_open")
    assert figures == table.select(columns).rows()


@usual
@given(WORLDS, LIMITS)
def test_one_rule_holds_for_a_key_in_a_document_as_in_tables(world, limits):
    out = replenish(limits=Limits(**limits), as_of=AS_OF, **frames(world))
    groups = {each["sku"]: each["sku_group"] for each in world["skus"]}
    for bu, asp, sku, name in out.select("bu", "asp", "sku", "rule").iter_rows():
        rule = Limits(**limits).rule_for(bu=bu, asp=asp, sku=sku, sku_group=groups[sku])
        assert (rule.name if rule else None) == name


@pytest.mark.parametrize("cost", [None, Decimal(0)])
def test_every_sku_without_a_cost_is_named_where_value_is_limited(cost):
    limits = Limits(rules=[{"name": "all", "value_max": 20}, {"name": "S2", "sku": "S2", "units_max": 3}])
    asked = [Asked("", "A1", sku, 1, unit_cost=cost) for sku in ("S1", "S2", "S3")]
    with pytest.raises(InputError, match="unit_cost_missing") as refusal:
        decide_plainly(limits, asked, AS_OF)
    assert [problem.value for problem in refusal.value.problems] == ["S1", "S3"]


@pytest.mark.parametrize(
    ("headroom", "pack", "granted"),
    [(20, 3, (18, 21, 21)), (19, 3, (18, 18, 21)), (18, 3, (18, 18, 18)), (18, 4, (16, 16, 20)), (2, 3, (0, 3, 3)),
     (1, 3, (0, 0, 3))],
)  # fmt: skip
def test_a_request_is_cut_to_the_packs_that_the_rounding_leaves(headroom, pack, granted):
    """The table of rounding in docs/limits.md."""
    rule = {"name": "all", "units_max": headroom, "pack": pack}
    for rounding, most in zip(ROUNDINGS, granted, strict=True):
        limits = Limits(rules=[rule], rounding=rounding, above_limit="reduce")
        [one] = decide_plainly(limits, [Asked("", "A1", "S1", 100 * pack)], AS_OF)
        assert (one.qty_granted, one.headroom_left) == (most, most)
