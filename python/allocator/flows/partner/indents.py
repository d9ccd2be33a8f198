"""Indents: what a service order needs, who fulfils it, and stock allocated as its contract permits (SP-8 to SP-11)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, all_problems, check_reason, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.flows.partner.choosing import Wanted, choose, demand
from allocator.flows.partner.network import bu_of, no_part, partner_of, settings_in_force, site_named
from allocator.flows.partner.supply import promises_of, told_short
from allocator.flows.quantities import asked_of, quantity, read_qty
from allocator.ledger.documents import Document
from allocator.ledger.lines import Lines, Unfit, read_lines, shown, text
from allocator.ledger.reserve import Wish, reserve
from allocator.model.network import PartnerSettings, Site, Sla

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

INDENTS: Final = known(
    Flow(
        name="indent",
        prefix="IN",
        says="What a service order needs: parts for a customer, by a time, under a contract.",
        states={
            "raised": "Nobody in the network could serve any of it.",
            "assigned": "A site is to fulfil it, and has not allocated all that is left of it.",
            "allocated": "Stock is promised, and waits to be dispatched.",
            "dispatched": "The parts are out on a challan.",
            "closed": "Every part is accounted for, and what must come back is back.",
            "cancelled": "The job does not take place.",
        },
        closed=("closed", "cancelled"),
        steps=(
            Step("raise", "A service order asks for parts; the network is looked at, and a site chosen.", ("",),
                 ("assigned", "raised"), ("service", "storekeeper", "operations")),
            Step("assign", "A site is chosen again, or named.", ("raised", "assigned"), ("assigned", "raised"),
                 ("service", "operations")),
            Step("allocate", "Stock is promised: what the contract permits, in the order of its policy.", ("assigned",),
                 ("allocated", "assigned"), ("storekeeper", "warehouse")),
            Step("dispatch", "A challan takes what is allocated.", ("allocated",), ("dispatched", "assigned"),
                 ("storekeeper", "warehouse")),
            Step("close", "The last part is accounted for.", ("dispatched", "assigned"), ("closed",)),
            Step("cancel", "What is not dispatched is not needed any more.", ("raised", "assigned", "allocated"),
                 ("cancelled", "dispatched", "closed"), ("service", "operations")),
        ),
    )
)  # fmt: skip

ASKED: Final[Mapping[str, Callable[[Any], Any]]] = {"sku": text, "qty": read_qty}
SITES_TOLD: Final = 10
"""Sites that the document keeps of a choice."""


@checked
def raise_indent(
    ledger: Ledger,
    lines: Lines,
    person: Person,
    *,
    customer: str,
    service_order: str,
    contract_type: str = "",
    priority: int = 0,
    required_by: dt.datetime | None = None,
    party: str = "",
    bu: str = "",
    note: str = "",
    key: str = "",
) -> dict[str, Any]:
    """Asks for the parts of a job; availability is looked at across the network, and a site is chosen (SP-8, SP-9).

    Args:
        ledger: The ledger.
        lines: One line per part: `sku`, `qty`.
        person: Someone of the service desk, or a storekeeper.
        customer: For whom.
        service_order: The number of the service order.
        contract_type: Who pays: a contract type of the settings, such as `warranty`; '' for none.
        priority: The lower is more urgent.
        required_by: When the parts are needed, with its time zone.
        party: The partner that has the job; the person's own if left out.
        bu: The business unit.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, `site` (who fulfils it; None if nobody can), `lines`, and `choice`: every site with what it
        could serve, the chosen one first, and `why` each comes after the one before it. A partner is told of its own
        stock only.

    Raises:
        InputError: `sku_unknown`, `site_unknown`, `qty_step`, `argument_value`, …
    """
    with all_problems() as part:
        with part():
            asked = read_lines(lines, ("sku", "qty"), ASKED)
        with part():
            said = _said(customer=customer, service_order=service_order, contract_type=contract_type)
        with part():
            needed = _moment(required_by)

    def work(doing: Doing) -> dict[str, Any]:
        settings = settings_in_force(doing)
        with all_problems() as part:
            with part():
                own = partner_of(doing, settings, party)
                bu_meant = bu_of(doing, own, bu)
            found = asked_of(doing, asked, unfit=no_part)
            with part():
                found.check()
        lines_wanted = [(found.skus[row["sku"]], found.steps[n]) for n, row in enumerate(asked)]
        wanted = Wanted(lines_wanted, contract_type, customer, bu_meant, priority, needed, own.name)
        told = choose(doing, settings, wanted)
        with doing.transaction():
            details = {**said, "priority": priority, "job_at": own.name,
                       **({"required_by": required_by.isoformat()} if required_by else {})}  # fmt: skip
            number = doing.open(INDENTS, "raised", bu=wanted.bu, party=own.name, details=details, marks=["raised"])
            doing.link(number, "service order", service_order)
            for n, (sku, qty) in enumerate(wanted.lines, start=1):
                doing.line(number, n, sku_id=sku.sku_id, line_id=f"{number}/{n}", qty=qty, state="open")
            state, site = _assigned(doing, settings, number, told, due_h(settings.sla(contract_type, priority)))
        lines_told = [{"line": n, "sku": sku.sku, "qty": quantity(qty, sku)}
                      for n, (sku, qty) in enumerate(wanted.lines, start=1)]  # fmt: skip
        seen = _seen(doing, told, site)
        return {"number": number, "state": state, "site": site, "lines": lines_told, "choice": seen}

    identity = (asked, said, priority, required_by, party, bu)
    answer: dict[str, Any] = take(ledger, person, INDENTS, "raise", work, *identity, key=key, note=note)
    return answer


def _said(**texts: str) -> dict[str, str]:
    problems, read = [], {}
    for name, value in texts.items():
        try:
            read[name] = text(value) if value or name != "contract_type" else ""
        except Unfit as unfit:
            problems.append(Problem(unfit.code, str(unfit), column=name, value=shown(value), hint=unfit.hint))
    if problems:
        raise InputError(problems)
    return {name: value for name, value in read.items() if value}


def _moment(moment: dt.datetime | None) -> dt.date | None:
    if moment is None:
        return None
    if not isinstance(moment, dt.datetime) or moment.tzinfo is None:
        hint = "As in datetime(2026, 6, 30, 12, tzinfo=UTC)"
        message = "a moment needs its time zone"
        raise InputError(Problem("argument_value", message, column="required_by", value=str(moment)[:80], hint=hint))
    return moment.astimezone(dt.UTC).date()


def due_h(sla: Sla, stage: str = "allocate") -> int | None:
    """Seconds after the indent until a stage is due; None without a term."""
    hours = getattr(sla, f"{stage}_hours")
    return None if hours is None else hours * 3600


def _assigned(
    doing: Doing, settings: PartnerSettings, number: str, told: Sequence[Mapping[str, Any]], due_s: int | None = None
) -> tuple[str, str | None]:
    """The first site of a choice is to fulfil an indent, if it can serve anything; its state and the site."""
    first = told[0] if told and told[0]["covered"] else None
    site = None if first is None else str(first["site"])
    document = doing.book.documents.get(number)
    assert document is not None
    job_at = document.details["job_at"]
    partners = {each.name for each in settings.partners}
    party = job_at if site is None else site if site in partners else ""
    kept = [{name: row[name] for name in ("site", "covered", "asked", "distance", "why")} for row in told[:SITES_TOLD]]
    state = "assigned" if site else "raised"
    doing.go(number, state, step=doing.step.name if document.state in doing.step.before else "assign", party=party,
             counterparty="" if party == job_at else job_at, place=site or "", details={"_choice": kept},
             due_s=due_s)  # fmt: skip
    return state, site


def _seen(doing: Doing, told: Sequence[Mapping[str, Any]], site: str | None) -> list[Mapping[str, Any]]:
    """Of a choice, what a person may see: a partner what it could serve itself, and the name of who does."""
    own = doing.person.party
    if not own:
        return list(told)
    return [
        row if row["site"] == own else {name: row[name] for name in ("site", "distance", "why")}
        for row in told
        if row["site"] in (own, site)
    ]


@checked
def assign_indent(
    ledger: Ledger, indent: str, person: Person, *, site: str = "", reason: str = "", key: str = ""
) -> dict[str, Any]:
    """Chooses again who fulfils an indent, or names who does (SP-9).

    Args:
        ledger: The ledger.
        indent: Its number.
        person: Someone of the service desk or the operations team.
        site: Who is to fulfil it; the one that the settings choose if left out.
        reason: Why; naming a site needs one.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, `site`, and the `choice`.

    Raises:
        InputError: `document_unknown`, `step_impossible`, `site_unknown`, `reason_missing`; `stock_short` where the
            site that is named has nothing that could serve it.
    """

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.begin(indent)
        settings = settings_in_force(doing)
        told = choose(doing, settings, wanted_of(doing, document))
        if site:
            with all_problems() as part:
                with part():
                    check_reason(reason, "naming a site")
                with part():
                    site_named(settings, site, column="site")
            told.sort(key=lambda row: row["site"] != site)
            told[0] = told[0] | {"why": "named"}
            if not told[0]["covered"]:
                message = f"{site} has nothing that could serve it under its contract"
                raise InputError(Problem("stock_short", message, column="site", value=site))
        with doing.transaction():
            state, chosen = _assigned(doing, settings, indent, told)
        return {"number": indent, "state": state, "site": chosen, "choice": _seen(doing, told, chosen)}

    answer: dict[str, Any] = take(ledger, person, INDENTS, "assign", work, indent, site, key=key, reason=reason)
    return answer


def wanted_of(doing: Doing, document: Document) -> Wanted:
    """What an indent asks for still."""
    said = document.details
    lines = doing.lines(document.number)
    needed = dt.datetime.fromisoformat(said["required_by"]) if "required_by" in said else None
    skus = [(doing.book.catalog.sku(line.sku_id or 0), max(line.qty - line.progress, 0)) for line in lines]
    return Wanted(skus, said.get("contract_type", ""), said["customer"], document.bu, said["priority"],
                  _moment(needed), said["job_at"])  # fmt: skip


@checked
def allocate_indent(ledger: Ledger, indent: str, person: Person, *, key: str = "") -> dict[str, Any]:
    """Promises stock of the site to an indent: what its contract permits, in the order of its policy (SP-10, SP-11).

    Returns:
        `number`, `state`, and per line `line`, `sku`, `requested`, `allocated`, `short` and the `reason` of what is
        short: `contract` where the contract does not cover what is there. What is short can be allocated later, or
        the indent assigned to another site.

    Raises:
        InputError: `document_unknown`, `step_impossible`, `role_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.begin(indent)
        check_shelf(doing, document)
        settings = settings_in_force(doing)
        site = site_named(settings, document.place, column="site")
        policy = settings.policy_for(document.details.get("contract_type"))
        wanted, lines = wanted_of(doing, document), doing.lines(indent)
        asked = [demand(wanted, line.n, indent, site.place, line.qty) for line in lines]
        rows = [{name: value for name, value in row.items() if value is not None} for row in asked]
        with doing.transaction("reserve", document=indent, document_kind=INDENTS.name) as heading:
            answer = reserve(doing.book, heading, Wish(rows, policy, heading.day))
            told = []
            for line, row, one in zip(lines, rows, answer["lines"], strict=True):
                state = "allocated" if not one["short"] else "short"
                doing.line(indent, line.n, state=state, details={"short": one["reason"]})
                told.append({"line": line.n, "sku": row["sku"], **told_short(doing, line, one)})
            got = any(one["allocated"] for one in answer["lines"])
            due = due_h(_sla(settings, document), "dispatch") if got else None
            doing.go(indent, "allocated" if got else "assigned", marks=["allocated"] if got else [], due_s=due)
        return {"number": indent, "state": "allocated" if got else "assigned", "lines": told}

    answer: dict[str, Any] = take(ledger, person, INDENTS, "allocate", work, indent, key=key)
    return answer


def _sla(settings: PartnerSettings, document: Document) -> Sla:
    return settings.sla(document.details.get("contract_type"), document.details["priority"])


def check_shelf(doing: Doing, document: Document) -> None:
    """Goods are touched only by those who have them in their store.

    Raises:
        InputError: `role_missing`.
    """
    if doing.person.party != document.party:
        message = f"the goods are at {document.place or document.party}: {doing.person.name} has them not at hand"
        raise InputError(Problem("role_missing", message, column="number", value=document.number))


@checked
def cancel_indent(ledger: Ledger, indent: str, person: Person, *, reason: str, key: str = "") -> dict[str, Any]:
    """Gives up what of an indent is not dispatched; what was promised to it is free again.

    Raises:
        InputError: `document_unknown`, `step_impossible`, `reason_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        doing.begin(indent)
        check_reason(reason, "cancelling")
        promises = promises_of(doing, indent, "reserved")
        out = any(line.progress for line in doing.lines(indent))
        state = "dispatched" if out else "cancelled"
        with doing.transaction("release" if promises else "document", document=indent) as heading:
            if promises:
                doing.post(heading, promises)
            for line in doing.lines(indent):
                if line.progress < line.qty:
                    doing.line(indent, line.n, state="cancelled", qty=line.progress)
            doing.go(indent, state)
            closed = close_if_over(doing, indent)
        return {"number": indent, "state": "closed" if closed else state}

    answer: dict[str, Any] = take(ledger, person, INDENTS, "cancel", work, indent, key=key, reason=reason)
    return answer


def close_if_over(doing: Doing, indent: str) -> bool:
    """Closes an indent once all of it was dispatched and every challan of it is over; within a transaction."""
    document = doing.book.documents.get(indent)
    if document is None or document.state != "dispatched":
        return False
    challans = doing.book.documents.linked_from(indent, "indent")
    doing.book.documents.load(challans)
    over = all(each.closed for number in challans if (each := doing.book.documents.get(number)))
    if over:
        doing.go(indent, "closed", step="close", marks=["closed"])
    return over


def settings_site(doing: Doing, document: Document) -> Site:
    """The site that fulfils an indent, or gave out a challan."""
    return site_named(settings_in_force(doing), document.place, column="site")
