"""How each step that a board shows is taken: what a person who knows their work would say, by chance where they choose.

A walk that only tries whatever comes to mind hardly ever gets to the end of anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from allocator.flows import Person, document_of, scanning
from allocator.flows.partner.differences import OUTCOMES
from allocator.ledger import Ledger
from flows import yard

Said = tuple[str, dict[str, Any]] | None
"""The name of a step and what it is told; None where there is nothing to do after all."""


class Case:
    """A document that waits for someone."""

    def __init__(self, ledger: Ledger, number: str, person: Person, draw: Random) -> None:
        self.ledger, self.number, self.person, self.draw = ledger, number, person, draw
        self.told = document_of(ledger, number, person)
        self.details: dict[str, Any] = self.told["details"]

    def left(self) -> list[dict[str, Any]]:
        """The lines of which something is to be done still."""
        return [line for line in self.told["lines"] if line["sku"] and line["qty"] != line["progress"]]

    def some(self) -> list[dict[str, Any]]:
        """One or more of these."""
        left = self.left()
        return self.draw.sample(left, self.draw.randint(1, len(left))) if left else []


def parts(case: Case) -> list[dict[str, Any]]:
    """Parts that are left, by their lines: all of a line, or one."""
    one = case.draw.random() < 0.3
    return [{"line": line["line"]} | ({"qty": 1} if one else {}) for line in case.some()]


def plain(name: str, argument: str, **said: Any) -> Callable[[Case], Said]:
    """A step that is told the number of the document, and what is always said."""
    return lambda case: (name, {argument: case.number, **said})


def with_parts(name: str, argument: str, **said: Any) -> Callable[[Case], Said]:
    """The same, with parts that are left."""
    return lambda case: (name, {argument: case.number, "parts": mine, **said}) if (mine := parts(case)) else None


def decide(name: str) -> Callable[[Case], Said]:
    """Each line is approved, reduced or rejected."""

    def way(case: Case) -> Said:
        rows = [{"line": line["line"], "qty": case.draw.choice([line["qty"]] * 3 + ["0"]), "reason": "as we can"}
                for line in case.told["lines"]]  # fmt: skip
        return name, {"request": case.number, "decisions": rows}

    return way


def receive(case: Case) -> Said:
    """All of it, or some of it, some of that damaged."""
    if case.draw.random() < 0.4:
        return "receive_shipment", {"shipment": case.number}
    rows: list[dict[str, Any]] = []
    for line in case.some():
        named = {"serial": line["serial"]} if line["serial"] else {"sku": line["sku"], "qty": 1}
        rows.append(named | {"condition": case.draw.choice(["good", "good", "damaged"])})
    unique = {row.get("serial") or row["sku"]: row for row in rows}
    said = {"counted": list(unique.values()), "final": case.draw.random() < 0.5}
    return ("receive_shipment", {"shipment": case.number, **said}) if rows else None


def settle(case: Case) -> Said:
    """A difference ends in one of the ways that it can."""
    left = [line for line in case.told["lines"] if line["qty"] != line["progress"]]
    if not left:
        return None
    line = case.draw.choice(left)
    outcome = case.draw.choice(OUTCOMES[line["state"]])
    return "settle_difference", {"receipt": case.number, "line": line["line"], "outcome": outcome, "reason": "counted"}


def inward(case: Case) -> Said:
    """The broken part for one that was used."""
    due = [line for line in case.told["lines"] if line["state"] == "defective due"]
    if not due:
        return None
    line = case.draw.choice(due)
    serial = {"serial": line["serial"] or f"OLD-{case.draw.randint(1, 10**9)}"} if line["sku"] == "pump" else {}
    return "inward_defectives", {"reverse": case.number, "parts": [{"line": line["line"], **serial}]}


def waive(case: Case) -> Said:
    """The broken part will not come."""
    due = [line for line in case.told["lines"] if line["state"] == "defective due"]
    return ("waive_defective", {"reverse": case.number, "line": due[0]["line"], "reason": "gone"}) if due else None


def repaired(case: Case) -> Said:
    """A part is mended, or not."""
    if not case.left():
        return None
    outcome = case.draw.choice(["repaired", "refurbished", "scrapped"])
    said = {"line": case.left()[0]["line"], "outcome": outcome, "reason": "bench"}
    return "finish_repair", {"repair": case.number, **said}


def consume(case: Case) -> Said:
    """Parts were used, or are reported as lost."""
    if not (mine := parts(case)):
        return None
    if case.draw.random() < 0.4 and case.person.role != "service" and case.person.party == case.told["party"]:
        return "report_loss", {"challan": case.number, "parts": mine, "reason": "stolen"}
    return "consume", {"challan": case.number, "parts": mine}


def scan(case: Case) -> Said:
    """One of what is promised, or of what is free."""
    left = case.left()
    if not left:
        return None
    line = case.draw.choice(left)
    if line["sku"] == "battery":
        return "scan", {"order": case.number, "what": "battery", "qty": 1}
    stock = case.ledger.stock().filter(sku=line["sku"])
    serials = stock["serial"].to_list() if stock.height else []
    return ("scan", {"order": case.number, "what": case.draw.choice(serials)}) if serials else None


def undo(case: Case) -> Said:
    """One of what is in a box."""
    packed = scanning.box_contents(case.ledger, case.number, case.person)
    if packed.is_empty():
        return None
    row = packed.row(case.draw.randrange(packed.height), named=True)
    return "undo_scan", {"order": case.number, "what": row["serial"] or row["sku"]}


def drive(name: str) -> Callable[[Case], Said]:
    """One of the assets that the app shows, as it is shown."""

    def way(case: Case) -> Said:
        from allocator.flows.assets import choices  # noqa: PLC0415 - only drivers look at them

        shown = choices(case.ledger, case.number, yard.DAN)
        if name == "reserve_asset":
            shown = shown.filter(list="available")
        if shown.is_empty():
            return None
        row = shown.row(case.draw.randrange(shown.height), named=True)
        seen = {"seen": row["seen"]} if name != "reserve_asset" else {}
        return name, {"order": case.number, "asset": row["asset"], **seen}

    return way


def assign(case: Case) -> Said:
    """An asset that is free."""
    free = case.ledger.stock().filter(sku="20yd", status="Available")["serial"].to_list()
    return ("assign_asset", {"order": case.number, "asset": free[0], "note": "counted"}) if free else None


def advance(case: Case) -> Said:
    """The next stage, or another."""
    stages = ["submitted", "processing", "picking"] if case.told["state"] == "drafted" else ["picking", "packing"]
    return "advance_order", {"order": case.number, "stage": case.draw.choice(stages)}


def readings(name: str, **said: Any) -> Callable[[Case], Said]:
    """What the meters show by now."""

    def way(case: Case) -> Said:
        copier = case.told["lines"][0]["sku"] == "copier"
        pages = {"readings": {"pages": 1_000 * case.draw.randint(1, 9)}} if copier else {}
        return name, {"rental": case.number, "correction": "replaced", **(pages or {"readings": {}}), **said}

    return way


def member(name: str, **said: Any) -> Callable[[Case], Said]:
    """A device that is on the subscription."""

    def way(case: Case) -> Said:
        on = [line["serial"] for line in case.told["lines"] if line["state"] == "on"]
        return (name, {"subscription": case.number, "serial": case.draw.choice(on), **said}) if on else None

    return way


def add(case: Case) -> Said:
    """A router from the shelf, or one of the customer's own."""
    serial = case.draw.choice(["R-1", "R-2", "R-3", "R-4", "MY-1"])
    return "add_device", {"subscription": case.number, "serial": serial}


