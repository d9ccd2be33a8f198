"""The crossing into Rust, and the only importer of `allocator._core`: series in, series out, no copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import polars as pl

from allocator import _core
from allocator.errors import InternalError, Problem
from allocator.plan.spec import Plan

# --- columns ---


def column(series: pl.Series) -> _core.Column:
    """The series as a column that Rust holds. Only a series of several chunks is copied."""
    return _core.Column(series.rechunk())


def series(name: str, data: _core.Column) -> pl.Series:
    """The column that Rust holds as a polars series, without a copy."""
    return pl.Series(data).alias(name)


# --- transitions ---


def transition_verdicts(
    *,
    from_: tuple[pl.Series, bytes],
    to: tuple[pl.Series, bytes],
    kinds: bytes,
    verdicts: bytes,
    needs: list[tuple[pl.Series, bytes, bytes]],
    back: tuple[pl.Series, bytes, bytes, bytes] | None,
    path: tuple[pl.Series, int, int] | None,
) -> pl.Series:
    """The verdict (UInt8) of each change, by the tables of `allocator.transitions.table`.

    Columns are UInt8 without nulls, each with the 256 bytes that say what its codes mean, and the tables that
    judge them; `path` is the dense unit codes (UInt32), their number, and the verdict of a broken history.
    """
    found = _core.transition_verdicts(
        (from_[0].rechunk(), from_[1]),
        (to[0].rechunk(), to[1]),
        kinds,
        verdicts,
        [(given.rechunk(), meaning, table) for given, meaning, table in needs],
        None if back is None else (back[0].rechunk(), *back[1:]),
        None if path is None else (path[0].rechunk(), *path[1:]),
    )
    return series("verdict", found)


# --- keys ---


def encode(columns: Sequence[pl.Series]) -> tuple[list[pl.Series], pl.Series]:
    """The columns, of strings or of integers, in one set of dense codes (UInt32, 2³² - 1 where null); their values.

    A code is the rank of its value, so codes sort as values do.
    """
    codes, values = _core.encode([each.rechunk() for each in columns])
    return [series(each.name, code) for each, code in zip(columns, codes, strict=True)], series("value", values)


# --- limits ---


def grant_requests(
    key: pl.Series, qty: pl.Series, above: pl.Series, headroom: pl.Series
) -> tuple[pl.Series, pl.Series]:
    """What each request found left for its key, and what it was granted; see `_core.grant_requests`."""
    left, granted = _core.grant_requests(key.rechunk(), qty.rechunk(), above.rechunk(), headroom.rechunk())
    return series("left", left), series("granted", granted)


# --- fair shares, quotas, protection ---

StepSpec: TypeAlias = tuple[int, int | None, int | None, list[tuple[int, int]]]
"""Method, column of weights, column of groups (None: lines), least and most of each group."""


def fair_shares(
    pool: pl.Series,
    tier: pl.Series | None,
    quantities: Sequence[pl.Series | None],
    *,
    weights: Sequence[pl.Series],
    groups: Sequence[pl.Series],
    tiers: list[list[StepSpec]],
    supply: pl.Series,
) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Rows in the order of division, what each gets, and the number of its reason; see `_core.fair_shares`."""
    found = _core.fair_shares(
        pool.rechunk(),
        None if tier is None else tier.rechunk(),
        [None if column is None else column.rechunk() for column in quantities],
        ([column.rechunk() for column in weights], [column.rechunk() for column in groups]),
        tiers,
        supply.rechunk(),
    )
    row, share, reason = (series("", column) for column in found)
    return row, share, reason


def ration_lines(
    lines: Sequence[pl.Series],
    quotas: Sequence[pl.Series],
    carry_over: int,
    protections: Sequence[pl.Series],
    supply: pl.Series,
) -> tuple[list[pl.Series], pl.Series]:
    """What each line is granted, by where it came from, and what is left; the reasons; see `_core.ration_lines`."""
    lines, quotas, protections = (
        tuple(column.rechunk() for column in columns) for columns in (lines, quotas, protections)
    )
    columns, reason = _core.ration_lines(lines, quotas, carry_over, protections, supply.rechunk())
    return [series("", column) for column in columns], series("", reason)


# --- keys and ids ---


