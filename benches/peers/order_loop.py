"""Orders served on PostgreSQL without this package, one durable transaction per line, as an expert would write it.

Twice: from the client (SELECT … FOR UPDATE, UPDATE, INSERT, COMMIT, with psycopg and prepared statements), and inside
the server, in PL/pgSQL with a COMMIT per line, so that no line waits for the network. Both serve the oldest lots first
and lock one lot at a time, in that order. They keep balances and allocations; no history, no keys, no reasons.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice

import psycopg

Line = tuple[int, str, int]
"""Number, SKU, quantity."""

# A row is changed in place (HOT) as long as no index holds what changes and its page has room.
SCHEMA = """
CREATE TABLE stock (
  stock_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sku         text   NOT NULL,
  received_on date   NOT NULL,
  on_hand     bigint NOT NULL CHECK (on_hand >= 0),
  reserved    bigint NOT NULL DEFAULT 0 CHECK (reserved BETWEEN 0 AND on_hand)
) WITH (fillfactor = 50);
CREATE INDEX stock_fifo ON stock (sku, received_on, stock_id);
CREATE TABLE allocation (
  line_id  bigint NOT NULL,
  stock_id bigint NOT NULL REFERENCES stock,
  qty      bigint NOT NULL CHECK (qty > 0),
  PRIMARY KEY (line_id, stock_id)
);
CREATE PROCEDURE serve_lines(lines bigint[], skus text[], qtys bigint[], seconds float, INOUT served bigint)
LANGUAGE plpgsql AS $$
DECLARE
  until timestamptz := clock_timestamp() + make_interval(secs => seconds);
  short bigint;
  lot record;
BEGIN
  served := 0;
  WHILE clock_timestamp() < until AND served < cardinality(lines) LOOP
    short := qtys[served + 1];
    WHILE short > 0 LOOP
      SELECT stock_id, least(on_hand - reserved, short) AS qty INTO lot FROM stock
       WHERE sku = skus[served + 1] AND reserved < on_hand ORDER BY received_on, stock_id LIMIT 1 FOR UPDATE;
      IF NOT FOUND THEN
        EXIT WHEN NOT EXISTS (SELECT FROM stock WHERE sku = skus[served + 1] AND reserved < on_hand);
        CONTINUE;
      END IF;
      UPDATE stock SET reserved = reserved + lot.qty WHERE stock_id = lot.stock_id;
      INSERT INTO allocation VALUES (lines[served + 1], lot.stock_id, lot.qty);
      short := short - lot.qty;
    END LOOP;
    COMMIT;
    served := served + 1;
  END LOOP;
END $$;
"""
FILL = """
INSERT INTO stock (sku, received_on, on_hand)
SELECT 'S' || lpad(sku::text, 4, '0'), date '2026-01-01' + lot, %s FROM generate_series(0, %s - 1) sku,
       generate_series(1, %s) lot ORDER BY lot, sku;
"""
ANY_LEFT = "SELECT 1 FROM stock WHERE sku = %s AND reserved < on_hand LIMIT 1"
OLDEST = """
SELECT stock_id, on_hand - reserved FROM stock WHERE sku = %s AND reserved < on_hand
 ORDER BY received_on, stock_id LIMIT 1 FOR UPDATE
"""
TAKE = "UPDATE stock SET reserved = reserved + %s WHERE stock_id = %s"
RECORD = "INSERT INTO allocation VALUES (%s, %s, %s)"
WRONG = """
SELECT count(*) FROM stock FULL JOIN (SELECT stock_id, sum(qty) AS qty FROM allocation GROUP BY stock_id) taken
 USING (stock_id) WHERE stock.reserved IS DISTINCT FROM coalesce(taken.qty, 0)
"""
LINES_PER_CALL = 1_000


def fill(url: str, skus: int, lots: int, qty: int) -> None:
    """Tables, and as much stock of every SKU."""
    with psycopg.connect(url) as connection:
        connection.execute(SCHEMA)
        connection.execute(FILL, (qty, skus, lots))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def client_loop(url: str, lines: Iterator[Line]) -> Callable[[float], int]:
    """Serves lines for some seconds from outside; how many were acknowledged."""
    connection = psycopg.connect(url)

    def serve(line: Line) -> None:
        line_id, sku, short = line
        while short:
            lot = connection.execute(OLDEST, (sku,), prepare=True).fetchone()
            if lot is None:
                # The oldest lot was sold out while this line waited for it.
                if connection.execute(ANY_LEFT, (sku,), prepare=True).fetchone() is None:
                    break
                continue
            stock_id, free = lot
            qty = min(free, short)
            connection.execute(TAKE, (qty, stock_id), prepare=True)
            connection.execute(RECORD, (line_id, stock_id, qty), prepare=True)
            short -= qty
        connection.commit()

    def run(seconds: float) -> int:
        served, until = 0, time.perf_counter() + seconds
        while time.perf_counter() < until:
            serve(next(lines))
            served += 1
        return served

    return run


def server_loop(url: str, lines: Iterator[Line]) -> Callable[[float], int]:
    """Serves lines for some seconds in PL/pgSQL; how many were committed."""
    connection = psycopg.connect(url, autocommit=True)

    call = "CALL serve_lines(%s::bigint[], %s::text[], %s::bigint[], %s, 0)"

    def run(seconds: float) -> int:
        served, until = 0, time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            columns = [list(column) for column in zip(*islice(lines, LINES_PER_CALL), strict=True)]
            served += connection.execute(call, (*columns, left)).fetchone()[0]
        return served

    return run


def correct(url: str, served: int) -> bool:
    """Whether every acknowledged line is there once, and every lot has promised what its allocations say."""
    with psycopg.connect(url) as connection:
        (lines,) = connection.execute("SELECT count(DISTINCT line_id) FROM allocation").fetchone()
        (wrong,) = connection.execute(WRONG).fetchone()
    return lines == served and wrong == 0
