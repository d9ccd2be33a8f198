"""The ledger: every change of stock a transaction, and balances that are always their sum. See `docs/ledger.md`."""

from allocator.ledger.ledger import Ledger

__all__ = ["Ledger"]
