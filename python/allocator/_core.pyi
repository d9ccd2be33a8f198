"""The private extension module: columns in, columns out. Only `allocator.engine` imports it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, final

class ArrowArray(Protocol):
    """Exports one Arrow array, as `Column`, `pyarrow.Array` and `pandas.Series` do."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

class ArrowStream(Protocol):
    """Exports a stream of Arrow arrays, as `polars.Series` and `pyarrow.ChunkedArray` do."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

ArrowColumn = ArrowArray | ArrowStream

VERSION: str

@final
class Column:
    """A column that Rust holds; `polars.Series(column)` shares its memory."""

    def __new__(cls, data: ArrowColumn) -> Column: ...
    def __len__(self) -> int: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

@final
class IdReport:
    """What `check_ids` found; the first repeats are (row, first row with the same id)."""

    @property
    def ascending(self) -> bool: ...
    @property
    def repeats(self) -> int: ...
    @property
    def first_repeats(self) -> list[tuple[int, int]]: ...

def encode(columns: list[ArrowColumn]) -> tuple[list[Column], Column]: ...
def check_ids(column: ArrowColumn, repeats_max: int) -> IdReport: ...
def argsort_ids(column: ArrowColumn) -> Column: ...
def pair_sums(
    high: ArrowColumn, low: ArrowColumn, amounts: list[ArrowColumn]
) -> tuple[Column, Column, list[Column]]: ...
def parts(
    there: ArrowColumn,
    taken: ArrowColumn,
    things: tuple[ArrowColumn, ArrowColumn, ArrowColumn],
    rank: ArrowColumn,
    wanted: tuple[ArrowColumn, ArrowColumn] | None,
) -> tuple[Column, Column, Column]: ...
def line_amounts(fixed: ArrowColumn, held: ArrowColumn, served: ArrowColumn, asked: ArrowColumn) -> list[Column]: ...
def exchanges(
    changes: tuple[ArrowColumn, ArrowColumn, ArrowColumn],
) -> tuple[Column, Column, Column, Column, Column]: ...
def gather(column: ArrowColumn, rows: ArrowColumn) -> Column: ...
def lists(owner: ArrowColumn, values: ArrowColumn, count: int) -> Column: ...
def match_ids(ids: ArrowColumn, asked: ArrowColumn) -> Column: ...
def release_memory() -> None: ...
def swap_array_memory(handler: object = None) -> object: ...
def rows_with_nul(column: ArrowColumn, rows_max: int) -> list[int]: ...
def transition_verdicts(
    from_: tuple[ArrowColumn, bytes],
    to: tuple[ArrowColumn, bytes],
    kinds: bytes,
    verdicts: bytes,
    needs: list[tuple[ArrowColumn, bytes, bytes]],
    back: tuple[ArrowColumn, bytes, bytes, bytes] | None = None,
    path: tuple[ArrowColumn, int, int] | None = None,
) -> Column: ...
def grant_requests(
    key: ArrowColumn, qty: ArrowColumn, above: ArrowColumn, headroom: ArrowColumn
) -> tuple[Column, Column]:
    """Serves requests in order: `key` UInt32 into `headroom` Int64, `qty` Int64, `above` UInt8.

    `above` says what a request gets that is above what its key has left: 0 that, 1 nothing, 2 all it asks for.
    Returns what the key had left and what was granted, Int64 each, one row per request.
    """

def fair_shares(
    pool: ArrowColumn,
    tier: ArrowColumn | None,
    quantities: list[ArrowColumn | None],
    further: tuple[list[ArrowColumn], list[ArrowColumn]],
    tiers: list[list[tuple[int, int | None, int | None, list[tuple[int, int]]]]],
    supply: ArrowColumn,
) -> tuple[Column, Column, Column]:
    """Shares `supply` (Int64, by pool) among lines in the order of their ids.

    `pool` and `tier` are UInt32 codes; `quantities` Int64: qty, and or None qty_min, qty_max, pack, on_hand, target,
    priority; `further` columns of weights, Int64, and of groups, UInt32 codes. A tier is its steps: method, column of
    weights, column of groups (None: lines, the last step), least and most of each group. Returns rows in the order of
    division, what they get, their reasons.
    """

def ration_lines(
    lines: tuple[ArrowColumn, ...],
    quotas: tuple[ArrowColumn, ...],
    carry_over: int,
    protections: tuple[ArrowColumn, ...],
    supply: ArrowColumn,
) -> tuple[list[Column], Column]:
    """Serves lines in order under running ceilings and floors.

    `lines`: pool UInt32, qty and pack Int64, quota and protection UInt32 (2³² - 1 none, quota 2³² - 2 refused).
    `quotas`, periods of a group in a row: what is left Int64, row of the group's first period UInt32.
    `protections`, by pool and priority: pool UInt32, priority and what is left Int64. `supply` Int64, by pool.
    Returns granted, carried, protected, borrowed by line and what is left of quotas and protections; and reasons.
    """

@final
class Plan:
    """A compiled plan (`allocator.plan.spec.Plan`) with its columns."""

    def __new__(cls, spec: object) -> Plan: ...
    def run(self, threads: int | None = None) -> Answer: ...
    def fit(self, row: ArrowColumn, line: ArrowColumn, qty: ArrowColumn, served: ArrowColumn) -> Column:
        """Whether each row (UInt32) may serve its line (UInt32) with as many units (Int64) as it says."""

@final
class Answer:
    """What a run answers: each column as its pieces, to be joined in sequence."""

    @property
    def line(self) -> list[Column]: ...
    @property
    def allocated(self) -> list[Column]: ...
    @property
    def reason(self) -> list[Column]: ...
    @property
    def take_line(self) -> list[Column]: ...
    @property
    def take_stock(self) -> list[Column]: ...
    @property
    def take_qty(self) -> list[Column]: ...
    @property
    def take_served(self) -> list[Column]: ...
    @property
    def take_rank(self) -> list[Column]: ...

@final
class PreparedStock:
    """The stock of a compiled plan (`allocator.plan.spec.Plan`), laid out to serve single lines."""

    def __new__(cls, spec: object) -> PreparedStock: ...
    def serve(
        self, lines: list[tuple[int | None, int, int, int, int | None, list[tuple[int, int]], bool]]
    ) -> list[tuple[int, int, list[tuple[int, int, int]]]]: ...
    def set_left(self, row: int, left: int) -> bool: ...

@final
class Shelf:
    """Stock that is laid out, and what each of its rows is."""

    def __new__(cls, stock: PreparedStock, ids: list[int], account_bits: int, kinds: bytes) -> Shelf:
        """By row the number of its goods above that of its account; and what it is: `STAYS` or `UNIT` of the engine."""

def record_orders(
    head: tuple[int, int, bytes, int, int, int | None],
    orders: Sequence[tuple[tuple[object, ...], Sequence[Mapping[str, object]], int | None, Sequence[str]]],
    offers: Mapping[str, object],
    find: Callable[[dict[str, Any]], object],
    rows: Mapping[int, object],
    lines: Mapping[str, object],
) -> tuple[
    tuple[
        list[dict[str, Any]],
        list[tuple[Any, ...]],
        list[tuple[Any, ...]],
        list[tuple[Any, ...]],
        list[tuple[Any, ...]],
    ],
    list[tuple[int, int, int, int]],
    tuple[int, int, bytes, int, int, int | None],
]:
    """Decides orders in their sequence and makes the rows of the ledger for them, up to the first that takes more."""

def dict_columns(rows: Sequence[object]) -> tuple[list[Any], list[list[Any]]] | None:
    """The names of rows and their columns; None unless all are plain dicts with the names of the first."""

def line_answers(
    line_ids: Sequence[str],
    asked: Sequence[int],
    reasons: Sequence[str | None],
    takes: tuple[ArrowColumn, ArrowColumn, ArrowColumn, ArrowColumn],
) -> list[dict[str, Any]]:
    """What is answered for each demand line; `takes` are the row of its line, number, stock and units of each."""

def postgres_arrays(
    rows: Sequence[tuple[object, ...]], types: Sequence[str], same: Sequence[bool]
) -> list[bytes] | None:
    """Rows as the arrays of their columns in PostgreSQL's binary form, but for columns that are the `same` in all.

    None if one of these is not.
    """

def chain_digest(tables: Sequence[Sequence[str]]) -> bytes: ...
def chain_linked(before: bytes, heading: str, digest: bytes) -> bytes: ...