def replace(case: Case) -> Said:
    """Another one in the place of one that is on."""
    found = member("replace_device")(case)
    return found and (found[0], {**found[1], "by": case.draw.choice(["R-1", "R-2", "R-3", "R-4"])})


def invoice(case: Case) -> Said:
    """What its order delivered, or parts of it."""
    some = [{"sku": line["sku"]} for line in case.some()[:1]]
    return "invoice_order", {"order": case.details["order"], **({"parts": some} if case.draw.random() < 0.5 else {})}


def tell(case: Case) -> Said:
    """Someone who has some, and was not told."""
    from allocator.flows.quality import recall_reach  # noqa: PLC0415 - only recalls are looked at so

    out = recall_reach(case.ledger, case.number, case.person).filter(state="out")["contact"].to_list()
    return (
        ("tell_contact", {"recall": case.number, "contact": case.draw.choice(out), "channel": "phone"}) if out else None
    )


def clear(case: Case) -> Said:
    """Something that is blocked by it."""
    blocked = [line["line"] for line in case.told["lines"] if line["state"] == "blocked"]
    said = {"parts": [{"line": case.draw.choice(blocked)}], "note": "sound"} if blocked else {}
    return ("clear_recalled", {"recall": case.number, **said}) if blocked else None


DHL: Final = {"carrier": "DHL"}
WHY: Final = {"reason": "changed mind"}
BOX: Final = {"length_mm": 300, "width_mm": 200, "height_mm": 100}
CREW: Final = {"picking": "pat", "packing": "pam", "shipping": "pam"}
ON: Final[dict[str, Any]] = {"service": "tv"}

