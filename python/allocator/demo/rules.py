"""What the demo assumes: everything that is derived and not measured, in one place.

The order lines are real; there is no stock in them. What a store received, when, and in which state, follows from
these rules. They hold no randomness: the same lines give the same stock on every machine.
"""

from __future__ import annotations

from typing import Final

DEPARTMENTS_DROPPED: Final = ("FUEL", "MISCELLANEOUS")
"""Fuel is metered in thousands of small units, and most of MISCELLANEOUS is fuel too."""

SHELF_LIFE_DAYS: Final = {
    "CHEF SHOPPE": 4,
    "DELI": 7,
    "FLORAL": 7,
    "FROZEN GROCERY": 180,
    "MEAT": 6,
    "MEAT-PCKGD": 30,
    "PASTRY": 5,
    "PRODUCE": 10,
    "RESTAURANT": 2,
    "SALAD BAR": 2,
    "SEAFOOD": 4,
    "SEAFOOD-PCKGD": 60,
}
"""Days from receipt to expiry, by department. A department that is not here never expires."""

COVER_DAYS_MAX: Final = 28
"""A delivery covers half of the shelf life, at least one day and at most so many."""

ARRIVES: Final = ((2, 0.0), (8, 0.5), (82, 1.0), (100, 1.5))
"""What a delivery brings, as a share of what will be sold, for draws (0 to 99) below a number: 2 of 100 bring nothing,
6 half (rounded down), 74 all of it, 18 half as much again (rounded up)."""

LATE: Final = 5
"""Of 100 deliveries so many arrive two days late; the others on the day before they are needed first."""

SHORT_DATED: Final = 20
"""Of 100 deliveries so many arrive with half of their shelf life gone."""

STATES: Final = ("blocked", "quarantine", "defective", "supplier", "reserved")
"""Of 100 deliveries one each is blocked, in quarantine, defective, the supplier's own, and reserved in full."""

UNLISTED: Final = 1
"""Of 100 products that a store sells so many are never delivered to it."""

IN_WORDS: Final = f"""\
**Deliveries.** A store gets a product for a stretch of days at a time: half of the product's shelf life, at least
one day and at most {COVER_DAYS_MAX}, counted from the first day of the data. The delivery for a stretch is meant to
bring what the store really sells in it, as one lot, on the day before the stretch begins. It does not always: of 100
deliveries 2 bring nothing, 6 half of it (rounded down), 74 all of it, and 18 half as much again (rounded up);
{LATE} arrive two days after the stretch has begun; {SHORT_DATED} have lost half of their shelf life on arrival. Of 100
products that a store sells, {UNLISTED} is never delivered to it.

**State.** Of 100 lots one each is blocked, in quarantine, defective, owned by the supplier, and reserved for somebody
else in full.

**Shelf life.** Days from receipt to expiry by department, an assumption:
{", ".join(f"{name} {days}" for name, days in SHELF_LIFE_DAYS.items())}.
Anything else never expires.

**Which delivery meets which fate** is decided by a hash (SplitMix64) of store, product and stretch: nothing is left to
chance, and every machine derives the same stock."""
"""The rules for people, as the demo writes them."""
