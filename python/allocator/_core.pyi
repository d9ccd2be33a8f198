"""The private extension module: columns in, columns out. Only `allocator.engine` imports it."""

from typing import Protocol, final

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
    """What `check_ids` found: counts of rows, and the first repeats as (row, first row with the same id)."""

    @property
    def ascending(self) -> bool: ...
    @property
    def nulls(self) -> int: ...
    @property
    def empty(self) -> int: ...
    @property
    def repeats(self) -> int: ...
    @property
    def first_repeats(self) -> list[tuple[int, int]]: ...

def encode(columns: list[ArrowColumn]) -> tuple[list[Column], Column]: ...
def check_ids(column: ArrowColumn, repeats_max: int) -> IdReport: ...
def argsort_ids(column: ArrowColumn) -> Column: ...
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

@final
class Plan:
    """A compiled plan (`allocator.plan.spec.Plan`) with its columns."""

    def __new__(cls, spec: object) -> Plan: ...
    def run(self, threads: int | None = None) -> Answer: ...

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
