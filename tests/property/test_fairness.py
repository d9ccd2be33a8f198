"""Fair shares, quotas and protection against an independent oracle, and what must hold for every rule."""

import datetime as dt

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import oracle_fairness as oracle
from allocator.fairness import FairShare, Quotas, compare_rules, fairness, ration, share

usual = settings(deadline=None, max_examples=30)
METHODS = ["proportional", "equal_gains", "equal_cover", "equal_losses", "priority"]
POOLS, REGIONS, GROUPS, SEGMENTS = ["P1", "P2"], ["east", "north"], ["g1", "g2"], ["urgent", "usual"]
DAY = dt.date(2026, 3, 1)


@st.composite
def lines(draw, packs=(1,), bounded=True, rows_max=9):
    found = []
    for number in range(draw(st.integers(1, rows_max))):
        least = draw(st.integers(0, 6)) if bounded else 0
        found.append(
            {
                "line_id": number,
                "pool": draw(st.sampled_from(POOLS)),
                "segment": draw(st.sampled_from(SEGMENTS)),
                "region": draw(st.sampled_from(REGIONS)),
                "group": draw(st.sampled_from(GROUPS)),
                "qty": draw(st.integers(0, 30)),
                "qty_min": least,
                "qty_max": draw(st.integers(least, 40)) if bounded else 10**6,
                "pack": draw(st.sampled_from(packs)),
                "on_hand": draw(st.integers(0, 20)),
                "target": draw(st.integers(0 if bounded else 1, 40)),
                "weight": draw(st.integers(0 if bounded else 1, 9)),
                "priority": draw(st.integers(0, 2)),
            }
        )
    return found


@st.composite
def tier(draw, name, values):
    levels = []
    for by, keys in draw(st.sampled_from([[], [("region", REGIONS)], [("region", REGIONS), ("group", GROUPS)]])):
        method = draw(st.sampled_from(METHODS))
        bounds = []
        for key in keys:
            least = draw(st.integers(0, 8))
            bound = {"value": key, "qty_min": least, "qty_max": draw(st.none() | st.integers(least, 30))}
            bounds += [bound] if draw(st.booleans()) else []
        weight = draw(st.sampled_from([None, "weight"])) if method == "proportional" else None
        levels.append({"by": by, "method": method, "weight": weight, "bounds": bounds})
    method = draw(st.sampled_from(METHODS))
    weight = draw(st.sampled_from([None, "weight"])) if method == "proportional" else None
    return {"name": name, "values": values, "method": method, "weight": weight, "levels": levels}


TIERS = st.tuples(tier("first", ["urgent"]), tier("second", None)).map(list)
SUPPLY = st.fixed_dictionaries({pool: st.integers(0, 60) for pool in POOLS})


def frame(found):
    return pl.DataFrame(found)


def supply_frame(supply):
    return pl.DataFrame({"pool": list(supply), "qty": list(supply.values())})


def by_line(out, column="share"):
    return dict(out.select("line_id", column).rows())


def rule(tiers):
    return FairShare(pool=["pool"], tier_by="segment", tiers=tiers)


def one(method, **settings_):
    return FairShare(pool=["pool"], method=method, **settings_)


@settings(deadline=None, max_examples=80)
@given(SUPPLY, lines(packs=(1, 3)) | lines(packs=(2,)) | lines(), TIERS)
def test_shares_agree_with_the_oracle(supply, found, tiers):
    out = share(supply_frame(supply), frame(found), rule(tiers))
    numbered = [line | {"tier": 0 if line["segment"] == "urgent" else 1} for line in found]
    assert by_line(out) == oracle.share(supply, numbered, tiers)


