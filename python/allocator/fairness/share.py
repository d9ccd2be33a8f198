"""Fair shares: what each line gets of a supply that does not suffice, exactly, with a reason for what it does not."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import polars as pl

from allocator import engine
from allocator.errors import InputError, Problem
from allocator.fairness.tables import Contract, Tables, by_code, codes_of, filled, needed, optional
from allocator.frames.findings import Check
from allocator.frames.read import Source
from allocator.model.fair_share import METHODS, SHARE_REASONS, FairShare, Level, Tier
from allocator.model.limits import QTY_MAX
from allocator.model.tables import Column

REASON = pl.Enum(list(SHARE_REASONS))
"""Why a share is less than what is asked; `docs/fairness.md` says when each applies."""

ADDED = ("tier", "share", "short", "reason")
PRIORITY_LAST = 2**63 - 1


def share(supply: Source, demand: Source, rule: FairShare) -> pl.DataFrame:
    """Divides what there is of each pool among the lines that ask for it.

    Shares are whole units, or whole packs: the exact share rounded down, and what that leaves given to the largest
    remainders, ties by `line_id`. The result depends on the content of the tables only. `docs/fairness.md` has the
    formulas. Nothing is allocated: give the shares to `allocate` as quantities, so that lots and places are chosen.

    Args:
        supply: One row per balance or receipt: the columns of `rule.pool`, and `qty`, in base units; the rows of a
            pool are added up. A polars frame, anything with an Arrow stream, a dict of lists, or a path.
        demand: One row per line: `line_id` (unique), the columns of `rule.pool` and those that the rule names, `qty`;
            optional `qty_min` (guaranteed; null 0), `qty_max` (null: no maximum), `pack` (null: one of the smallest
            units), `priority` (lower is first; null last); for `equal_cover` `target` and `on_hand` (null 0), and then
            without `qty` a line asks for what it lacks to its target. Quantities are integers or Decimal. Any further
            column is kept.
        rule: How to share.

    Returns:
        The demand table, each line with `tier` (null if the rule has none), `share` and `short` (Int64, or Decimal
        if the tables have decimals) and `reason` (Enum; null if nothing is short); ordered by pool, tier, the groups of
        the tier's levels, `line_id`.

    Raises:
        InputError: All problems of both tables: what `docs/tables.md` says of columns; `guarantee_above_max`;
            `group_unknown`, a line that is in no tier; `column_reserved`; `mixed_keys`; `qty_step`, a bound that the
            tables cannot count; `argument_type`.
        FileError: A file cannot be read.

    Example:
        >>> supply = {"sku": ["X"], "qty": [500]}
        >>> demand = {"line_id": ["A", "B", "C"], "sku": ["X", "X", "X"], "qty": [200, 250, 350]}
        >>> share(supply, demand, FairShare.load("proportional")).select("line_id", "share", "reason").rows()
        [('A', 125, 'insufficient'), ('B', 156, 'insufficient'), ('C', 219, 'insufficient')]
    """
    if not isinstance(rule, FairShare):
        hint = "Read it with FairShare.load: a preset by its name, or a file by its path"
        raise InputError(Problem("argument_type", "rule is not a FairShare", value=type(rule).__name__, hint=hint))
    tables = _read(supply, demand, rule)
    lines = tables.frames["demand"]
    # Rows in the order of their ids: it is what breaks ties.
    by_id = None if "demand" in tables.ascending else engine.CORE.argsort_ids(lines["line_id"])
    ordered = lines if by_id is None else lines[by_id]
    pools, count = codes_of({"supply": tables.frames["supply"], "demand": ordered}, rule.pool)
    groups, weights = _columns(rule)
    codes = {name: _encoded(ordered[name]) for name in groups}
    values = {name: of for name, (_, of) in codes.items()}
    found, shares, reasons = engine.fair_shares(
        pools["demand"],
        _tier_codes(ordered, rule) if len(rule.steps) > 1 else None,
        [_quantity(ordered, name) for name in QUANTITIES],
        weights=[filled(ordered, name, 0) for name in weights],
        groups=[code for code, _ in codes.values()],
        tiers=[_steps(tier, weights, values, tables) for tier in rule.steps],
        supply=by_code(pools["supply"], tables.frames["supply"]["qty"], count),
    )
    rows = found if by_id is None else by_id.gather(found)
    asked = lines["qty"].gather(rows)
    tiers = _tier_codes(lines, rule).gather(rows) if rule.tiers else pl.Series([None]).new_from_index(0, len(rows))
    names = pl.Series([tier.name for tier in rule.steps])
    reason = pl.select(pl.when(reasons < len(SHARE_REASONS)).then(reasons)).to_series()
    answer = tables.raw["demand"][rows]
    if "qty" not in lines.columns or "qty" not in answer.columns:
        answer = answer.with_columns(qty=tables.quantity(asked))
    return answer.with_columns(
        tier=names.gather(tiers) if rule.tiers else pl.lit(None, pl.String),
        share=tables.quantity(shares),
        short=tables.quantity(asked - shares),
        reason=reason.cast(pl.UInt8).cat.to(REASON),
    )


QUANTITIES = ("qty", "qty_min", "qty_max", "pack", "on_hand", "target", "priority")
ABSENT = {"qty_min": 0, "qty_max": QTY_MAX, "pack": 1, "on_hand": 0, "target": 0, "priority": PRIORITY_LAST}


def _quantity(lines: pl.DataFrame, name: str) -> pl.Series | None:
    if name == "qty":
        return lines[name]
    return filled(lines, name, ABSENT[name]) if name in lines.columns else None


def _divisions(rule: FairShare) -> Iterator[Tier | Level]:
    for tier in rule.steps:
        yield from tier.levels
        yield tier


def _columns(rule: FairShare) -> tuple[list[str], list[str]]:
    """The columns that the rule divides by, and those that it weighs with."""
    groups = dict.fromkeys(level.by for tier in rule.steps for level in tier.levels)
    weights = dict.fromkeys(each.weight for each in _divisions(rule) if each.weight is not None)
    return list(groups), list(weights)


def _read(supply: Source, demand: Source, rule: FairShare) -> Tables:
    groups, weights = _columns(rule)
    covers = any(each.method == "equal_cover" for each in _divisions(rule))
    contract: Contract = {"line_id": needed("line_id", "id")}
    contract |= {name: needed(name, "key") for name in (*rule.pool, *groups)}
    if rule.tier_by is not None:
        contract[rule.tier_by] = needed(rule.tier_by, "key")
    contract |= {name: optional(name, "quantity") for name in QUANTITIES[1:-1]}
    contract |= {name: needed(name, "quantity") for name in weights}
    contract["qty"] = Column("qty", "quantity", "", required=not covers)
    if covers:
        contract["target"] = needed("target", "quantity")
    contract["priority"] = optional("priority", "integer")
    tables = Tables()
    keys = {name: needed(name, "key") for name in rule.pool}
    tables.read("supply", supply, keys | {"qty": needed("qty", "quantity")})
    tables.read("demand", demand, contract, reserved=ADDED)
    tables.check_keys(rule.pool)
    tables.to_units()
    if "demand" in tables.frames:
        _check_lines(tables, rule)
    _check_bounds(rule, tables)
    tables.findings.raise_any()
    lines = tables.frames["demand"]
    if "qty" not in lines.columns:
        lacks = (filled(lines, "target", 0) - filled(lines, "on_hand", 0)).clip(0)
        tables.frames["demand"] = lines.with_columns(qty=lacks)
    return tables


def _check_lines(tables: Tables, rule: FairShare) -> None:
    lines = tables.frames["demand"]
    checks = []
    if {"qty_min", "qty_max"} <= {*lines.columns}:
        bad = pl.col("qty_min") > pl.col("qty_max")
        checks.append(Check("guarantee_above_max", "qty_min", bad, "the guarantee is above the line's maximum"))
    if rule.tiers and rule.tier_by in lines.columns:
        known = [value for tier in rule.tiers for value in tier.values or ()]
        if all(tier.values is not None for tier in rule.tiers):
            bad = ~pl.col(str(rule.tier_by)).cast(pl.String).is_in(known)
            hint = f"The tiers have {', '.join(known)}; a last tier without values takes all others"
            checks.append(Check("group_unknown", str(rule.tier_by), bad, "the line is in no tier", hint))
    tables.findings.run("demand", lines, checks)


def _check_bounds(rule: FairShare, tables: Tables) -> None:
    """Notes bounds of groups that are no whole number of the smallest units of the tables."""
    for number, tier in enumerate(rule.steps):
        within = f"tiers.{number}." if rule.tiers else ""
        places = ((n, m, bound) for n, level in enumerate(tier.levels) for m, bound in enumerate(level.bounds))
        for n, m, bound in places:
            for name, qty in (("qty_min", bound.qty_min), ("qty_max", bound.qty_max)):
                if qty is not None and qty.scaleb(tables.scale) % 1:
                    step, path = Decimal(1).scaleb(-tables.scale), f"{within}levels.{n}.bounds.{m}.{name}"
                    message = f"the tables count in steps of {step}, which do not add up to it"
                    hint = "Give the quantities of the tables as Decimal with as many decimals"
                    tables.findings.add("qty_step", message, "share", path, value=qty, hint=hint)


def _tier_codes(lines: pl.DataFrame, rule: FairShare) -> pl.Series:
    numbers = {value: number for number, tier in enumerate(rule.tiers) for value in tier.values or ()}
    values = lines[str(rule.tier_by)].cast(pl.String)
    return values.replace_strict(numbers, default=len(rule.tiers) - 1, return_dtype=pl.UInt32())


def _encoded(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    (codes,), values = engine.encode([column])
    return codes, values


def _steps(tier: Tier, weights: list[str], groups: dict[str, pl.Series], tables: Tables) -> list[engine.StepSpec]:
    """The tier as the core is told: numbers of methods and columns; a group's bounds by its code."""
    methods, columns = list(METHODS), list(groups)
    steps: list[engine.StepSpec] = []
    for level in tier.levels:
        bounds: list[tuple[int, int]] = []
        given = {bound.value: bound for bound in level.bounds}
        if given:
            for value in groups[level.by].cast(pl.String):
                bound = given.get(value)
                least, most = (None, None) if bound is None else (bound.qty_min, bound.qty_max)
                bounds.append((_units(least, tables.scale, 0), _units(most, tables.scale, QTY_MAX)))
        weight = None if level.weight is None else weights.index(level.weight)
        steps.append((methods.index(level.method), weight, columns.index(level.by), bounds))
    steps.append((methods.index(tier.method), None if tier.weight is None else weights.index(tier.weight), None, []))
    return steps


def _units(qty: Decimal | None, scale: int, absent: int) -> int:
    return absent if qty is None else min(int(qty.scaleb(scale)), QTY_MAX)
