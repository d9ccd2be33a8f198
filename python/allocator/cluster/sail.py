"""Sail on this machine: Spark Connect without a JVM, for tests, for trying out, and for one large machine."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@contextmanager
def sail() -> Iterator[SparkSession]:
    """A session on a server of its own, in this process, on a free port of the loopback address.

    Example:
        >>> import datetime as dt
        >>> from allocator.cluster import allocate, sail
        >>> stock = {"stock_id": ["A", "B"], "sku": ["X", "X"], "qty_on_hand": [10, 15]}
        >>> demand = {"line_id": ["1", "2"], "sku": ["X", "X"], "qty": [13, 20]}
        >>> with sail() as spark:  # doctest: +SKIP
        ...     allocate(stock, demand, as_of=dt.date(2026, 11, 1), spark=spark).collect().lines.rows()
        [('1', 13, 13, 0, None), ('2', 20, 12, 8, 'taken')]
    """
    from pysail.spark import SparkConnectServer  # noqa: PLC0415 - of the extra `spark`

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    try:
        session = _session(f"sc://127.0.0.1:{server.listening_address[1]}")
        try:
            yield session
        finally:
            session.stop()
    finally:
        server.stop()


def _session(address: str) -> SparkSession:
    """A session that has nothing compressed: within one machine that takes four times as long as it saves."""
    with warnings.catch_warnings():
        # Its warning of a pandas that is newer than it knows: nothing here meets pandas.
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        from pyspark.sql.connect.client import DefaultChannelBuilder  # noqa: PLC0415
        from pyspark.sql.connect.session import SparkSession as Session  # noqa: PLC0415

    plain = [("grpc.compression_enabled_algorithms_bitset", 1)]
    made = Session.builder.channelBuilder(DefaultChannelBuilder(address, plain)).create()
    return cast("SparkSession", made)  # which has the methods of a classic session, and is none