@usual
@given(SUPPLY, lines(packs=(1, 3)), TIERS)
def test_every_line_is_within_its_bounds_in_whole_packs_and_what_is_short_has_a_reason(supply, found, tiers):
    out = share(supply_frame(supply), frame(found), rule(tiers))
    assert (out["share"] + out["short"] == out["qty"]).all()
    assert (out["share"] % out["pack"] == 0).all()
    assert ((out["share"] >= 0) & (out["share"] <= out["qty"]) & (out["share"] <= out["qty_max"])).all()
    assert ((out["short"] > 0) == out["reason"].is_not_null()).all()
    used = out.group_by("pool").agg(pl.col("share").sum())
    assert all(qty <= supply[pool] for pool, qty in used.iter_rows())


@usual
@given(SUPPLY, lines(bounded=False), st.sampled_from(METHODS))
def test_without_maxima_and_packs_everything_is_handed_out_or_everybody_has_all(supply, found, method):
    out = share(supply_frame(supply), frame(found), one(method))
    for pool, asked, given_ in out.group_by("pool").agg(pl.col("qty").sum(), pl.col("share").sum()).iter_rows():
        assert given_ == min(supply[pool], asked)


@usual
@given(SUPPLY, lines(packs=(1, 3, 4)), st.sampled_from(["proportional", "equal_gains", "equal_losses", "priority"]))
def test_no_line_could_take_another_pack_from_what_is_left(supply, found, method):
    out = share(supply_frame(supply), frame(found), one(method))
    left = pl.col("pool").replace_strict(supply) - pl.col("share").sum().over("pool")
    room = pl.min_horizontal("qty", "qty_max") - pl.col("share")
    assert out.filter(pl.min_horizontal(room, left) >= pl.col("pack")).is_empty()


@usual
@given(SUPPLY, lines(), st.integers(1, 9))
def test_more_supply_takes_from_nobody_under_equal_gains(supply, found, more):
    few = by_line(share(supply_frame(supply), frame(found), one("equal_gains")))
    many = by_line(share(supply_frame({p: q + more for p, q in supply.items()}), frame(found), one("equal_gains")))
    assert all(many[line] >= few[line] for line in few)


@usual
@given(SUPPLY, lines(packs=(1, 3)), TIERS, st.randoms())
def test_the_order_of_rows_changes_nothing(supply, found, tiers, random):
    mixed = random.sample(found, len(found))
    turned = dict(random.sample(list(supply.items()), len(supply)))
    assert_frame_equal(
        share(supply_frame(supply), frame(found), rule(tiers)), share(supply_frame(turned), frame(mixed), rule(tiers))
    )


@usual
@given(SUPPLY, lines(rows_max=5), st.sampled_from(METHODS[:4]))
def test_equals_differ_by_a_unit_at_most_and_the_lower_id_is_ahead(supply, found, method):
    twins = [line | {"line_id": 2 * line["line_id"] + n} for line in found for n in (0, 1)]
    got = by_line(share(supply_frame(supply), frame(twins), one(method)))
    assert all(0 <= got[2 * n] - got[2 * n + 1] <= 1 for n in range(len(found)))


@usual
@given(SUPPLY, lines(packs=(1, 3)), TIERS, st.integers(2, 5))
def test_counting_in_a_smaller_unit_with_packs_of_the_old_changes_nothing(supply, found, tiers, factor):
    scaled = ("qty", "qty_min", "qty_max", "pack", "on_hand", "target")
    fine = [line | {name: line[name] * factor for name in scaled} for line in found]
    bounded = [
        each
        | {
            "levels": [
                level
                | {
                    "bounds": [
                        b | {"qty_min": b["qty_min"] * factor, "qty_max": b["qty_max"] and b["qty_max"] * factor}
                        for b in level["bounds"]
                    ]
                }
                for level in each["levels"]
            ]
        }
        for each in tiers
    ]
    coarse = by_line(share(supply_frame(supply), frame(found), rule(tiers)))
    out = by_line(share(supply_frame({p: q * factor for p, q in supply.items()}), frame(fine), rule(bounded)))
    assert out == {line: qty * factor for line, qty in coarse.items()}


