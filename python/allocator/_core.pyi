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