def pair_sums(high: pl.Series, low: pl.Series, *amounts: pl.Series) -> tuple[pl.Series, pl.Series, list[pl.Series]]:
    """Pairs of numbers (UInt32), each once and ascending, and the sums of one amount or two (Int64, no nulls).

    Pairs whose sums are all zero are left out. Columns that are cut into the same chunks are not copied.
    """
    columns = [high, low, *amounts]
    if any(column.chunk_lengths() != high.chunk_lengths() for column in columns):
        columns = [column.rechunk() for column in columns]
    found = _core.pair_sums(columns[0], columns[1], list(columns[2:]))
    return series("", found[0]), series("", found[1]), [series("", sums) for sums in found[2]]


def parts(
    there: pl.Series,
    taken: pl.Series,
    things: tuple[pl.Series, pl.Series, pl.Series],
    rank: pl.Series,
    wanted: tuple[pl.Series, pl.Series] | None,
) -> tuple[pl.Series, pl.Series, pl.Series]:
    """What is free of rows, be it nothing, and behind it what lines of each rank have of them.

    Args:
        there: Units of each row (Int64).
        taken: How many of them lines have.
        things: What they have: row (UInt32, ascending), line (UInt32) and units of the row (Int64).
        rank: From 1 to 7, by line (UInt8); 0 where nobody may take what it has.
        wanted: The group of each row (UInt32), and whether a group is looked at (UInt8). None: all rows are.

    Returns:
        The row (UInt32), the rank (UInt8; 0 is free) and the units (Int64).
    """
    row, line, qty = (column.rechunk() for column in things)
    groups = None if wanted is None else (wanted[0].rechunk(), wanted[1].rechunk())
    found = _core.parts(there.rechunk(), taken.rechunk(), (row, line, qty), rank.rechunk(), groups)
    return series("", found[0]), series("", found[1]), series("", found[2])


