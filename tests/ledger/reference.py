"""A naive ledger: folds the text of an exported one into plain dicts, entry by entry, and says where the two differ.

It shares no code with the package. It also says what an order for a SKU without serials must get of what is there.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

SOURCES = {"supplier", "production", "found", "migration", "brought"}


class Reference:
    """What the entries of an exported ledger add up to."""

    def __init__(self, dump: str) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {}
        for text in dump.splitlines():
            if text.startswith("# "):
                rows = self.tables[text[2:]] = []
            else:
                rows.append(json.loads(text))
        self.goods = {row["goods_id"]: row for row in self.tables["goods"]}
        self.accounts = {row["account_id"]: row for row in self.tables["account"]}
        self.skus = {row["sku"]: row for row in self.tables["sku"]}
        self.types = {row["seq"]: row["type"] for row in self.tables["txn"]}
        self.exchanges = {
            (row["line_id"], row["sku_id"]): (row["given"], row["asked"]) for row in self.tables.get("exchange", ())
        }
        self.qty: dict[tuple[int, int], int] = defaultdict(int)
        self.reserved: dict[tuple[int, int], int] = defaultdict(int)
        self.promises: dict[tuple[str, int, int], int] = defaultdict(int)
        self.lines: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        self.place: dict[int, int] = {}
        self.wrong: list[str] = []
        for entry in self.tables["entry"]:
            self._add(entry)
        self._compare()

    def _add(self, entry: dict[str, Any]) -> None:
        goods, qty, line = entry["goods_id"], entry["qty"], entry["line_id"]
        where = f"entry {entry['seq']}.{entry['n']}"
        for sign, side, promised in ((-1, "from_id", "unreserved"), (1, "to_id", "reserved")):
            account = entry[side]
            if self.accounts[account]["kind"] not in SOURCES:
                self.qty[goods, account] += sign * qty
                self.reserved[goods, account] += sign * entry[promised]
            if line and entry[promised]:
                self.promises[line, goods, account] += sign * entry[promised]
        for side in ("from_id", "to_id"):
            key = goods, entry[side]
            if not 0 <= self.reserved[key] <= self.qty[key]:
                self.wrong.append(f"{where} leaves {self.qty[key]} with {self.reserved[key]} promised")
        if self.goods[goods]["serial"] and qty:
            if qty != 1 or self.place.get(goods, entry["from_id"]) != entry["from_id"]:
                self.wrong.append(f"{where} moves {qty} of a unit that is elsewhere")
            self.place[goods] = entry["to_id"]
        if line:
            self._count(entry, self.lines[line])

    def _count(self, entry: dict[str, Any], counts: list[int]) -> None:
        given, asked = self.exchanges.get((entry["line_id"], self.goods[entry["goods_id"]]["sku_id"]), (1, 1))
        if any(entry[name] % given for name in ("qty", "unreserved", "reserved")):
            self.wrong.append(f"entry {entry['seq']}.{entry['n']} tears an exchange of {given}")
        ended = (entry["unreserved"] - entry["reserved"]) // given * asked
        counts[0] -= ended
        if entry["unreserved"] and self.accounts[entry["to_id"]]["kind"] != "stock":
            counts[1] += ended
        if not entry["unreserved"] and not entry["reserved"]:
            back = entry["qty"] // given * asked
            counts[2] += -back if self.types[entry["seq"]] == "reverse" else back

    def _compare(self) -> None:
        """The tables that are kept beside the entries must say the same."""
        kept = {(r["goods_id"], r["account_id"]): (r["qty"], r["reserved"]) for r in self.tables["balance"]}
        folded = {key: (qty, self.reserved[key]) for key, qty in self.qty.items() if qty or self.reserved[key]}
        self._differ("balance", kept, folded)
        open_: dict[tuple[str, int, int], int] = defaultdict(int)
        for row in self.tables["allocation"]:
            open_[row["line_id"], row["goods_id"], row["account_id"]] += row["qty"]
        self._differ("allocation", dict(open_), {key: qty for key, qty in self.promises.items() if qty})
        counts = {r["line_id"]: [r["allocated"], r["shipped"], r["returned"]] for r in self.tables["line"]}
        self._differ("line", counts, dict(self.lines))
        for row in self.tables["line"]:
            if not 0 <= row["returned"] <= row["shipped"] <= row["shipped"] + row["allocated"] <= row["qty"]:
                self.wrong.append(f"line {row}")
        self._differ("seq", [row["seq"] for row in self.tables["txn"]], list(range(1, len(self.types) + 1)))

    def _differ(self, what: str, kept: object, folded: object) -> None:
        if kept != folded:
            self.wrong.append(f"{what}: {kept} kept, {folded} by the entries")

    # --- what an order gets ---

    def free(self, sku: str, day: int, statuses: set[str]) -> list[tuple[int, int, int]]:
        """What of a SKU may be promised: goods, account and quantity; first expired first, then oldest receipt."""
        rows = []
        for (goods, account), qty in self.qty.items():
            at, of = self.accounts[account], self.goods[goods]
            free = qty - self.reserved[goods, account]
            fits = of["sku_id"] == self.skus[sku]["sku_id"] and at["kind"] == "stock" and at["status"] in statuses
            fresh = of["received_on"] <= day and (of["expires_on"] is None or of["expires_on"] >= day)
            if fits and fresh and free and not at["blocks"]:
                expires = (of["expires_on"] is None, of["expires_on"] or 0)
                rows.append((expires, of["received_on"], goods, account, free))
        return [row[2:] for row in sorted(rows)]

    def promised(self, sku: str, qty: int, day: int, statuses: set[str]) -> list[tuple[int, int, int]]:
        """What an order of so much gets: goods, account and quantity of each."""
        taken = []
        for goods, account, free in self.free(sku, day, statuses):
            if part := min(qty, free):
                taken.append((goods, account, part))
            qty -= part
        return taken
