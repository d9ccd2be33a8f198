"""What seldom changes, kept in memory: SKUs, lifecycles and accounts of a tenant."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from allocator.errors import InputError, Problem
from allocator.ledger.records import Account, Heading, Sku
from allocator.ledger.store import Session
from allocator.model.document import did_you_mean
from allocator.model.lifecycle import Lifecycle
from allocator.transitions import check_transition

_SKU: Final = "SELECT sku_id, sku, tracking, scale, lifecycle, settings FROM sku WHERE tenant = :tenant AND "


class Catalog:
    """The SKUs, lifecycles and accounts of one tenant, as far as they were asked for.

    Attributes:
        seen: The last transaction that all this was read after, and its hash; of nothing, zero.
    """

    def __init__(self, tenant: int) -> None:
        self.tenant = tenant
        self.forget()

    def forget(self) -> None:
        """Begins anew: the store has another history than the one that all this is of, since it was put back."""
        self.seen: tuple[int, bytes] = (0, b"")
        self.accounts: dict[int, Account] = {}
        self.account_ids: dict[Account, int] = {}
        self._last = 0
        self._version = -1
        self._skus: dict[int, Sku] = {}
        self._ids: dict[str, int] = {}
        self._lifecycles: dict[str, Lifecycle] = {}
        self._next: dict[tuple[str, str, str], str | None] = {}
        self._verdicts: dict[tuple[object, ...], tuple[Problem, ...]] = {}

    @property
    def version(self) -> int:
        """The last transaction that defined any SKU or lifecycle, as far as it was read."""
        return self._version

    def refresh(self, session: Session, account_last: int, sku_version: int) -> None:
        """Takes in what others added since."""
        if account_last > self._last:
            params = {"tenant": self.tenant, "last": self._last}
            columns = ", ".join(Account._fields)
            sql = f"SELECT account_id, {columns} FROM account WHERE tenant = :tenant AND account_id > :last"
            for number, *fields in session.rows(sql, params):
                self.open_account(number, Account(*fields))
        if sku_version != self._version:
            sql = "SELECT name, document FROM lifecycle WHERE tenant = :tenant ORDER BY seq"
            found = session.rows(sql, {"tenant": self.tenant})
            newest: dict[str, str] = dict(found)
            self._lifecycles = {name: Lifecycle.loads(text, "json") for name, text in newest.items()}
            self._skus.clear()
            self._ids.clear()
            self._next.clear()
            self._verdicts.clear()
            self._version = sku_version

    def open_account(self, number: int, account: Account) -> None:
        """An account and its number."""
        self.accounts[number] = account
        self.account_ids[account] = number
        self._last = max(self._last, number)

    def forget_account(self, number: int, account: Account) -> None:
        """An account that was not recorded after all."""
        if self.account_ids.get(account) == number:
            del self.account_ids[account], self.accounts[number]
            self._last = min(self._last, number - 1)

    def read_again(self) -> None:
        """Lifecycles and SKUs may not have been recorded as they are here."""
        self._version = -1

    def load_skus(self, session: Session, names: Iterable[str]) -> None:
        """Reads SKUs by name; those that do not exist stay unknown."""
        lacking = sorted({n for n in names if n not in self._ids})
        if lacking:
            self._take(session.rows(f"{_SKU} sku = ANY(:names)", {"tenant": self.tenant, "names": lacking}))

    def load_sku_ids(self, session: Session, ids: Iterable[int]) -> None:
        """Reads SKUs by number."""
        lacking = sorted({i for i in ids if i not in self._skus})
        if lacking:
            self._take(session.rows(f"{_SKU} sku_id = ANY(:ids)", {"tenant": self.tenant, "ids": lacking}))

    def _take(self, rows: Iterable[tuple[object, ...]]) -> None:
        for number, name, tracking, scale, lifecycle, settings in rows:
            sku = Sku(number, name, tracking, scale, self._lifecycles[lifecycle], json.loads(settings))  # type: ignore[arg-type,index]
            self._skus[sku.sku_id] = sku
            self._ids[sku.sku] = sku.sku_id

    def next_status(self, sku: Sku, event: str, status: str) -> str | None:
        """The status to which an event changes goods of a SKU; None where it changes nothing."""
        key = (sku.lifecycle.name, event, status)
        if key not in self._next:
            self._next[key] = sku.lifecycle.next_on(event, status)
        return self._next[key]

    def failings(self, sku: Sku, before: str, after: str, heading: Heading) -> tuple[Problem, ...]:
        """What the lifecycle in force has against a change of status; a new unit has none before.

        The answer is the same for all goods of a lifecycle: it is found once.
        """
        said = (heading.role, bool(heading.approved_by), heading.reason, heading.document_kind)
        key = (sku.lifecycle.name, before, after, *said)
        if key not in self._verdicts:
            self._verdicts[key] = ()
            try:
                check_transition(
                    sku.lifecycle, before or None, after, role=heading.role or None, approval=said[1],
                    reason=heading.reason or None, document=heading.document_kind or None,
                )  # fmt: skip
            except InputError as error:
                self._verdicts[key] = tuple(error.problems)
        return self._verdicts[key]

    def lifecycle(self, name: str) -> Lifecycle:
        """The lifecycle in force under a name; a preset before anyone has used it."""
        return self._lifecycles.get(name) or Lifecycle.load(name)

    def skus(self) -> list[Sku]:
        """The SKUs that are loaded."""
        return list(self._skus.values())

    def sku(self, sku_id: int) -> Sku:
        """A SKU that is loaded."""
        return self._skus[sku_id]

    def find(self, name: str) -> Sku | None:
        """A SKU that is loaded, by name."""
        number = self._ids.get(name)
        return None if number is None else self._skus[number]

    def named(self, name: str, row: int | None = None) -> Sku:
        """A SKU that is loaded, by name.

        Raises:
            InputError: `sku_unknown`.
        """
        found = self.find(name)
        if found is None:
            hint = did_you_mean(name, list(self._ids)) or "Define it first: ledger.define(...)"
            raise InputError(Problem("sku_unknown", "there is no such SKU", "lines", "sku", row, name[:80], hint))
        return found
