"""Levers on the policy: what it says then, and which SKUs that concerns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from allocator.errors import AllocatorError
from allocator.frames.findings import Findings
from allocator.model.levers import (
    Lever,
    Orders,
    OtherContracts,
    OtherFills,
    OtherSafetyStock,
    OtherShelfLife,
    OtherSubstitutes,
    Places,
    PolicyLever,
    Statuses,
)
from allocator.model.policy import Policy, SafetyStock


def policy_under(policy: Policy, levers: tuple[Lever, ...], findings: Findings) -> Policy:
    """The policy as the levers leave it. What is wrong with them is noted, and the policy left as it was."""
    for number, lever in enumerate(levers):
        if isinstance(lever, PolicyLever):
            path = f"levers.{number}"
            settings = {name: getattr(policy, name) for name in type(policy).model_fields}
            try:
                policy = Policy(**settings | _settings(lever, policy, path, findings))
            except AllocatorError as error:
                findings.problems += [replace(p, table="scenario", column=f"{path}.{p.column}") for p in error.problems]
    return policy


def _settings(  # noqa: PLR0911 - one for each lever
    lever: PolicyLever, policy: Policy, path: str, findings: Findings
) -> dict[str, Any]:
    """The settings that the lever changes."""
    match lever:
        case Statuses():
            _check_there(lever.forbid, policy.statuses, f"{path}.forbid", "status may be allocated", findings)
            kept = (status for status in policy.statuses if status not in lever.forbid)
            return {"statuses": tuple(dict.fromkeys((*kept, *lever.allow)))}
        case Places():
            _check_there(lever.include, policy.location.exclude, f"{path}.include", "place is excluded", findings)
            kept = (place for place in policy.location.exclude if place not in lever.include)
            exclude = tuple(dict.fromkeys((*kept, *lever.exclude)))
            return {"location": policy.location.model_copy(update={"exclude": exclude})}
        case OtherShelfLife():
            return {"shelf_life": lever.shelf_life}
        case OtherSubstitutes():
            removed = {(pair.sku, pair.substitute) for pair in lever.remove}
            known = {(entry.sku, entry.substitute) for entry in policy.substitutes}
            _check_there(sorted(removed), known, f"{path}.remove", "substitute is in the policy", findings)
            left = (entry for entry in policy.substitutes if (entry.sku, entry.substitute) not in removed)
            return {"substitutes": (*left, *lever.add)}
        case OtherContracts():
            return {"contracts": lever.contracts}
        case OtherFills():
            return {"fill": lever.fill or policy.fill, "fills": policy.fills | lever.fills}
        case Orders():
            given = {"demand_order": lever.demand_order, "stock_order": lever.stock_order}
            return {name: order for name, order in given.items() if order is not None}
        case OtherSafetyStock():
            return {"safety_stock": _safety_stock(lever, policy.safety_stock, path, findings)}


def _safety_stock(
    lever: OtherSafetyStock, entries: tuple[SafetyStock, ...], path: str, findings: Findings
) -> tuple[SafetyStock, ...]:
    known = {entry.sku for entry in entries}
    _check_there(lever.drop, known, f"{path}.drop", "SKU has safety stock in the policy", findings)
    replaced = {(entry.sku, entry.location) for entry in lever.entries}
    kept = (e for e in entries if e.sku not in lever.drop and (e.sku, e.location) not in replaced)
    return (*kept, *lever.entries)


def _check_there(wanted: Any, known: Any, path: str, what: str, findings: Findings) -> None:  # noqa: ANN401 - names
    for each in wanted:
        if each not in known:
            hint = f"There are {', '.join(map(str, sorted(known)))}" if known else "There are none"
            findings.add("lever_empty", f"no such {what}", "scenario", path, value=each, hint=hint)


def skus_concerned(  # noqa: PLR0911 - one for each lever
    lever: PolicyLever, before: Policy, after: Policy, stock: pl.DataFrame
) -> pl.Expr | set[str] | None:
    """SKUs that a lever concerns: by name, by their stock rows, or None for all of them."""
    match lever:
        case Statuses():
            changed = set(before.statuses) ^ set(after.statuses)
            if "status" in stock.columns:
                return pl.col("status").cast(pl.String).is_in(sorted(changed))
            return None if "available" in changed else set()
        case Places():
            changed = set(before.location.exclude) ^ set(after.location.exclude)
            if "location" not in stock.columns:
                return set()
            path = pl.col("location").cast(pl.String)
            return pl.any_horizontal(
                [pl.lit(value=False), *((path == place) | path.str.starts_with(f"{place}/") for place in changed)]
            )
        case OtherSubstitutes():
            added = {sku for entry in lever.add for sku in (entry.sku, entry.substitute)}
            return added | {sku for pair in lever.remove for sku in (pair.sku, pair.substitute)}
        case OtherSafetyStock():
            return {entry.sku for entry in lever.entries} | set(lever.drop)
        case OtherShelfLife():
            old, new = (policy.shelf_life.model_copy(update={"by_sku": {}}) for policy in (before, after))
            if old != new:
                return None
            own = before.shelf_life.by_sku.items() ^ after.shelf_life.by_sku.items()
            return {sku for sku, _ in own}
        case _:
            return None
