"""The ledger of one tenant: what happened, what there is, and what is promised."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Self

from allocator.errors import InputError, Problem
from allocator.ledger import chain, change, migrate
from allocator.ledger.asking import PLANNED_MIN, request_to_reserve
from allocator.ledger.catalog import Catalog
from allocator.ledger.define import define
from allocator.ledger.given import check, listed
from allocator.ledger.holds import end_promises
from allocator.ledger.lines import NOTE_LENGTH_MAX, Lines, Unfit, day, mappings_of, read_lines, shown, text
from allocator.ledger.questions import Questions
from allocator.ledger.recalled import catching
from allocator.ledger.receipts import gathering
from allocator.ledger.records import Heading, Today, day_number
from allocator.ledger.requests import Requests, content_of
from allocator.ledger.reverse import reverse
from allocator.ledger.rules import check_type, missing
from allocator.ledger.selection import in_units
from allocator.ledger.store import Store, open_store
from allocator.ledger.types import TYPES
from allocator.ledger.waiting import Request, Work
from allocator.model.lifecycle import Lifecycle
from allocator.model.policy import Policy

TIMEOUT_S = 30.0
"""How long a caller waits for others before it gets `store_busy`."""


class Ledger(Questions):
    """Every change of stock as a transaction, and what they add up to. Threads may share it.

    Example:
        >>> ledger = Ledger.open("sqlite://", tenant="demo")
        >>> ledger.define([{"sku": "filter"}], actor="ana")
        1
        >>> ledger.post(
        ...     "receive",
        ...     {"sku": "filter", "qty": 10, "location": "store"},
        ...     origin="supplier",
        ...     document="GRN-1",
        ...     actor="ana",
        ... )
        2
        >>> answer = ledger.reserve([{"line_id": "L1", "sku": "filter", "qty": 12}], actor="ana")
        >>> [(line["allocated"], line["short"], line["reason"]) for line in answer["lines"]]
        [(10, 2, 'insufficient')]
    """

    def __init__(self, store: Store, tenant: int, name: str) -> None:
        """Use `Ledger.open`."""
        self.store, self.tenant, self.name = store, tenant, name
        self.requests = Requests(store, Catalog(tenant))

    @classmethod
    def open(cls, url: str, tenant: str = "main", *, timeout_s: float = TIMEOUT_S) -> Self:
        """Opens a ledger, and sets it up if it is new.

        Args:
            url: `sqlite:///path/to/file.db`, `sqlite://` for one in memory, or `postgresql://user@host:port/database`.
            tenant: Whose stock it is. Tenants share a store and see nothing of each other.
            timeout_s: How long a call waits for others.

        Raises:
            InputError: `store_url`, or the name of the tenant cannot be one.
            StoreError: The store cannot be reached, or cannot be trusted.
        """
        name = _checked("tenant", tenant)
        store = open_store(url, timeout_s=timeout_s)
        try:
            migrate.upgrade(store)
            return cls(store, _number_of(store, name), name)
        except BaseException:
            store.close()
            raise

    def close(self) -> None:
        """Closes its connections."""
        self.requests.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- changes ---

    def define(
        self,
        skus: Iterable[Mapping[str, Any]] = (),
        *,
        lifecycles: Iterable[Lifecycle] = (),
        actor: str,
        key: str = "",
    ) -> int:
        """Sets up SKUs and lifecycles, or sets them up anew; the number of the transaction.

        A SKU that is there already is from now on what is said of it here: what is left out is not kept.

        Args:
            skus: One mapping per SKU: `sku`, `tracking` (`none`, `lot`, `serial`, `both`; `none` if left out), `scale`
                (decimal places of its quantities), `lifecycle` (its name), and any further setting.
            lifecycles: Lifecycles to have in force from now on.
            actor: Who does it.
            key: The caller's key, so that a repeat is answered and not done again.
        """
        given, documents = listed(skus), listed(lifecycles)
        check("rows", "lifecycles", rows=given, lifecycles=documents)
        rows = [dict(row) for row in given]
        heading = self.heading("define", actor=actor, key=key)
        content = content_of("define", rows, [document.plain() for document in documents])
        work = partial(define, heading=heading, skus=rows, lifecycles=documents)
        return int(self.requests.do(Request(work, heading.key, content)))

    def post(
        self,
        type: str,  # noqa: A002 - the word of the field
        lines: Lines,
        *,
        actor: str,
        origin: str = "",
        role: str = "",
        approved_by: str = "",
        document: str = "",
        document_kind: str = "",
        reason: str = "",
        note: str = "",
        day: dt.date | None = None,
        details: Mapping[str, Any] | None = None,
        key: str = "",
    ) -> int:
        """Records one transaction: all of its lines, or nothing.

        Args:
            type: A name of `TYPES`; `docs/ledger.md` says what each does and needs.
            lines: What it is about: a mapping, a list of mappings, or a table. Each names goods (by `stock_id`,
                `serial`, `allocation_id`, or `sku` with a place) and what becomes of them (`qty`, `to_location`, …).
            actor: Who does it.
            origin: Where received goods come from; a name of `ORIGINS`.
            role: The role in which the actor does it.
            approved_by: Who approved it.
            document: The number of its document, as a GRN or a delivery challan.
            document_kind: What kind of document that is.
            reason: The reason code.
            note: Free text.
            day: The day on which it took place; today (UTC) if left out.
            details: Further references: names and values.
            key: The caller's key, so that a repeat is answered and not done again.

        Returns:
            The number of the transaction.

        Raises:
            InputError: Every problem of the lines; nothing was done.
            StoreError: The store failed; the code tells whether anything may have been done.
        """
        problems: list[Problem] = []
        with gathering(problems):
            check_type(type)
        with gathering(problems):
            check("origin", origin=origin, details=details)
        is_plain = not problems
        with gathering(problems):
            heading = self.heading(
                type, actor=actor, role=role, approved_by=approved_by, document=document, document_kind=document_kind,
                reason=reason, note=note, day=day, key=key, details=details if is_plain else None,
            )  # fmt: skip
        is_headed = not problems
        with gathering(problems):
            rows = read_lines(lines)
        if problems:
            raise InputError([*(missing(heading, TYPES[type], origin) if is_headed else ()), *problems])
        work = catching(partial(change.post, heading=heading, lines=rows, origin=origin))
        return int(
            self.requests.do(Request(work, heading.key, content_of(heading.asked(), rows, origin) if key else b""))
        )

    def reverse(self, seq: int, *, actor: str, reason: str, note: str = "", key: str = "") -> int:
        """Takes a transaction back by its opposite; the number of the new one. What happened stays on record.

        Raises:
            InputError: `transaction_unknown`; `reversal_impossible`; `stock_short` where what it moved has moved on.
        """
        check("seq", seq=seq)
        heading = self.heading("reverse", actor=actor, reason=reason, note=note, key=key)._replace(reverses=seq)
        content = content_of("reverse", seq, reason)
        return int(self.requests.do(Request(catching(partial(reverse, heading=heading)), heading.key, content)))

    def reserve(
        self,
        lines: Lines,
        policy: Policy | None = None,
        *,
        actor: str,
        as_of: dt.date | None = None,
        hold_s: float | None = None,
        document: str = "",
        key: str = "",
    ) -> dict[str, Any]:
        """Promises stock to demand lines: what the policy gives them of what is there now.

        A line that has some already gets what it lacks. What is short has a reason, as in `allocate`.

        Args:
            lines: A mapping, a list of mappings, or a table, with columns of the demand table; `line_id`, `sku` and
                `qty` at least. With a `unit` of the policy, it is recorded and answered in base units.
            policy: Which stock may serve them, in which order; `Policy()` if left out.
            actor: Who does it.
            as_of: The day on which is decided; today (UTC) if left out.
            hold_s: Seconds after which the promise ends unless it is confirmed; without end if left out.
            document: The number of the order.
            key: The caller's key, so that a repeat is answered and not done again.

        Returns:
            `seq`, and for each line `line_id`, `requested`, `allocated`, `short`, `reason`, `allocations`; quantities
            are integers, those of SKUs with decimal places Decimals. Where a substitute does not count one
            for one, its allocation tells beside `qty` what that is for the line: `qty_served`.
        """
        check(policy=policy, hold_s=hold_s)
        heading = self.heading("reserve", actor=actor, document=document, day=as_of, key=key)
        request = request_to_reserve(self.requests, heading, mappings_of(lines, "demand"), policy, hold_s)
        answer: dict[str, Any] = in_units(self.requests.do(request))
        return answer

    async def reserve_async(
        self,
        lines: Lines,
        policy: Policy | None = None,
        *,
        actor: str,
        as_of: dt.date | None = None,
        hold_s: float | None = None,
        document: str = "",
        key: str = "",
    ) -> dict[str, Any]:
        """`reserve` for a coroutine: whoever awaits it does not keep the event loop from others.

        Many that are awaited at once share a commit, at less cost than as many threads. One that is cancelled may still
        come true: its key tells. For all other calls there is `asyncio.to_thread`.
        """
        given = mappings_of(lines, "demand")
        if len(given) >= PLANNED_MIN:
            later = partial(self.reserve, given, policy, actor=actor, as_of=as_of, hold_s=hold_s)
            return await asyncio.to_thread(later, document=document, key=key)
        check(policy=policy, hold_s=hold_s)
        heading = self.heading("reserve", actor=actor, document=document, day=as_of, key=key)
        request = request_to_reserve(self.requests, heading, given, policy, hold_s)
        answer: dict[str, Any] = in_units(await self.requests.do_async(request))
        return answer

    def confirm(
        self,
        *,
        order_id: str | None = None,
        allocation_ids: Sequence[int] | None = None,
        actor: str,
        document: str = "",
        key: str = "",
    ) -> int:
        """Makes holds promises without end, once; the number of the transaction.

        Args:
            order_id: All holds of this order.
            allocation_ids: These holds, instead.
            actor: Who does it.
            document: The number of what confirms them, as a payment.
            key: The caller's key, so that a repeat is answered and not done again.

        Raises:
            InputError: `hold_over`: its time is over, it was released, or it was confirmed before; `blocks_held`.
        """
        allocation_ids = listed(allocation_ids)
        check(order_id=order_id, allocation_ids=allocation_ids)
        heading = self.heading("confirm", actor=actor, document=document, key=key)
        work = partial(end_promises, heading=heading, order_id=order_id, allocation_ids=allocation_ids)
        return int(self.do(work, heading, order_id, allocation_ids))

    def release(
        self,
        *,
        order_id: str | None = None,
        allocation_ids: Sequence[int] | None = None,
        actor: str,
        reason: str = "",
        key: str = "",
    ) -> int:
        """Takes promises back, held or reserved, of an order or one by one; the number of the transaction.

        Raises:
            InputError: `line_unknown`, `allocation_unknown`: there is no such promise, or nothing of it is left;
                `transition_unlisted`: it is picked, and must be put back first.
        """
        allocation_ids = listed(allocation_ids)
        check(order_id=order_id, allocation_ids=allocation_ids)
        heading = self.heading("release", actor=actor, reason=reason, key=key)
        work = partial(end_promises, heading=heading, order_id=order_id, allocation_ids=allocation_ids)
        return int(self.do(work, heading, order_id, allocation_ids))

    def do(self, work: Work, heading: Heading, *said: object) -> Any:  # noqa: ANN401 - what the work answers
        """Has something done that may take several transactions: all of them, or none.

        Args:
            work: Does it, on the book that it is given.
            heading: Of its first transaction, which carries the key.
            said: What is asked, to tell a repeat from another request under the same key.
        """
        content = content_of(heading.asked(), *said) if heading.key else b""
        return self.requests.do(Request(catching(work), heading.key, content))

    def outcome(self, key: str) -> Any:  # noqa: ANN401 - what the request answered
        """What became of the request with this key: its answer, or None if it never happened."""
        check("key", key=key)
        return in_units(self.requests.outcome(key))

    def heading(self, type: str, *, day: dt.date | None = None, **said: Any) -> Heading:  # noqa: A002, ANN401
        """What is said of a transaction, with every problem of it."""
        details = said.pop("details", None)
        problems: list[Problem] = []
        read: dict[str, Any] = {}
        for name, value in said.items():
            try:
                left_out = value is None or (isinstance(value, str) and not value)
                read[name] = "" if left_out else text(value, NOTE_LENGTH_MAX if name == "note" else 200)
            except Unfit as unfit:
                problems.append(Problem(unfit.code, str(unfit), column=name, value=shown(value), hint=unfit.hint))
        if not read.get("actor") and not problems:
            problems.append(Problem("argument_missing", "every transaction has someone who made it", column="actor"))
        try:
            number = day_number(dt.datetime.now(dt.UTC).date()) if day is None else _day(day)
        except Unfit as unfit:
            problems.append(Problem(unfit.code, str(unfit), column="day", value=shown(day)))
        if problems:
            raise InputError(problems)
        made = json.dumps(dict(details), sort_keys=True, default=str, ensure_ascii=False) if details else ""
        return (Today if day is None else Heading)(type, day=number, details=made, **read)


def _number_of(store: Store, name: str) -> int:
    """The number of a tenant, which may be new."""
    query = "SELECT tenant FROM tenant WHERE name = :name"
    with store.session() as session:
        row = session.one(query, {"name": name})
    while row is None:
        # Whoever opens another new tenant at this moment may take the same number: then this does nothing.
        with store.session("write") as session:
            session.run(
                "INSERT INTO tenant (tenant, name, hash) SELECT COALESCE(MAX(tenant), 0) + 1, :name, :hash FROM tenant "
                "WHERE true ON CONFLICT DO NOTHING",
                {"name": name, "hash": chain.first_hash(name)},
            )
            row = session.one(query, {"name": name})
    return int(row[0])


_day = day


def _checked(name: str, value: object) -> str:
    try:
        return text(value)
    except Unfit as unfit:
        raise InputError(Problem(unfit.code, str(unfit), column=name, value=shown(value))) from None
