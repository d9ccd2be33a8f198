"""Part requests: what a partner should ask for, what it may, and the figures (SP-1 to SP-3).

Base stock and reorders by trigger are part requests too. What the business does with them is in `supply.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

import polars as pl

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, all_problems, look, one_of, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.flows.partner.network import (
    KEYS,
    REQUEST,
    bu_of,
    limit_rows,
    no_part,
    partner_of,
    settings_in_force,
    today,
    warehouse_of,
)
from allocator.flows.quantities import Demanded, asked_of, quantity, read_qty, whole_units
from allocator.ledger.lines import Lines, read_lines, text
from allocator.ledger.records import Sku
from allocator.limits import replenish
from allocator.limits.plain import Asked, Decision, Held, decide_plainly
from allocator.model.network import PartnerSettings, Site

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

Kind = Literal["request", "base stock", "trigger"]

PART_REQUEST: Final = known(
    Flow(
        name=REQUEST,
        prefix="PR",
        says="What a partner asks the warehouse for: to begin with, when it needs more, or by a trigger.",
        states={
            "requested": "Waits for the operations team to decide, line by line.",
            "approved": "Waits for stock of the warehouse: nothing is promised now.",
            "allocated": "Stock is promised, and waits to be picked.",
            "picked": "Waits to be shipped.",
            "shipped": "All of it is on its way, or arrived.",
            "received": "All of it was counted at the partner.",
            "rejected": "No line was approved.",
            "withdrawn": "Nobody wants it any more.",
        },
        closed=("received", "rejected", "withdrawn"),
        steps=(
            Step("raise", "Parts are asked for, within the limit or by someone who may go above it.", ("",),
                 ("requested",), ("storekeeper", "operations", "system")),
            Step("decide", "Each line is approved, reduced or rejected, with a reason.", ("requested",),
                 ("approved", "rejected"), ("operations",)),
            Step("allocate", "Warehouse stock is promised, as the policy of supply says.", ("approved",),
                 ("allocated", "approved"), ("warehouse",)),
            Step("pick", "What is promised is taken from its bins.", ("allocated",), ("picked",), ("warehouse",)),
            Step("ship", "What is picked leaves, with rates, document and the ERP's references.", ("picked",),
                 ("shipped", "approved"), ("warehouse",)),
            Step("withdraw", "What is not shipped is not wanted any more.", ("requested", "approved"),
                 ("withdrawn", "shipped", "received"), ("storekeeper", "operations")),
            Step("receive", "The partner counted a shipment.", ("shipped", "approved", "allocated", "picked"),
                 ("received", "shipped", "approved", "allocated", "picked")),
        ),
    )
)  # fmt: skip

ASKED: Final[Mapping[str, Callable[[Any], Any]]] = {"sku": text, "qty": read_qty}


@checked
def suggest(ledger: Ledger, person: Person, *, party: str = "", bu: str = "") -> pl.DataFrame:
    """What a partner should ask for now: MSL less on hand, in transit and requested (SP-2); as `replenish` tells it."""

    def asked(doing: Doing) -> pl.DataFrame:
        settings = settings_in_force(doing)
        site = partner_of(doing, settings, party)
        return _proposed(doing, settings, site, bu_of(doing, site, bu))

    return look(ledger, person, asked)


@checked
def raise_request(
    ledger: Ledger,
    lines: Lines,
    person: Person,
    *,
    party: str = "",
    bu: str = "",
    kind: Kind = "request",
    warehouse: str = "",
    override_reason: str = "",
    note: str = "",
    key: str = "",
) -> dict[str, Any]:
    """Asks for parts, within the limits of the partner (SP-2); its opening stock is asked for in the same way (SP-1).

    Args:
        ledger: The ledger.
        lines: One line per SKU: `sku`, `qty`.
        person: A storekeeper of the partner; for `base stock`, or to go above a limit, someone of the business.
        party: The partner; the person's own if left out.
        bu: The business unit.
        kind: Why: `request`, `base stock` or `trigger`.
        warehouse: Who supplies; the first one of the settings if left out.
        override_reason: Why it may go above the limit; for roles that the limits name.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, and per line `line`, `sku`, `qty` (what a limit that reduces left of it), `asked`.

    Raises:
        InputError: `limit_exceeded`, with the figures of each line above its limit; `sku_unknown`, `site_unknown`, …
    """
    with all_problems() as part:
        with part():
            asked = read_lines(lines, ("sku", "qty"), ASKED)
        with part():
            one_of(kind, get_args(Kind), "kind")

    def work(doing: Doing) -> dict[str, Any]:
        settings = settings_in_force(doing)
        granted: list[_Granted] = []
        with all_problems() as part:
            asking = None
            with part():
                site = partner_of(doing, settings, party)
                asking = Asking(settings, site, bu_of(doing, site, bu), kind, override_reason)
            with part():
                place = warehouse_of(settings, warehouse).name
            wanted = asked_of(doing, asked, once=True, unfit=no_part)
            with part():
                wanted.check()
            if asking is not None:
                with part():
                    granted = _granted(doing, asking, asked, wanted)
        assert asking is not None
        return _raised(doing, asking, place, granted)

    said = (asked, party, bu, kind, warehouse, override_reason)
    answer: dict[str, Any] = take(ledger, person, PART_REQUEST, "raise", work, *said, key=key, note=note,
                                  reason=override_reason)  # fmt: skip
    return answer


@checked
def raise_triggered(ledger: Ledger, person: Person, *, party: str = "", key: str = "") -> list[dict[str, Any]]:
    """Raises a request for every partner whose position of a SKU fell to its trigger (SP-3); those that were raised.

    Whoever runs it again finds what is requested already in the position, and raises nothing twice.
    """

    def work(doing: Doing) -> list[dict[str, Any]]:
        settings = settings_in_force(doing)
        sites = [partner_of(doing, settings, party)] if party or person.party else settings.partners
        raised = []
        for site in sites:
            bu = bu_of(doing, site, "")
            wanted = _proposed(doing, settings, site, bu).filter(
                pl.col("reason") == "proposed", pl.col("trigger").is_not_null()
            )
            rows = [{"sku": sku, "qty": qty} for sku, qty in wanted.select("sku", "qty_proposed").iter_rows()]
            if rows:
                asking, asked = Asking(settings, site, bu, "trigger"), asked_of(doing, rows, unfit=no_part)
                asked.check()
                granted = _granted(doing, asking, rows, asked)
                raised.append(_raised(doing, asking, warehouse_of(settings, "").name, granted))
        return raised

    answer: list[dict[str, Any]] = take(ledger, person, PART_REQUEST, "raise", work, "trigger", party, key=key)
    return answer


class Asking(NamedTuple):
    """For whom parts are asked, and why."""

    settings: PartnerSettings
    site: Site
    bu: str
    kind: str
    override_reason: str = ""


class _Granted(NamedTuple):
    """How much was asked for of a SKU, and what the limits leave of it, in steps."""

    sku: Sku
    asked: int
    qty: int


def _proposed(doing: Doing, settings: PartnerSettings, site: Site, bu: str) -> pl.DataFrame:
    named = {rule.sku for rule in settings.limits.rules if rule.sku is not None and rule.asp in (None, site.name)}
    doing.book.catalog.load_skus(doing.book.session, named)
    tables = limit_rows(doing, site, bu, None).tables()
    found = [sku for sku in sorted(named) if doing.book.catalog.find(sku)]
    rows = [(bu, site.name, sku) for sku in found]
    assortment = pl.DataFrame(rows, schema=KEYS, orient="row")
    return replenish(limits=settings.limits, as_of=today(doing), assortment=assortment, **tables)


def _raised(doing: Doing, asking: Asking, warehouse: str, granted: Sequence[_Granted]) -> dict[str, Any]:
    override = {"override": asking.override_reason} if asking.override_reason else {}
    with doing.transaction():
        number_ = doing.open(
            PART_REQUEST, "requested", party=asking.site.name, bu=asking.bu, place=warehouse,
            details={"kind": asking.kind, **override}, marks=["raised"],
        )  # fmt: skip
        told = []
        for n, (sku, asked, qty) in enumerate(granted, start=1):
            reduced = {"asked": asked} if qty < asked else {}
            doing.line(number_, n, sku_id=sku.sku_id, qty=qty, state="requested", details=reduced)
            told.append({"line": n, "sku": sku.sku, "qty": quantity(qty, sku), "asked": quantity(asked, sku)})
    return {"number": number_, "state": "requested", "lines": told}


def _granted(doing: Doing, asking: Asking, rows: Sequence[Mapping[str, Any]], wanted: Demanded) -> list[_Granted]:
    """What the limits leave of the lines that make sense.

    Raises:
        InputError: `limit_exceeded`: every line that is above, with the figures; `unit_cost_missing`.
    """
    # A SKU that is there twice was refused: its first line is looked at.
    first = {rows[n]["sku"]: n for n in sorted(wanted.steps, reverse=True)}
    good = {name: wanted.skus[name] for name in sorted(first, key=first.__getitem__)}
    steps = {name: wanted.steps[first[name]] for name in good}
    asked = list(_asked(doing, asking, good, steps))
    decided = decide_plainly(asking.settings.limits, asked, today(doing))
    both = list(zip(asked, decided, strict=True))
    problems = [_above(asking.settings, each, one, first[each.sku]) for each, one in both if one.decision == "refused"]
    if problems:
        raise InputError(problems)
    return [
        _Granted(sku := good[each.sku], steps[each.sku],
                 steps[each.sku] if one.decision == "allowed" else one.qty_granted * 10**sku.scale)
        for each, one in both
    ]  # fmt: skip


def _asked(doing: Doing, asking: Asking, skus: Mapping[str, Sku], steps: Mapping[str, int]) -> Iterator[Asked]:
    """What is asked for, with what the partner has and expects of it."""
    site, bu, why = asking.site, asking.bu, asking.override_reason or None
    role = doing.person.role if why else None
    rows = limit_rows(doing, site, bu, {sku.sku_id: sku for sku in skus.values()})
    stock: dict[str, list[Held]] = {name: [] for name in skus}
    for _, _, name, *held in rows.stock:
        stock[name].append(Held(*held))
    moving, wanted = ({name: qty for *_, name, qty in each} for each in (rows.in_transit, rows.open_requests))
    for name, sku in skus.items():
        kept = sku.kept
        yield Asked(bu, site.name, name, whole_units(steps[name], sku), kept.sku_group, kept.pack, kept.unit_cost,
                    stock[name], moving.get(name, 0), wanted.get(name, 0), role, why)  # fmt: skip


def _above(settings: PartnerSettings, each: Asked, one: Decision, n: int) -> Problem:
    """A line above its limit, with the figures that make it so."""
    value = str(each.qty)
    if one.rule is None:
        message, hint = f"no limit says how much of {each.sku} {each.asp} may hold", "Set a limit for it first"
        return Problem("limit_exceeded", message, "lines", "qty", n, value, hint)
    most = [f"{one.rule.units_max} units"] if one.rule.units_max is not None else []
    most += [f"a value of {one.rule.value_max.normalize():f}"] if one.rule.value_max is not None else []
    message = (
        f"{each.asp} may hold {' and '.join(most)} of {each.sku} (rule {one.rule.name}): {one.on_hand} on hand, "
        f"{each.in_transit} in transit and {each.requested_open} requested leave {one.headroom_left}"
    )
    override = settings.limits.override
    roles = f"Or let {' or '.join(override.roles)} ask for it, with a reason" if override else "Nobody may go above it"
    why = {"override_not_allowed": "This role may not go above a limit. ",
           "override_without_reason": "Going above needs a reason. "}.get(one.reason or "", "")  # fmt: skip
    pack = f", in packs of {one.pack}" if one.pack > 1 else ""
    hint = f"{why}Ask for at most {one.headroom_left}{pack}. {roles}"
    return Problem("limit_exceeded", message, "lines", "qty", n, value, hint)
