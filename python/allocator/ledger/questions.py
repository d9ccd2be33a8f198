"""What a ledger can be asked; nothing here changes it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from allocator.ledger import balances, history, trace
from allocator.ledger.given import check, composed, listed
from allocator.ledger.snapshot import At
from allocator.ledger.store import Store

if TYPE_CHECKING:
    import polars as pl


class Questions:
    """The questions of `Ledger`."""

    store: Store
    tenant: int

    def balances(
        self,
        by: str | Sequence[str] = ("sku",),
        *,
        at: At = None,
        on: dt.date | None = None,
        skus: str | Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """What there is, now or at any past moment.

        Args:
            by: What it is told by, one or several of `sku`, `lot`, `serial`, `location`, `status`, `condition`,
                `owner`, `holder`, `blocks`. None of them gives one row of totals.
            at: A past moment: the number of a transaction, a datetime with its time zone, or a date (to its end, UTC).
            on: The day on which goods must not have expired to be available; that of `at`, or today, if left out.
            skus: Only this one, or these.

        Returns:
            One row per combination of `by` of which anything is there, in their order, nulls last; an owner of null is
            the business. Quantities are Int64, or Decimal if any SKU has decimal places:

            - `on_hand`: at a place of the business; `reserved` of it is promised.
            - `available`: of what is on hand, neither promised nor blocked nor expired, and in a status that the
              lifecycle calls allocatable.
            - `blocked`: of what is on hand, blocked for any reason.
            - `in_transit`: shipped and not yet received.
            - `dispatched`: with a customer, and still of the business; `rentals` too, and must come back.
            - `owned`: of the business: on hand, in transit, dispatched and rented out (WD-3).

        Raises:
            InputError: `argument_value`, `sku_unknown`, `transaction_unknown`.

        Cost: of now, a pass over the balances; of a past moment, one more over the entries since.

        Example:
            >>> from allocator.ledger import Ledger
            >>> with Ledger.open("sqlite://") as ledger:
            ...     _ = ledger.define([{"sku": "filter"}], actor="ana")
            ...     line = {"sku": "filter", "qty": 10, "location": "store"}
            ...     seq = ledger.post("receive", line, origin="supplier", document="GRN-1", actor="ana")
            ...     _ = ledger.post("ship", {"sku": "filter", "qty": 4}, document="DC-1", actor="ana")
            ...     now, then = ledger.balances(), ledger.balances(at=seq)
            >>> now["on_hand"].to_list(), now["in_transit"].to_list(), then["on_hand"].to_list()
            ([6], [4], [10])
        """
        by, skus = listed(by), listed(skus)
        check("by", by=by, on=on, skus=skus)
        return balances.balances(self, by, at=at, on=on, skus=skus)

    def stock(self, *, skus: str | Sequence[str] | None = None, at: At = None) -> pl.DataFrame:
        """What is on hand, as `allocate` takes it: one row per balance, in the order of `stock_id`.

        The columns are those of `docs/tables.md`. Nothing that is done with the frame reaches the ledger.

        Raises:
            InputError: `argument_value`, `sku_unknown`, `transaction_unknown`.
        """
        skus = listed(skus)
        check(skus=skus)
        return balances.stock(self, skus=skus, at=at)

    def lines(self) -> pl.DataFrame:
        """One row per demand line that ever had stock, by `line_id`.

        `requested`, `allocated` (promised now), `shipped` (given out), `returned` (of these, come back), `short` (what
        it still lacks), and the other columns that it came with as JSON in `details`.
        """
        return balances.lines(self)

    def allocations(self) -> pl.DataFrame:
        """One row per open promise, by `allocation_id`: the line, the stock row, and how much.

        `qty` is in units of the goods, `qty_served` what it counts for its line, in units of what that asks for: the
        same number unless a substitute counts otherwise.

        `stage` is `held` (until `expires_at`), `reserved` or `picked`; `blocks` says why promised goods cannot go.
        """
        return balances.allocations(self)

    def history(
        self,
        serial: str | None = None,
        *,
        sku: str | None = None,
        lot: str | None = None,
        stock_id: int | None = None,
        document: str | None = None,
        line_id: str | None = None,
        order_id: str | None = None,
        until: At = None,
    ) -> pl.DataFrame:
        """Everything that happened to one thing, in order: one row per event and unit, or receipt of a lot (SN-12).

        Args:
            serial: A unit, by any number that it has or had.
            sku: Its SKU, where units of several have the number; for `lot` too.
            lot: All that was ever received of a lot.
            stock_id: A stock row.
            document: What was done under a document.
            line_id: What was done for a demand line.
            order_id: What was done for the lines of an order.
            until: Up to this moment, as `at` of `balances`; to the last transaction if left out.

        Returns:
            `seq` (the transaction), `at` (when it was recorded), `day` (on which it took place), `event` (created,
            status, move, ownership, service, quality, transaction, pick, renumber, contact, allocation, note, purge),
            `type`, `subject` (what a note is about), `sku`, `lot`, `serial` (as it was then), `qty`, `reserved` and
            `unreserved` (what of it is promised after, and was before), `line_id`; where it was and what it became:
            `kind`, `location`, `status`, `condition`, `owner`, `holder`, `blocks`, each with `_before` and `_after`;
            `actor`, `role`, `approved_by`, `document_kind`, `document`, `reason`, `note`, `details`, `references`,
            `reverses`.

        Raises:
            InputError: `goods_unknown`, `goods_ambiguous`, `argument_value`, `transaction_unknown`.

        Cost: by index, whatever the size of the ledger.

        Example:
            >>> from allocator.ledger import Ledger
            >>> with Ledger.open("sqlite://") as ledger:
            ...     _ = ledger.define([{"sku": "gauge", "tracking": "serial"}], actor="ana")
            ...     line = {"sku": "gauge", "serial": "G-1", "location": "store"}
            ...     _ = ledger.post("receive", line, origin="supplier", document="GRN-1", actor="ana")
            ...     line = {"serial": "G-1", "to_status": "Quarantine"}
            ...     _ = ledger.post("change_status", line, note="dented", actor="bob")
            ...     told = ledger.history("G-1")
            >>> told.select("event", "status_before", "status_after", "note").rows()
            [('created', None, 'Available', None), ('status', 'Available', 'Quarantine', 'dented')]
        """
        check(serial=serial, sku=sku, lot=lot, stock_id=stock_id, document=document, line_id=line_id, order_id=order_id)
        asked = composed(serial=serial, sku=sku, lot=lot, document=document, line_id=line_id, order_id=order_id)
        return history.history(self, **asked, stock_id=stock_id, until=until)

    def state(self, serial: str, *, sku: str | None = None, at: At = None) -> dict[str, Any]:
        """What a unit is, or was at a past moment: where, in which status, whose, by which numbers, with what values.

        Args:
            serial: Any number that it has, or had by then.
            sku: Its SKU, where units of several have the number.
            at: A past moment, as in `balances`.

        Returns:
            `sku`, `serial`, `serials_before`, further `numbers` by kind, `lot`, `received_on`, `expires_on`,
            `stock_class`, `unit_cost`; `kind`, `location`, `status`, `condition`, `owner`, `holder`, `blocks`;
            `line_id` that it is promised to; `attributes`; `seq` and `changed_at` of the last event. None where there
            is nothing to say.

        Raises:
            InputError: `goods_unknown`, `goods_ambiguous`, `argument_value`, `transaction_unknown`.
        """
        check("serial", serial=serial, sku=sku)
        return history.state(self, **composed(serial=serial, sku=sku), at=at)

    def origin(
        self, serial: str | None = None, *, sku: str | None = None, lot: str | None = None, stock_id: int | None = None
    ) -> pl.DataFrame:
        """Which receipts, shipments and documents brought goods where they are, the first step first (SP-7, SP-21).

        One row per step that changed place or holder: as `history`, with `references` (further documents, as JSON).

        Raises:
            InputError: `goods_unknown`, `goods_ambiguous`.
        """
        check(serial=serial, sku=sku, lot=lot, stock_id=stock_id)
        return trace.origin(self, **composed(serial=serial, sku=sku, lot=lot), stock_id=stock_id)

    def whereabouts(
        self,
        document: str | None = None,
        *,
        serial: str | None = None,
        sku: str | None = None,
        lot: str | None = None,
    ) -> pl.DataFrame:
        """Where everything is now that a document moved, or a unit, or a lot (SP-21).

        One row per goods and account: `sku`, `lot`, `serial`, `qty`, `kind` (stock, transit, customer, consumed, …),
        `location`, `status`, `owner`, `holder`, `blocks`, and the transaction that brought them there: `seq`, `at`,
        `type`, `document_kind`, `document`, `line_id`, `actor`.

        Raises:
            InputError: `goods_unknown`, `goods_ambiguous`.
        """
        check(document=document, serial=serial, sku=sku, lot=lot)
        return trace.whereabouts(self, **composed(document=document, serial=serial, sku=sku, lot=lot))
