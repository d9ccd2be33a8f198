"""Exact quantities: one scale for all of them, units of measure converted by exact ratios.

A quantity is an Int64 that counts 10^-scale base units. The scale is the greatest of the Decimal columns of stock
and demand, 0 if there is none, so nothing that the tables say is rounded; only a unit of measure can ask for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import floor

import polars as pl

from allocator.frames.findings import Check, Findings
from allocator.model.policy import Policy

QTY_MAX = 2**63 - 1
SCALE_MAX = 18
QUANTITIES: Mapping[str, tuple[str, ...]] = {"stock": ("qty_on_hand", "qty_reserved"), "demand": ("qty",)}


def quantity_columns(table: str, policy: Policy) -> tuple[str, ...]:
    """The columns of the table that hold quantities: its own, and those that fill rules name."""
    rules = (policy.fill, *policy.fills.values()) if table == "demand" else ()
    named = [name for rule in rules for name in (rule.qty_min, rule.pack) if isinstance(name, str)]
    return tuple(dict.fromkeys((*QUANTITIES[table], *named)))


def scale_of(frame: pl.DataFrame, columns: Sequence[str]) -> int:
    """Decimals of the quantities of a table."""
    types = (frame.schema[column] for column in columns if column in frame.columns)
    return max((dtype.scale for dtype in types if isinstance(dtype, pl.Decimal)), default=0)


def scaled(qty: Decimal, scale: int, policy: Policy) -> int:
    """A quantity of a policy in units of 10^-scale, rounded as the policy says (down where it refuses to round)."""
    return rounded(Fraction(qty) * 10**scale, policy.unit_rounding)


def constants(policy: Policy, scale: int, findings: Findings) -> None:
    """Notes quantities of the policy that are no whole number at this scale, if it does not round; packs of nothing."""
    given = {f"safety_stock.{n}.qty": entry.qty for n, entry in enumerate(policy.safety_stock)}
    fills = {"fill": policy.fill, **{f"fills.{name}": fill for name, fill in policy.fills.items()}}
    for path, fill in fills.items():
        given |= {
            f"{path}.{n}": q for n, q in (("qty_min", fill.qty_min), ("pack", fill.pack)) if isinstance(q, Decimal)
        }
    for path, qty in given.items():
        if policy.unit_rounding == "refuse" and (Fraction(qty) * 10**scale).denominator > 1:
            message = f"the tables count in steps of {Decimal(1).scaleb(-scale)}, which do not add up to it"
            hint = "Give the quantities of the tables as Decimal with as many decimals, or set unit_rounding"
            findings.add("qty_step", message, "policy", path, value=qty, hint=hint)
        elif path.endswith(".pack") and not scaled(qty, scale, policy):
            message = f"in the steps of {Decimal(1).scaleb(-scale)} that the tables count in, it is rounded to nothing"
            hint = "Give a pack of a step at least, or the quantities of the tables with as many decimals"
            findings.add("qty_step", message, "policy", path, value=qty, hint=hint)


def to_units(frame: pl.DataFrame, table: str, scale: int, policy: Policy, findings: Findings) -> pl.DataFrame:
    """The frame with its quantities as Int64 in units of 10^-scale base units.

    A quantity that does not fit, or is no whole number of units although the policy refuses to round, is noted
    and becomes null.
    """
    present = [column for column in quantity_columns(table, policy) if column in frame.columns]
    ratios = _ratios(frame, table, policy, findings) if "unit" in frame.columns else None
    if ratios is not None:
        frame = frame.with_columns(ratios)
    with_unit = ratios is not None
    checks = [check for column in present for check in _checks(frame, column, scale, policy, with_unit=with_unit)]
    findings.run(table, frame, checks)
    frame = frame.with_columns(
        _converted(frame, column, scale, policy, with_unit=with_unit).alias(column) for column in present
    )
    return frame.drop(NUMERATOR, DENOMINATOR, strict=False)


def in_base_units(units: pl.Series, scale: int) -> pl.Series:
    """Units of 10^-scale as base units: Int64, or Decimal where the tables have decimals."""
    if scale == 0:
        return units.cast(pl.Int64)
    step = Decimal(1).scaleb(-scale)
    return pl.select(units.cast(pl.Decimal(38, scale)) * step).to_series()


def total(quantities: pl.Series) -> int | Decimal:
    """The sum of quantities as exactly as they are: int, or Decimal of a column of Decimals."""
    found = quantities.sum()
    return found if isinstance(found, Decimal) else int(found)


def check_sum(frame: pl.DataFrame, table: str, column: str, findings: Findings) -> None:
    """Notes Int64 quantities that fit one by one, but not together."""
    largest = frame.select(pl.col(column).max()).item() or 0
    if largest * frame.height <= QTY_MAX:  # nearly always, and cheaper than an exact sum
        return
    half = frame.select(high=(pl.col(column) // 2**32).sum(), low=(pl.col(column) % 2**32).sum())
    high, low = half.row(0)
    check_total(high * 2**32 + low, table, column, findings)


def check_total(total: int, table: str, column: str, findings: Findings) -> None:
    """Notes quantities that are too many together."""
    if total > QTY_MAX:
        message = f"the quantities add up to {total} of the smallest units, more than 2⁶³ - 1"
        hint = "Use fewer decimals or a larger base unit"
        findings.add("value_overflow", message, table, column, hint=hint)


NUMERATOR, DENOMINATOR = "ratio numerator", "ratio denominator"


def _ratios(frame: pl.DataFrame, table: str, policy: Policy, findings: Findings) -> list[pl.Series] | None:
    """For each row how many base units its unit is, as numerator and denominator; None if no row has a unit."""
    named = frame.get_column("unit").drop_nulls().unique().cast(pl.String)
    if named.is_empty():
        return None
    given = {unit.unit for unit in policy.units}
    unknown = sorted(set(named) - given)
    if unknown:
        bad = pl.col("unit").cast(pl.String).is_in(unknown)
        hint = f"The policy has {', '.join(sorted(given))}" if given else "The policy has none: leave the column out"
        findings.run(table, frame, [Check("unit_unknown", "unit", bad, "the policy has no such unit", hint)])
    rows = frame.select(pl.col("unit").cast(pl.String), pl.col("sku").cast(pl.String))
    entries = [(u.unit, u.sku, u.ratio.numerator, u.ratio.denominator) for u in policy.units]
    schema = {"unit": pl.String, "sku": pl.String, "num": pl.Int128, "den": pl.Int128}
    known = pl.DataFrame(entries, schema=schema, orient="row")
    general = known.filter(pl.col("sku").is_null()).drop("sku")
    special = known.filter(pl.col("sku").is_not_null())
    rows = rows.join(general, on="unit", how="left", maintain_order="left")
    rows = rows.join(special, on=["unit", "sku"], how="left", maintain_order="left", suffix="_of_sku")
    ratio, unit = pl.coalesce("num_of_sku", "num"), pl.col("unit")
    missing = rows.select(unit.is_not_null() & ratio.is_null() & unit.is_in(unknown).not_()).to_series()
    if missing.any():
        bad = pl.lit(missing)
        message = "the policy has this unit for some SKUs only, and not for this one"
        findings.run(table, frame, [Check("unit_unknown", "unit", bad, message, "Add an entry without a SKU")])
    return [
        rows.select(pl.coalesce("num_of_sku", "num", pl.lit(1, pl.Int128))).to_series().alias(NUMERATOR),
        rows.select(pl.coalesce("den_of_sku", "den", pl.lit(1, pl.Int128))).to_series().alias(DENOMINATOR),
    ]


def _checks(frame: pl.DataFrame, column: str, scale: int, policy: Policy, *, with_unit: bool) -> list[Check]:
    dtype, steps = frame.schema[column], _steps(frame, column, scale)
    hint = "Use fewer decimals or a larger base unit"
    message = f"the quantity is more than 2⁶³ - 1 units of {Decimal(1).scaleb(-scale)}"
    found = []
    if steps > 1 or not dtype.is_signed_integer() or dtype == pl.Int128:
        over = pl.col(column).to_physical() > pl.lit(QTY_MAX // steps, pl.Int128)
        found.append(Check("value_overflow", column, over, message, hint))
    if with_unit:
        over = _exact(frame, column, scale, policy, with_unit=with_unit) > QTY_MAX
        found.append(Check("value_overflow", column, over, message, hint))
    if with_unit and policy.unit_rounding == "refuse":
        rest = (_wide(frame, column, scale) * pl.col(NUMERATOR)) % pl.col(DENOMINATOR) != 0
        message = "the quantity is no whole number of base units"
        hint = "Set unit_rounding to up, down or nearest, or give quantities with decimals"
        found.append(Check("qty_step", column, rest, message, hint))
    return found


def _converted(frame: pl.DataFrame, column: str, scale: int, policy: Policy, *, with_unit: bool) -> pl.Expr:
    if not with_unit and frame.schema[column].is_integer() and scale == 0:
        return pl.col(column).cast(pl.Int64, strict=False)
    return _exact(frame, column, scale, policy, with_unit=with_unit).cast(pl.Int64, strict=False)


def _exact(frame: pl.DataFrame, column: str, scale: int, policy: Policy, *, with_unit: bool) -> pl.Expr:
    wide = _wide(frame, column, scale)
    if not with_unit:
        return wide
    exact, denominator = wide * pl.col(NUMERATOR), pl.col(DENOMINATOR)
    match policy.unit_rounding:
        case "up":
            return (exact + denominator - 1) // denominator
        case "nearest":
            return (2 * exact + denominator) // (2 * denominator)
        case _:
            return exact // denominator


def _wide(frame: pl.DataFrame, column: str, scale: int) -> pl.Expr:
    """The column as Int128 in units of 10^-scale."""
    return pl.col(column).to_physical().cast(pl.Int128) * pl.lit(_steps(frame, column, scale), pl.Int128)


def _steps(frame: pl.DataFrame, column: str, scale: int) -> int:
    """How many units of 10^-scale are one of the column's own."""
    dtype = frame.schema[column]
    return int(10 ** (scale - (dtype.scale if isinstance(dtype, pl.Decimal) else 0)))


def rounded(exact: Fraction, rounding: str) -> int:
    """A whole number, as `unit_rounding` of a policy says; down where it refuses to round."""
    match rounding:
        case "up":
            return -floor(-exact)
        case "nearest":
            return floor(exact + Fraction(1, 2))
        case _:
            return floor(exact)
