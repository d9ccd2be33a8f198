"""What must hold in the tables of a ledger, asked in SQL: shares no code with the ledger or with its `verify`."""

from __future__ import annotations

from allocator.ledger import Ledger

# Every row that one of these finds is a defect.
WRONG = {
    "balances that are not the sum of their entries": """
        SELECT goods_id, account_id, sum(qty), sum(reserved) FROM (
          SELECT goods_id, to_id AS account_id, qty, reserved FROM entry
          UNION ALL SELECT goods_id, from_id, -qty, -unreserved FROM entry
          UNION ALL SELECT goods_id, account_id, -qty, -reserved FROM balance
        ) each JOIN account USING (account_id) WHERE kind NOT IN ('supplier', 'production', 'found', 'migration')
        GROUP BY goods_id, account_id HAVING sum(qty) <> 0 OR sum(reserved) <> 0""",
    "balances that promise something else than their allocations": """
        SELECT goods_id, account_id, sum(qty) FROM (
          SELECT goods_id, account_id, qty FROM allocation
          UNION ALL SELECT goods_id, account_id, -reserved FROM balance
        ) each GROUP BY goods_id, account_id HAVING sum(qty) <> 0""",
    "lines that are promised something else than their allocations": """
        SELECT line_id, sum(qty) FROM (
          SELECT line_id, qty FROM allocation UNION ALL SELECT line_id, -allocated FROM line
        ) each GROUP BY line_id HAVING sum(qty) <> 0""",
    "more promised than there is": "SELECT * FROM balance WHERE reserved > qty OR qty < 0",
    "keys that did more than one thing": "SELECT key FROM txn WHERE key <> '' GROUP BY key HAVING count(*) > 1",
    "gaps": "SELECT count(*), max(seq) FROM txn HAVING count(*) <> coalesce(max(seq), 0)",
    "a head that is not the last transaction": """
        SELECT seq, hash FROM tenant EXCEPT SELECT seq, hash FROM txn WHERE seq = (SELECT max(seq) FROM txn)""",
}


def wrong(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    """What does not hold, of a store with one tenant."""
    with ledger.store.session() as session:
        found = {what: session.rows(query) for what, query in WRONG.items()}
    return {what: rows for what, rows in found.items() if rows}


def number(ledger: Ledger, query: str) -> int:
    """The one number that a query answers with."""
    with ledger.store.session() as session:
        ((answer,),) = session.rows(query)
    return int(answer or 0)


def promised(ledger: Ledger) -> int:
    """How many units are promised in all."""
    return number(ledger, "SELECT sum(reserved) FROM balance")
