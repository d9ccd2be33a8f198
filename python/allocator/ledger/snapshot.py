"""One moment of a ledger, read by as many statements as it takes: its sequence number, and what numbers stand for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from unicodedata import normalize

import polars as pl

from allocator.errors import InputError, Problem
from allocator.ledger.lines import GREATEST, names_of, shown
from allocator.ledger.records import Account, day_number
from allocator.model.document import did_you_mean
from allocator.model.lifecycle import Lifecycle

if TYPE_CHECKING:
    from allocator.ledger.questions import Questions
    from allocator.ledger.store import Session

At: TypeAlias = "int | dt.datetime | dt.date | None"
"""A past moment: the number of a transaction, a moment with its time zone, or a day (to its end, UTC); None is now."""

MOMENT: Final = pl.Datetime("us", "UTC")

_SEQ_UNTIL: Final = (
    "WITH RECURSIVE halved (least, most) AS ("
    "SELECT CAST(0 AS bigint), CAST(:head AS bigint) UNION ALL "
    "SELECT CASE WHEN x.recorded_at <= :moment THEN x.seq ELSE h.least END, "
    "CASE WHEN x.recorded_at <= :moment THEN h.most ELSE x.seq - 1 END "
    "FROM halved h JOIN txn x ON x.tenant = :tenant AND x.seq = (h.least + h.most + 1) / 2 WHERE h.least < h.most) "
    "SELECT MAX(least) FROM halved"
)
"""By halves, for none was recorded before the one it follows: twenty looks among a million."""

ACCOUNT: Final[dict[str, Any]] = {"account_id": pl.Int64} | dict.fromkeys(Account._fields, pl.String)


class Snapshot:
    """What a ledger holds at one moment: all that is read through it belongs together.

    Attributes:
        seq: The last transaction of it, or a later one that is not there.
    """

    def __init__(self, session: Session, tenant: int, at: At = None, *, whole: bool = True) -> None:
        self.session, self.tenant = session, tenant
        self.seq = self._seq_at(at) if whole or at is not None else GREATEST

    @cached_property
    def head(self) -> int:
        """The last transaction of the ledger."""
        row = self.session.one("SELECT seq FROM tenant WHERE tenant = :tenant", {"tenant": self.tenant})
        assert row is not None
        return int(row[0])

    def _seq_at(self, at: At) -> int:
        if at is None:
            return self.head
        if isinstance(at, bool) or not isinstance(at, int | dt.date):
            hint = "Give the number of a transaction, a datetime with its time zone, or a date"
            problem = Problem("argument_value", "this is no moment", column="at", value=shown(at), hint=hint)
            raise InputError(problem)
        if isinstance(at, int):
            if not 0 <= at <= self.head:
                message = f"there is no such transaction: the last is {self.head}"
                raise InputError(Problem("transaction_unknown", message, column="at", value=shown(at)))
            return at
        return self.seq_until(_microseconds(at))

    def seq_until(self, moment: int) -> int:
        """The last transaction that was recorded until a moment, in microseconds since 1970; 0 for none."""
        return int(self.rows(_SEQ_UNTIL, moment=moment, head=self.head)[0][0])

    def rows(self, sql: str, **params: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - values of columns
        """The rows that a statement on this tenant answers with."""
        return self.session.rows(sql, {"tenant": self.tenant, **params})

    def frame(self, sql: str, schema: Mapping[str, Any], **params: Any) -> pl.DataFrame:  # noqa: ANN401
        """The rows as a table."""
        return self.session.frame(sql, schema, {"tenant": self.tenant, **params})

    @cached_property
    def skus(self) -> pl.DataFrame:
        """One row per SKU: `sku_id`, `sku`, `tracking`, `scale`, `lifecycle`, `settings`."""
        schema = {"sku_id": pl.Int64, "sku": pl.String, "tracking": pl.String, "scale": pl.Int64,
                  "lifecycle": pl.String, "settings": pl.String}  # fmt: skip
        return self.frame(f"SELECT {', '.join(schema)} FROM sku WHERE tenant = :tenant", schema)

    @cached_property
    def accounts(self) -> pl.DataFrame:
        """One row per account, with what `Account` says; '' is null."""
        found = self.frame(f"SELECT {', '.join(ACCOUNT)} FROM account WHERE tenant = :tenant", ACCOUNT)
        return found.with_columns(blank_to_null(*Account._fields))

    @cached_property
    def lifecycles(self) -> dict[str, Lifecycle]:
        """The lifecycles in force, by name."""
        rows = self.rows("SELECT name, document FROM lifecycle WHERE tenant = :tenant ORDER BY seq")
        return {name: Lifecycle.loads(text, "json") for name, text in dict(rows).items()}

    @cached_property
    def allocatable(self) -> pl.DataFrame:
        """The pairs of `lifecycle` and `status` whose stock may be promised."""
        pairs = [(n, status) for n, each in self.lifecycles.items() for status in each.statuses_allocatable]
        return pl.DataFrame(pairs, schema={"lifecycle": pl.String, "status": pl.String}, orient="row")

    @cached_property
    def scale(self) -> int:
        """The decimal places that hold the quantities of every SKU."""
        return max(self.skus["scale"].to_list(), default=0)

    def sku_ids(self, names: str | Iterable[str]) -> list[int]:
        """The numbers of SKUs, of one or several names.

        Raises:
            InputError: `sku_unknown`.
        """
        names = [normalize("NFC", name) for name in names_of(names)]
        known = dict(self.skus.select("sku", "sku_id").iter_rows())
        problems = [
            Problem("sku_unknown", "there is no such SKU", column="skus", value=str(name)[:80],
                    hint=did_you_mean(str(name), list(known)))
            for name in names if name not in known
        ]  # fmt: skip
        if problems:
            raise InputError(problems)
        return sorted({known[name] for name in names})

    def exact(self, frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
        """Counted steps as quantities: Int64, or Decimal where any SKU has decimal places. Reads `scale`."""
        return exact(frame, self.scale, *columns)


def exact(frame: pl.DataFrame, scale: int, *columns: str) -> pl.DataFrame:
    """Counted steps, each of the `scale` of its row, as quantities with so many decimal places; Int64 if none."""
    if scale == 0:
        return frame
    # In 128 bits: the steps of a SKU without decimals may be a thousand million times as many.
    steps = pl.lit(10, pl.Int128).pow(scale - pl.col("scale"))
    step = Decimal(1).scaleb(-scale)
    return frame.with_columns((pl.col(name).cast(pl.Int128) * steps).cast(pl.Decimal(38, 0)) * step for name in columns)


@contextmanager
def snapshot(ledger: Questions, at: At = None, *, whole: bool = True) -> Iterator[Snapshot]:
    """One moment of a ledger; not the `whole` of it where all that is asked for is found by its keys.

    Raises:
        InputError: `argument_value`, `transaction_unknown`: there is no such moment.
    """
    with ledger.store.session("read" if whole else "look") as session:
        yield Snapshot(session, ledger.tenant, at, whole=whole)


def _microseconds(at: dt.datetime | dt.date | None) -> int:
    assert at is not None and not isinstance(at, int)
    if not isinstance(at, dt.datetime):
        return (day_number(at) + 1) * 86_400_000_000 - 1
    if at.tzinfo is None:
        hint = "As in datetime(2026, 6, 30, 12, tzinfo=UTC)"
        message = "a moment needs its time zone"
        raise InputError(Problem("argument_value", message, column="at", value=str(at), hint=hint))
    return (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def blank_to_null(*columns: str) -> pl.Expr:
    """A text that is not given is '' in the tables and null in frames."""
    return pl.col(*columns).replace("", None)


def days(*columns: str) -> pl.Expr:
    """Days since 1970 as dates."""
    return pl.col(*columns).cast(pl.Int32).cast(pl.Date)


def moments(*columns: str) -> pl.Expr:
    """Microseconds since 1970 as moments."""
    return pl.col(*columns).cast(MOMENT)
