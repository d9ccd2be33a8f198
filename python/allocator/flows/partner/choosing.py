"""Who fulfils an indent: what every site could serve under its contract, which one is chosen, and why (SP-9)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from allocator.flows.doing import Doing
from allocator.ledger.live import decide
from allocator.ledger.records import Sku
from allocator.model.network import PartnerSettings, Site
from allocator.model.policy import Location


class Wanted(NamedTuple):
    """What an indent asks for, and on which terms.

    Attributes:
        lines: SKU and steps of each line.
        contract_type: Who pays.
        customer: For whom.
        bu: The business unit.
        priority: The lower is served first.
        needed_on: The day by which it is needed.
        party: The partner that has the job.
    """

    lines: Sequence[tuple[Sku, int]]
    contract_type: str
    customer: str
    bu: str
    priority: int
    needed_on: dt.date | None
    party: str


def demand(wanted: Wanted, n: int, order: str, place: str, qty: int) -> dict[str, Any]:
    """A line of an indent as the engine takes it; `n` counts from 1."""
    sku, _ = wanted.lines[n - 1]
    return {
        "line_id": f"{order}/{n}", "order_id": order, "sku": sku.sku,
        "qty": Decimal(qty).scaleb(-sku.scale) if sku.scale else qty, "location": place, "priority": wanted.priority,
        "contract_type": wanted.contract_type or None, "customer": wanted.customer or None,
        "needed_on": wanted.needed_on, "bu": wanted.bu or None, "sku_group": sku.kept.sku_group,
    }  # fmt: skip


def coverage(doing: Doing, settings: PartnerSettings, wanted: Wanted, sites: Sequence[Site]) -> list[dict[str, Any]]:
    """What each site could serve, decided by the engine in one run.

    Places of sites do not overlap, so that none takes from another.

    Returns:
        Per site `site`, `covered` and `asked` units, and `lines`: of each line `covered`, and the `reason` of what is
        short.
    """
    policy = settings.policy_for(wanted.contract_type).model_copy(update={"location": Location(scope="tree")})
    doing.book.load_skus(sku.sku_id for sku, _ in wanted.lines)
    rows = []
    for site in sites:
        for n, (sku, qty) in enumerate(wanted.lines, start=1):
            said = demand(wanted, n, site.name, site.place, qty)
            rows.append({name: value for name, value in said.items() if value is not None} | {
                "qty": qty, "_sku": sku, "_asked": qty, "_turn": 0,
            })  # fmt: skip
    outcome = decide(doing.book, rows, policy, doing.said["day"])
    got: dict[str, int] = {}
    for line_id, _, qty in outcome.takes:
        got[line_id] = got.get(line_id, 0) + qty
    told = []
    for site in sites:
        ids = [f"{site.name}/{n}" for n in range(1, len(wanted.lines) + 1)]
        lines = [{"covered": got.get(line_id, 0), "reason": outcome.reasons.get(line_id)} for line_id in ids]
        told.append({
            "site": site.name, "covered": sum(got.get(line_id, 0) for line_id in ids),
            "asked": sum(qty for _, qty in wanted.lines), "lines": lines,
        })  # fmt: skip
    return told


def choose(doing: Doing, settings: PartnerSettings, wanted: Wanted) -> list[dict[str, Any]]:
    """The sites that could serve an indent, the chosen one first, each with what decided between them.

    Returns:
        Per site `site`, `own`, `whole`, `distance` (null if unknown), `covered`, `asked`, `lines` as `coverage`, and
        `why`: the criterion by which the site before it is better.
    """
    sites = [site for site in settings.sites if not wanted.bu or not site.bus or wanted.bu in site.bus]
    partners = {site.name for site in settings.partners}
    ranked = []
    for row in coverage(doing, settings, wanted, sites):
        distance = settings.distance(wanted.party, row["site"])
        row |= {"own": row["site"] == wanted.party, "whole": row["covered"] == row["asked"], "distance": distance}
        keys: dict[str, Any] = {
            "own": not row["own"], "whole": not row["whole"], "most_cover": -row["covered"],
            "nearest": (distance is None, distance or 0), "partners": row["site"] not in partners,
        }  # fmt: skip
        ranked.append((row["covered"] == 0, [keys[name] for name in settings.choose], row["site"], row))
    ranked.sort(key=lambda each: each[:3])
    told = []
    for place, (nothing, key, _, row) in enumerate(ranked):
        why = "first"
        if place:
            before = ranked[place - 1]
            differs = [name for name, a, b in zip(settings.choose, before[1], key, strict=True) if a != b]
            why = "nothing to serve it with" if nothing else differs[0] if differs else "name"
        told.append(row | {"why": why})
    return told