@usual
@given(SUPPLY, lines(bounded=False), st.sampled_from(METHODS))
def test_measures_are_within_their_bounds_and_know_the_worst(supply, found, method):
    out = share(supply_frame(supply), frame(found), one(method))
    measured = fairness(out, by="region").row(0, named=True)
    fills = {region: given_ / asked for region, asked, given_ in sums(out) if asked}
    if not fills:
        assert (measured["groups"], measured["jain"], measured["worst_group"]) == (0, None, None)
        return
    assert 1 / len(fills) - 1e-9 <= measured["jain"] <= 1 + 1e-9
    assert -1e-9 <= measured["gini"] < 1
    assert measured["worst_fill"] == min(fills.values()) == fills[measured["worst_group"]]
    assert_frame_equal(
        compare_rules(supply_frame(supply), frame(found), [one(method)], by="region").drop("rule"),
        fairness(out, by="region"),
    )


def sums(out):
    return out.group_by("region").agg(pl.col("qty").sum(), pl.col("share").sum()).iter_rows()


# --- quotas and protection ---


@st.composite
def rationed(draw):
    found = [
        {
            "line_id": number,
            "pool": draw(st.sampled_from(POOLS)),
            "region": draw(st.sampled_from(REGIONS)),
            "channel": draw(st.sampled_from(["web", "shop", "fleet"])),
            "qty": draw(st.integers(0, 20)),
            "pack": draw(st.sampled_from([1, 1, 3])),
            "priority": draw(st.integers(0, 2)),
            "day": DAY + dt.timedelta(draw(st.integers(0, 9))),
        }
        for number in range(draw(st.integers(1, 10)))
    ]
    quotas = []
    for region in REGIONS:
        starts = sorted(draw(st.sets(st.integers(0, 9), max_size=4)))
        for start, end in zip(starts, [*starts[1:], 12][: len(starts)], strict=True):
            days = draw(st.integers(1, end - start))
            span = {"start": DAY + dt.timedelta(start), "end": DAY + dt.timedelta(start + days - 1)}
            quotas.append({"group": region, **span, "qty": draw(st.integers(0, 15))})
    supply = {pool: draw(st.integers(0, 50)) for pool in POOLS}
    kept = []
    for pool, there in supply.items():
        fleet = draw(st.integers(0, there))
        for channel, qty in (("fleet", fleet), ("shop", draw(st.integers(0, there - fleet)))):
            kept.append({"pool": pool, "group": channel, "qty": qty, "priority": draw(st.integers(0, 1))})
    return found, quotas, kept, supply


@settings(deadline=None, max_examples=80)
@given(rationed(), st.integers(0, 3), st.randoms())
def test_rations_agree_with_the_oracle_in_any_order_of_rows(world, carry_over, random):
    found, quotas, kept, supply = world
    terms = Quotas(pool=["pool"], quota_by=["region"], protection_by=["channel"], day="day", carry_over=carry_over)
    schema = {"group": pl.String, "start": pl.Date, "end": pl.Date, "qty": pl.Int64}
    periods = pl.DataFrame(random.sample(quotas, len(quotas)), schema=schema)
    out = ration(
        supply_frame(supply),
        frame(random.sample(found, len(found))),
        terms,
        as_of=DAY,
        quotas=periods.rename({"group": "region", "start": "starts_on", "end": "ends_on"}),
        protections=pl.DataFrame(random.sample(kept, len(kept))).rename({"group": "channel"}),
    )
    assert by_line(out.lines, "granted") == oracle.ration(supply, found, quotas, kept, carry_over)
    assert ((out.lines["short"] > 0) == out.lines["reason"].is_not_null()).all()
    assert (out.quotas["left"].sum() + out.lines["carried"].sum()) <= out.quotas["qty"].sum()
    used = out.lines["protected"].sum() + out.lines["borrowed"].sum()
    assert out.protections["kept"].sum() == out.protections["qty"].sum() - used