def exchanges(row: pl.Series, line: pl.Series, change: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Who has units of a row that somebody else had, the first who gained put beside the first who lost.

    Args:
        row: UInt32, and with the line ascending, as `pair_sums` gives them.
        line: UInt32.
        change: How much more than before the line has of the row (Int64).

    Returns:
        `s` (row), `from`, `to` (lines, UInt32; null: free stock), `qty` (Int64); and lines (UInt32, not each once)
        that lost something of a row of which others gained something.
    """
    found = _core.exchanges((row.rechunk(), line.rechunk(), change.rechunk()))
    spans = {name: series(name, data) for name, data in zip(("s", "from", "to", "qty"), found, strict=False)}
    return pl.DataFrame(spans), series("", found[4])


def line_amounts(fixed: pl.Series, held: pl.Series, served: pl.Series, asked: pl.Series) -> list[pl.Series]:
    """`before`, `after`, `gained`, `lost` and `short` of lines (Int64).

    Args:
        fixed: What each has for good (Int64).
        held: What it had beside.
        served: What it has beside.
        asked: What it asks in all.
    """
    names = ("before", "after", "gained", "lost", "short")
    found = _core.line_amounts(*(column.rechunk() for column in (fixed, held, served, asked)))
    return [series(name, data) for name, data in zip(names, found, strict=True)]


WHOLE_NUMBERS: Final = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)


def gather(column: pl.Series, rows: pl.Series) -> pl.Series:
    """The column at rows (UInt32, no nulls), as polars would gather it, on all threads."""
    if column.dtype in (pl.String, pl.Boolean, *WHOLE_NUMBERS) or column.dtype.is_temporal():
        return series(column.name, _core.gather(column.rechunk(), rows.rechunk()))
    return column.gather(rows)


def lists(owner: pl.Series, values: pl.Series, count: int) -> pl.Series:
    """For each of so many owners the list of its values, in their sequence; owners (UInt32) ascend."""
    found = series("", _core.lists(owner.rechunk(), values.rechunk(), count))
    return found.cast(pl.List(values.dtype))


class Core:
    """What frames and plan need of the compiled core."""

    @staticmethod
    def encode(columns: list[pl.Series]) -> tuple[list[pl.Series], pl.Series]:
        """Dense codes (UInt32, 2³² - 1 for null) of several columns in one set, and the value of each code."""
        codes, values = _core.encode([column.rechunk() for column in columns])
        return [series("", code) for code in codes], series("", values)

    @staticmethod
    def check_ids(column: pl.Series, repeats_max: int) -> _core.IdReport:
        """Whether ids ascend, and which are repeated."""
        return _core.check_ids(column.rechunk(), repeats_max)

    @staticmethod
    def rows_with_nul(column: pl.Series, rows_max: int) -> list[int]:
        """The first rows whose text holds a NUL character."""
        return _core.rows_with_nul(column.rechunk(), rows_max)

    @staticmethod
    def argsort_ids(column: pl.Series) -> pl.Series:
        """The rows (UInt32) in ascending order of their ids."""
        return series("", _core.argsort_ids(column.rechunk()))

    @staticmethod
    def match_ids(ids: pl.Series, asked: pl.Series) -> pl.Series:
        """The row (UInt32) of `ids`, in which none is twice, for each id of `asked`; null where there is none."""
        return series("", _core.match_ids(ids.rechunk(), asked.rechunk()))

    @staticmethod
    def gather(column: pl.Series, rows: pl.Series) -> pl.Series:
        """The column at rows (UInt32, no nulls)."""
        return gather(column, rows)


CORE = Core()


# --- allocation ---


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run answers, in the order of `docs/allocation.md`. Rows are row numbers in the tables as given.

    Attributes:
        line: Row of each line (UInt32).
        allocated: How much of it is allocated (Int64, units).
        reason: Number of the reason (UInt8); 255 where nothing is short.
        take_line: Row of the line of each allocation (UInt32).
        take_stock: Row of its stock (UInt32).
        take_qty: Units of the stock row (Int64).
        take_served: Units of the line (Int64).
        take_rank: 1, 2, … within the line (UInt32).
    """

    line: pl.Series
    allocated: pl.Series
    reason: pl.Series
    take_line: pl.Series
    take_stock: pl.Series
    take_qty: pl.Series
    take_served: pl.Series
    take_rank: pl.Series


def release_memory() -> None:
    """Gives back to the system what is kept of earlier runs for the next one."""
    _core.release_memory()


@contextmanager
def kept_arrays() -> Iterator[None]:
    """Within it, in this thread or task, new numpy arrays get memory that is kept between runs, as columns of Rust do.

    They may live on behind it.
    """
    usual = _core.swap_array_memory()
    try:
        yield
    finally:
        _core.swap_array_memory(usual)


class BoundPlan:
    """A compiled plan whose columns Rust holds: bound once, run many times, from any thread."""

    def __init__(self, plan: Plan) -> None:
        self._plan = _core.Plan(plan)

    def run(self, threads: int | None = None) -> Answer:
        """Serves all lines, on so many threads or on all there are. The answer is the same."""
        found = self._plan.run(threads)

        def joined(name: str) -> pl.Series:
            return pl.concat([pl.Series(piece) for piece in getattr(found, name)], rechunk=False)

        qty = joined("take_qty")
        return Answer(
            line=joined("line"),
            allocated=joined("allocated"),
            reason=joined("reason"),
            take_line=joined("take_line"),
            take_stock=joined("take_stock"),
            take_qty=qty,
            take_served=joined("take_served") if found.take_served else qty,
            take_rank=joined("take_rank"),
        )

    def fit(self, row: pl.Series, line: pl.Series, qty: pl.Series, served: pl.Series) -> pl.Series:
        """Whether each row (UInt32) may serve its line (UInt32): pairs judged by themselves, balances left out.

        Args:
            row: Number of the stock row.
            line: Number of the line.
            qty: Units of the row (Int64, above zero).
            served: Units of the line that these should be (Int64).
        """
        return series("", self._plan.fit(*(column.rechunk() for column in (row, line, qty, served))))


Shelf: TypeAlias = _core.Shelf
"""Stock that is laid out, and what each of its rows is to a ledger."""

LineSpec: TypeAlias = tuple[int | None, int, int, int, int | None, list[tuple[int, int]], bool]
"""Group, fill rule, quantity, least quantity, pack, what is asked of each test, whether a unit of service begins."""

Served: TypeAlias = tuple[int, int, list[tuple[int, int, int]]]
"""What a line gets, the number of its reason, and row, quantity and quantity served of each allocation."""


class ReadyStock:
    """The stock of a compiled plan, laid out to serve single lines from any thread."""

    def __init__(self, plan: Plan) -> None:
        self._stock = _core.PreparedStock(plan)

    def serve(self, lines: list[LineSpec]) -> list[Served]:
        """Serves lines in this order from one balance, which is then forgotten."""
        return self._stock.serve(lines)

    def set_left(self, row: int, left: int) -> None:
        """Says what is left of a stock row from now on. One that could serve nobody before is not looked at."""
        if not self._stock.set_left(row, left):
            raise InternalError(Problem("internal", "there is no such stock row", value=str(row)))

    def shelf(self, ids: list[int], account_bits: int, kinds: bytes) -> Shelf:
        """This stock as a ledger has it: by row the number of its goods above that of its account, and what it is."""
        return _core.Shelf(self._stock, ids, account_bits, kinds)


STAYS: Final = 1
"""What a row of a shelf is: its goods stay in their account when they are promised."""

UNIT: Final = 2
"""What a row of a shelf is: a unit with a serial."""

Offer: TypeAlias = tuple[Shelf, int, LineSpec, object]
"""What a line asks of which stock: the shelf, the SKU's number, the line but for its quantity, and the rows of the SKU
of which some lie there."""

Head: TypeAlias = tuple[int, int, bytes, int, int, int | None]
"""Tenant, last transaction, its hash, last allocation, when it was recorded, the first end of any hold."""


class Recorded(NamedTuple):
    """Orders as a ledger records them.

    Attributes:
        answers: Of each order that was done, in their sequence.
        txns: Rows of `txn`.
        entries: Rows of `entry`.
        lines: Rows of `line`.
        allocations: Rows of `allocation`.
        promised: Goods, account, units promised, and the last transaction that promised any.
        head: The head of the chain after them.
    """

    answers: list[dict[str, Any]]
    txns: list[tuple[Any, ...]]
    entries: list[tuple[Any, ...]]
    lines: list[tuple[Any, ...]]
    allocations: list[tuple[Any, ...]]
    promised: list[tuple[int, int, int, int]]
    head: Head


class OrderDesk(NamedTuple):
    """What plain orders are decided on.

    Attributes:
        offers: What a line of nothing but an SKU and a quantity asks for, by SKU, as far as that is known.
        find: Says it of any line, and fills `offers`.
        rows: The rows of each SKU as they are now; an offer of others is none.
        lines: The lines that are known already.
    """

    offers: Mapping[str, Offer]
    find: Callable[[dict[str, Any]], Offer | None]
    rows: Mapping[int, object]
    lines: Mapping[str, object]


Order: TypeAlias = tuple[tuple[Any, ...], Sequence[Mapping[str, Any]], int | None, Sequence[str]]
"""The heading of its transaction, its lines, when its promises end, and by line what else was said."""


def record_orders(head: Head, orders: Sequence[Order], desk: OrderDesk) -> Recorded:
    """Decides orders in their sequence and makes the rows of a ledger for them, up to the first that takes more."""
    made, promised, after = _core.record_orders(head, orders, *desk)
    return Recorded(*made, promised, after)


def dict_columns(rows: Sequence[Any]) -> tuple[list[Any], list[list[Any]]] | None:
    """The names of rows and the values of each; None unless all rows are plain dicts with the names of the first."""
    return _core.dict_columns(rows)


def line_answers(
    line_ids: Sequence[str], asked: Sequence[int], reasons: Sequence[str | None], takes: pl.DataFrame
) -> list[dict[str, Any]]:
    """What a ledger answers for each demand line.

    Args:
        line_ids: The lines.
        asked: Their quantities.
        reasons: Why they are short; None for those that are not.
        takes: One row per allocation, in the order of the lines: the row of the `line`, and `allocation_id`,
            `stock_id` and `qty`.
    """
    line, number, stock_id, qty = takes.rechunk().select("line", "allocation_id", "stock_id", "qty")
    return _core.line_answers(line_ids, asked, reasons, (line, number, stock_id, qty))


def postgres_arrays(rows: Sequence[tuple[Any, ...]], types: Sequence[str], same: Sequence[bool]) -> list[bytes] | None:
    """Rows of integers, texts, bytes and nulls as the arrays of their columns, as PostgreSQL receives them.

    Args:
        rows: The rows, of one width.
        types: By column, its type at the server: `bytea`, `bigint`, `smallint`, `integer`, `text`.
        same: By column, whether it has one value in all rows, and needs no array.

    Returns:
        The arrays of the other columns, in binary form; None if one that should be the same is not.

    Raises:
        ValueError: A text has the character 0, a value is longer than the server takes, or a type is another.
        OverflowError: A number is too large for the type of its column.
        TypeError: A value is not of the type of its column.
    """
    return _core.postgres_arrays(rows, types, same)


def chain_digest(tables: Sequence[Sequence[str]]) -> bytes:
    """The digest of a transaction, over the rows of its tables as texts."""
    return _core.chain_digest(tables)


def chain_linked(before: bytes, heading: str, digest: bytes) -> bytes:
    """The hash of a transaction, by the hash before it, its heading as text and its digest."""
    return _core.chain_linked(before, heading, digest)