WAYS: Final[Mapping[tuple[str, str], Callable[[Case], Said]]] = {
    ("part request", "decide"): decide("decide_request"),
    ("part request", "allocate"): plain("allocate_request", "request"),
    ("part request", "pick"): plain("pick_request", "request"),
    ("part request", "ship"): plain("ship_request", "request", **DHL),
    ("part request", "withdraw"): plain("withdraw_request", "request", **WHY),
    ("indent", "assign"): plain("assign_indent", "indent"),
    ("indent", "allocate"): plain("allocate_indent", "indent"),
    ("indent", "dispatch"): plain("issue_challan", "indent", holder="tim"),
    ("indent", "cancel"): plain("cancel_indent", "indent", **WHY),
    ("shipment", "receive"): receive,
    ("warehouse challan", "receive"): receive,
    ("delivery challan", "consume"): consume,
    ("delivery challan", "return"): with_parts("return_unused", "challan"),
    ("reverse challan", "inward"): inward,
    ("reverse challan", "waive"): waive,
    ("repair", "finish"): repaired,
    ("goods receipt", "settle"): settle,
    ("write-off", "approve"): plain("approve_loss", "write_off"),
    ("write-off", "reject"): plain("reject_loss", "write_off", **WHY),
    ("return request", "decide"): decide("decide_return"),
    ("return request", "ship"): plain("ship_return", "request", **DHL),
    ("return request", "withdraw"): plain("withdraw_return", "request"),
    ("customer order", "assign"): plain("assign_operators", "order", **CREW),
    ("customer order", "pick"): plain("scanning.pick_order", "order"),
    ("customer order", "scan"): scan,
    ("customer order", "undo"): undo,
    ("customer order", "pack"): plain("confirm_packing", "order"),
    ("customer order", "ship"): plain("scanning.ship_order", "order", **DHL),
    ("customer order", "cancel"): plain("scanning.cancel_order", "order", **WHY),
    ("box", "save"): plain("save_box", "box"),
    ("box", "confirm"): plain("confirm_box", "box", **BOX),
    ("asset order", "reserve"): drive("reserve_asset"),
    ("asset order", "deliver"): drive("deliver_asset"),
    ("asset order", "fetch"): plain("order_removal", "order"),
    ("asset order", "remove"): drive("remove_asset"),
    ("asset order", "assign"): assign,
    ("asset order", "cancel"): plain("cancel_asset_order", "order", **WHY),
    ("asset exception", "confirm"): plain("confirm_exception", "exception", note="so be it"),
    ("sales order", "advance"): advance,
    ("sales order", "deliver"): plain("deliver_order", "order"),
    ("sales order", "take back"): plain("take_back_delivered", "order"),
    ("sales order", "complete"): plain("complete_order", "order", **WHY),
    ("sales order", "cancel"): plain("devices.cancel_order", "order", **WHY),
    ("delivery", "invoice"): invoice,
    ("registration", "withdraw"): plain("withdraw_devices", "registration"),
    ("rental", "read"): readings("read_rental"),
    ("rental", "end"): plain("end_rental", "rental"),
    ("rental", "return"): readings("return_rental"),
    ("rental", "buy"): plain("buy_rental", "rental"),
    ("subscription", "add"): add,
    ("subscription", "replace"): replace,
    ("subscription", "remove"): member("remove_device"),
    ("subscription", "enable"): member("enable_service", **ON),
    ("subscription", "disable"): member("disable_service", **ON),
    ("subscription", "act"): member("act_on_device", action="reset PIN"),
    ("subscription", "use"): member("log_usage", **ON, usage={"hours": 1}),
    ("subscription", "end"): plain("end_subscription", "subscription"),
    ("hold", "lift"): plain("lift_hold", "hold"),
    ("recall", "tell"): tell,
    ("recall", "clear"): clear,
    ("recall", "close"): plain("close_recall", "recall"),
}
"""By flow and step, how it is taken."""
