"""What a ledger can be asked; nothing here changes it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from allocator.ledger import balances
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
        by: Sequence[str] = ("sku",),
        *,
        at: At = None,
        on: dt.date | None = None,
        skus: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """What there is, now or at any past moment.

        Args:
            by: What it is told by: any of `sku`, `lot`, `serial`, `location`, `status`, `condition`, `owner`, `holder`,
                `blocks`. None of them gives one row of totals.
            at: A past moment: the number of a transaction, a datetime with its time zone, or a date (to its end, UTC).
            on: The day on which goods must not have expired to be available; that of `at`, or today, if left out.
            skus: Only these.

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
        return balances.balances(self, by, at=at, on=on, skus=skus)

    def stock(self, *, skus: Sequence[str] | None = None, at: At = None) -> pl.DataFrame:
        """What is on hand, as `allocate` takes it: one row per balance, in the order of `stock_id`.

        The columns are those of `docs/tables.md`. Nothing that is done with the frame reaches the ledger.

        Raises:
            InputError: `argument_value`, `sku_unknown`, `transaction_unknown`.
        """
        return balances.stock(self, skus=skus, at=at)

    def lines(self) -> pl.DataFrame:
        """One row per demand line that ever had stock, by `line_id`.

        `requested`, `allocated` (promised now), `shipped` (given out), `returned` (of these, come back), `short` (what
        it still lacks), and the other columns that it came with as JSON in `details`.
        """
        return balances.lines(self)

    def allocations(self) -> pl.DataFrame:
        """One row per open promise, by `allocation_id`: the line, the stock row, and how much.

        `stage` is `held` (until `expires_at`), `reserved` or `picked`; `blocks` says why promised goods cannot go.
        """
        return balances.allocations(self)
