"""What becomes of the differences of a receipt: each is settled, and the goods are moved accordingly (SP-6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, all_problems, check_reason, take
from allocator.flows.given import checked
from allocator.flows.partner.network import line_named, numbers, settings_in_force, site_named, stock_rows
from allocator.flows.partner.receipt import RECEIPTS, transit
from allocator.flows.partner.shipments import sku_of
from allocator.flows.quantities import as_qty
from allocator.ledger.documents import Document, DocumentLine
from allocator.ledger.selection import key_of, stock_id
from allocator.model.document import did_you_mean
from allocator.model.network import Site

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

Outcome = Literal["arrived", "not sent", "lost", "kept", "sent back", "accepted", "scrapped", "to be returned"]
OUTCOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "short": ("arrived", "not sent", "lost"),
    "excess": ("kept", "sent back"),
    "wrong part": ("kept", "sent back"),
    "damaged": ("accepted", "scrapped", "to be returned"),
}
"""What can become of each difference: short goods arrived later, never left the warehouse, or are lost; what was not on
the shipment is kept (it comes out of the warehouse's stock) or goes back as it came; damaged parts are accepted after
all, scrapped, or wait in quarantine to be returned."""


@checked
def settle_difference(
    ledger: Ledger, receipt: str, line: int, outcome: Outcome, person: Person, *, reason: str = "", note: str = "",
    key: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Decides what becomes of a difference of a receipt, and moves the goods accordingly (SP-6).

    Args:
        ledger: The ledger.
        receipt: The number of the receipt.
        line: The number of its line.
        outcome: One of `OUTCOMES` for such a difference.
        person: Someone of the operations team.
        reason: The reason code; a loss and scrap need one.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, and the `line` with its `outcome`.

    Raises:
        InputError: `line_unknown`; `step_impossible` where the line is settled, or is no difference; `argument_value`;
            `reason_missing`; `stock_short` where the warehouse has not what is kept.
    """

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.begin(receipt)
        found = line_named(doing, document, line)
        outcomes = OUTCOMES.get(found.state, ())
        if found.progress == found.qty:
            message = f"line {line} is {found.details.get('outcome', found.state)}: nothing is to be settled"
            hint = f"To be settled: {numbers(each.n for each in doing.lines(receipt) if each.progress < each.qty)}"
            raise InputError(Problem("step_impossible", message, column="line", value=str(line), hint=hint))
        with all_problems() as part:
            with part():
                _check_outcome(outcome, outcomes, found.state)
            with part():
                if outcome in ("lost", "scrapped"):
                    check_reason(reason, f"what is {outcome}")
        _SETTLED.get(outcome, _recorded)(_Difference(doing, document, found, outcome, reason or outcome))
        left = [each for each in doing.lines(receipt) if each.progress < each.qty]
        return {"number": receipt, "state": "differences" if left else "settled", "line": line, "outcome": outcome}

    answer: dict[str, Any] = take(ledger, person, RECEIPTS, "settle", work, receipt, line, outcome, reason, key=key,
                                  reason=reason, note=note)  # fmt: skip
    return answer


def _check_outcome(outcome: str, outcomes: tuple[str, ...], state: str) -> None:
    if outcome not in outcomes:
        hint = did_you_mean(str(outcome), outcomes) or f"There are {', '.join(outcomes)}"
        message = f"what is {state} does not end so"
        raise InputError(Problem("argument_value", message, column="outcome", value=str(outcome)[:80], hint=hint))


@dataclass(frozen=True)
class _Difference:
    """A difference that is being settled."""

    doing: Doing
    receipt: Document
    line: DocumentLine
    outcome: str
    reason: str

    def ends(self) -> None:
        """The line is settled, within the last transaction."""
        number, n = self.receipt.number, self.line.n
        self.doing.line(number, n, progress=self.line.qty, details={"outcome": self.outcome})
        open_ = [each for each in self.doing.lines(number) if each.progress < each.qty]
        self.doing.go(number, "differences" if open_ else "settled")

    @property
    def said(self) -> dict[str, str]:
        return {"document": self.receipt.number, "document_kind": self.receipt.details["kind"], "reason": self.reason}

    @property
    def site(self) -> Site:
        """Where the goods were counted."""
        to_store = self.receipt.details["kind"] == "GRN_TO_STORE"
        name = self.receipt.party if to_store else self.receipt.place
        return site_named(settings_in_force(self.doing), name)

    @property
    def sender(self) -> Site:
        """Where the goods came from."""
        to_store = self.receipt.details["kind"] == "GRN_TO_STORE"
        name = self.receipt.place if to_store else self.receipt.counterparty
        return site_named(settings_in_force(self.doing), name)

    def shipped(self) -> dict[str, Any]:
        """The goods, on their way still."""
        (line,) = self.doing.lines(self.receipt.details["shipment"], [self.line.details["line"]])
        self.doing.book.load_goods([line.goods_id or 0])
        self.doing.book.catalog.load_sku_ids(self.doing.book.session, [line.sku_id or 0])
        return transit(self.doing, line, self.line.qty)


def _recorded(difference: _Difference) -> None:
    with difference.doing.transaction(**difference.said):
        difference.ends()


def _arrived(difference: _Difference) -> None:
    line = difference.shipped() | {"to_location": difference.site.store}
    with difference.doing.transaction("receive", **difference.said) as heading:
        difference.doing.post(heading, [line], "transfer")
        difference.ends()


def _not_sent(difference: _Difference) -> None:
    line = difference.shipped() | {"to_location": difference.sender.store}
    with difference.doing.transaction("return", **difference.said) as heading:
        difference.doing.post(heading, [line])
        difference.ends()


def _lost(difference: _Difference) -> None:
    """What is lost on its way is written off where it was sent from."""
    doing, line = difference.doing, difference.shipped()
    with doing.transaction("return", **difference.said) as heading:
        went = doing.post(heading, [line | {"to_location": f"{difference.sender.place}/lost in transit"}])
    goods_id, before = key_of(line["stock_id"])
    with doing.transaction("adjust", **difference.said) as heading:
        doing.post(heading, [{"stock_id": stock_id(goods_id, went[goods_id, before]), "qty": line["qty"]}])
        difference.ends()


def _kept(difference: _Difference) -> None:
    """What came beside the shipment comes out of the warehouse's stock, on record too."""
    doing = difference.doing
    lines = _from_warehouse(difference)
    with doing.transaction("ship", **difference.said) as heading:
        out = [line | {"to_location": difference.site.place, "to_holder": "found"} for line in lines]
        went = doing.post(heading, out)
    arrived = [
        {"stock_id": stock_id(key[0], went[key]), "qty": line["qty"], "to_location": difference.site.store}
        for line in lines
        if (key := key_of(line["stock_id"]))
    ]
    with doing.transaction("receive", **difference.said) as heading:
        doing.post(heading, arrived, "transfer")
        difference.ends()


def _from_warehouse(difference: _Difference) -> list[dict[str, Any]]:
    """The oldest free stock of the sender that the difference can have been, or its very unit."""
    doing, line = difference.doing, difference.line
    serial = line.details.get("serial")
    if serial:
        asked = {"serial": serial}
        goods = {doing.unit_at(asked, 0, difference.sender.place)}
        skus = {doing.book.goods[each].sku_id for each in goods}
    else:
        goods, skus = set(), {line.sku_id or 0}
    taken, left = [], line.qty
    for row in stock_rows(doing, difference.sender.place, skus):
        free = row.qty - row.reserved
        fits = row.goods.goods_id in goods if goods else row.goods.lot == line.details.get("lot", row.goods.lot)
        part = min(left, free) if fits and not row.account.blocks and row.account.status == "available" else 0
        if part:
            sku = doing.book.catalog.sku(row.goods.sku_id)
            taken.append({"stock_id": stock_id(row.goods.goods_id, row.account_id), "qty": as_qty(part, sku)})
            left -= part
    if left:
        message = f"{difference.sender.name} has not so much of it free on record"
        hint = "Count the warehouse first: adjust"
        raise InputError(Problem("stock_short", message, column="line", value=str(line.qty), hint=hint))
    return taken


def _damaged(difference: _Difference) -> dict[str, Any]:
    doing, goods_id = difference.doing, difference.line.goods_id or 0
    doing.book.load_goods([goods_id])
    doing.book.catalog.load_sku_ids(doing.book.session, [difference.line.sku_id or 0])
    account = difference.line.details["account"]
    if not doing.book.balance(goods_id, account).qty:
        message = "it is no longer in quarantine"
        raise InputError(Problem("goods_unknown", message, column="line", value=str(difference.line.n)))
    return {"stock_id": stock_id(goods_id, account), "qty": as_qty(difference.line.qty, sku_of(doing, goods_id))}


def _accepted(difference: _Difference) -> None:
    doing = difference.doing
    line = _damaged(difference) | {
        "to_location": difference.site.store,
        "to_status": "available",
        "to_condition": "new",
    }
    with doing.transaction("change_status", approved_by=doing.person.name, **difference.said) as heading:
        doing.post(heading, [line])
        difference.ends()


def _scrapped(difference: _Difference) -> None:
    with difference.doing.transaction("scrap", **difference.said) as heading:
        difference.doing.post(heading, [_damaged(difference)])
        difference.ends()


_SETTLED: Final = {
    "arrived": _arrived, "not sent": _not_sent, "lost": _lost, "kept": _kept, "accepted": _accepted,
    "scrapped": _scrapped,
}  # fmt: skip
