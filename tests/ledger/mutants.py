"""Defects to sow into the ledger, one at a time: each is a text of a file and what stands there instead.

`test_mutants.py` sows each and runs the tests that are to notice; `docs/ledger-mutants.md` says which one did.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """A defect: what it is, the file below `allocator/ledger`, the text there, what it becomes, and who must notice."""

    what: str
    file: str
    text: str
    instead: str
    tests: str


GUARDS, VERIFY, WRITERS = "test_database_guards.py", "test_verify.py", "test_writers.py"
COMMITS, DAY, SHELVES, WHOLESALE = "test_failed_commit.py", "test_ledger.py", "test_shelves.py", "test_wholesale.py"
AHEAD = "test_ahead.py"

MUTANTS = (
    # what the database holds
    Mutant("no CHECK that a balance is above zero", "schema.py", '"qty > 0", name="qty_above_zero"',
           '"1 = 1", name="qty_above_zero"', GUARDS),
    Mutant("no CHECK that no more is reserved than is there", "schema.py", '"reserved >= 0 AND reserved <= qty"',
           '"1 = 1"', GUARDS),
    Mutant("no CHECK that a unit is one", "schema.py", '"unit = 0 OR qty = 1"', '"1 = 1"', GUARDS),
    Mutant("no CHECK that an entry moves", "schema.py", '"(from_id <> to_id) = (qty > 0)"', '"1 = 1"', GUARDS),
    Mutant("no CHECK that a line gets no more than it asked for", "schema.py",
           '"allocated >= 0 AND allocated + shipped <= qty"', '"1 = 1"', GUARDS),
    Mutant("no CHECK that no more comes back than was shipped", "schema.py",
           '"returned >= 0 AND returned <= shipped"', '"1 = 1"', GUARDS),
    Mutant("no CHECK that someone did it", "schema.py", "\"actor <> ''\"", '"1 = 1"', GUARDS),
    Mutant("no CHECK of the stages of a promise", "schema.py",
           "stage = 'reserved' OR stage = 'held' OR stage = 'picked'", "1 = 1", GUARDS),
    Mutant("a unit may be in two places", "schema.py", """        "unit_in_one_place",
        "goods_id",
        "tenant",
        unique=True""", """        "unit_in_one_place",
        "goods_id",
        "tenant",
        unique=False""", GUARDS),
    Mutant("a unit may be promised twice", "schema.py", """        "unit_promised_once",
        "goods_id",
        "tenant",
        unique=True""", """        "unit_promised_once",
        "goods_id",
        "tenant",
        unique=False""", GUARDS),
    Mutant("an original may be reversed twice", "schema.py", """        "reversed_once",
        "reverses",
        "tenant",
        unique=True""", """        "reversed_once",
        "reverses",
        "tenant",
        unique=False""", GUARDS),
    Mutant("an account may have two numbers", "schema.py", """    UniqueConstraint(
        "location",""", """    UniqueConstraint(
        "account_id", "location",""", GUARDS),
    Mutant("goods of a balance need not exist", "schema.py", """    _number("version"),
    _of("goods", "goods_id"),
    _of("account", "account_id"),
    CheckConstraint("qty > 0", name="qty_above_zero"),""", """    _number("version"),
    _of("account", "account_id"),
    CheckConstraint("qty > 0", name="qty_above_zero"),""", GUARDS),
    Mutant("what a row names need not exist (PostgreSQL)", "triggers.py", "IF {' OR '.join(absent)} THEN",
           "IF false AND ({' OR '.join(absent)}) THEN", GUARDS),
    Mutant("what rows name may get another key (PostgreSQL)", "triggers.py",
           'f"NEW.{name} <> OLD.{name}" for name in key', 'f"NEW.{name} IS NULL" for name in key', GUARDS),
    Mutant("entries may be changed", "schema.py", 'APPEND_ONLY: Final = ("txn", "entry",',
           'APPEND_ONLY: Final = ("txn",', GUARDS),
    Mutant("receipts may be changed", "schema.py", '"goods", "account", "request", "lifecycle"',
           '"account", "request", "lifecycle"', GUARDS),
    Mutant("a number may go to another unit", "triggers.py", "NEW.goods_id <> OLD.goods_id OR ", "", GUARDS),
    Mutant("the sequence may have gaps", "triggers.py", "seq = NEW.seq - 1", "seq <= NEW.seq", GUARDS),
    Mutant("the head may go back", "triggers.py", "NEW.seq < OLD.seq", "NEW.seq < 0", GUARDS),
    Mutant("the head may be removed", "triggers.py", "BEFORE DELETE ON tenant", "BEFORE INSERT ON sku", GUARDS),
    # what writers do
    Mutant("the head is not locked (PostgreSQL)", "book.py",
           '            session.run(_LOCK, {"tenant": self.tenant})', "            pass", WRITERS),
    Mutant("the head is read by the statement that waits for it (PostgreSQL)", "book.py",
           '            session.run(_LOCK, {"tenant": self.tenant})\n        row = session.one(_HEAD, {',
           '            pass\n        row = session.one(f"{_HEAD} FOR UPDATE" if writes else _HEAD, {', AHEAD),
    Mutant("writes begin DEFERRED (SQLite)", "store/sqlite.py", 'connection.execute("BEGIN IMMEDIATE")',
           'connection.execute("BEGIN")', WRITERS),
    Mutant("a balance is written whatever its version", "write.py", '"AND balance.version = :version"',
           '"AND balance.version > 0 * :version"', WRITERS),
    Mutant("nobody counts the rows that were written (PostgreSQL)", "store/postgres.py",
           "if any(cursor.rowcount != rows for cursor, rows in self._expected):", "if False:", WRITERS),
    Mutant("nothing is tried again", "requests.py", "TRIES_MAX: Final = 5", "TRIES_MAX: Final = 1", WRITERS),
    Mutant("synchronous is NORMAL, and nobody looks (SQLite)", "store/sqlite.py",
           '"synchronous=FULL"|level != 2', '"synchronous=NORMAL"|level == 0', WRITERS),
    Mutant("commits are not waited for (PostgreSQL)", "store/postgres.py", 'execute("SET synchronous_commit = on")',
           'execute("SET synchronous_commit = off")', WRITERS),
    Mutant("foreign keys are off (SQLite)", "store/sqlite.py", '"foreign_keys=ON"', '"foreign_keys=OFF"', WRITERS),
    Mutant("a reader sees what is committed meanwhile (PostgreSQL)", "store/postgres.py",
           '"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"', '"BEGIN"', WRITERS),
    Mutant("a refused transaction is not undone", "book.py", """        except AllocatorError:
            self._take_back(self._undo)
            raise""", """        except AllocatorError:
            raise""", WRITERS),
    Mutant("a failed commit is remembered", "requests.py", "            book.abandon()\n", "            pass\n",
           COMMITS),
    Mutant("what was read before a failed commit is believed", "requests.py", "            self._known = None\n", "",
           COMMITS),
    Mutant("what others wrote meanwhile is not read", "book.py",
           "(known.head.seq, known.head.hash) == (here.seq, here.hash)", "known.head.seq <= here.seq", WRITERS),
    Mutant("what was defined in vain is remembered", "book.py", "        self.catalog.read_again()\n", "", COMMITS),
    Mutant("places that others opened are not read", "catalog.py", "if account_last > self._last:",
           "if account_last > self._last == 0:", WRITERS),
    Mutant("a clock that goes back is believed", "book.py", "max(time.time_ns() // 1000, self.recorded_at)",
           "time.time_ns() // 1000", WRITERS),
    # what a transaction may do
    Mutant("the newest receipt of a day is taken first", "selection.py", "(book.goods[key[0]].received_on, key)",
           "(book.goods[key[0]].received_on, -key[0])", WRITERS),
    Mutant("holds do not end", "reserve.py", "expires_at <= :now", "expires_at <= :now - 60000000", WRITERS),
    Mutant("a balance may be beyond 64 bits", "book.py", "if more.qty > GREATEST:", "if False:", WRITERS),
    Mutant("what is blocked may be shipped", "selection.py", "    if not blocked:\n", "    if False:\n", WRITERS),
    Mutant("goods may be taken from wherever they are", "selection.py",
           "book.catalog.accounts[key[1]].kind in wanted and", "True and", WRITERS),
    Mutant("statuses change as they like", "rules.py",
           "if before != after and (failings := book.catalog.failings(sku, before, after, heading)):",
           "if before != after and (failings := ()):", WRITERS),
    Mutant("a repeat is done again", "requests.py", "asked = sorted({key for key in keys if key})",
           "asked = []", DAY),
    Mutant("a key may come with other content", "requests.py", "if content != request.content:", "if False:", DAY),
    Mutant("a refusal is not kept", "requests.py", "if isinstance(error, AllocatorError):", "if False:", DAY),
    Mutant("an original is reversed as often as asked", "reverse.py", "if done or book.is_reversed(original):",
           "if False:", DAY),
    Mutant("numbers of other tenants count", "book.py", "FROM number WHERE tenant = :tenant AND value",
           "FROM number WHERE 0 < :tenant AND value", VERIFY),
    Mutant("keys of other tenants count", "requests.py", "FROM request WHERE tenant = :tenant AND key = ANY(:keys)",
           "FROM request WHERE 0 < :tenant AND key = ANY(:keys)", VERIFY),
    Mutant("the chain does not hold what was before", "chain.py", "hashlib.sha256(before + line(heading)",
           "hashlib.sha256(line(heading)", VERIFY),
    Mutant("the chain does not hold the receipts", "book.py",
           "[chain.line(goods) for goods in out.new_goods[undo.goods :]]", "[]", VERIFY),
    Mutant("the chain does not hold what was recorded in columns", "book.py", "+ [*told_entries]", "+ []", WHOLESALE),
    Mutant("a plan in columns is taken whatever happened since", "reserve.py", "if book.seq != whole.seq or",
           "if False or", WHOLESALE),
    Mutant("columns lose the moment at which a hold ends", "wholesale.py",
           '{} if ends is None else {"expires_at": ends}', "{}", WHOLESALE),
    Mutant("promises in columns do not touch the balance", "wholesale.py",
           "        book.promise(key, account_id, qty)\n", "", WHOLESALE),
    Mutant("ahead, nobody counts the rows that were written (PostgreSQL)", "store/postgres.py",
           "SELECT 1 / ({right})::int", "SELECT 1 / (({right}) OR true)::int", AHEAD),
    Mutant("holds are not looked at ahead", "reserve.py", "book.is_open or _holds_are_over(book)",
           "book.is_open", AHEAD),
    Mutant("what is done ahead is not kept under its key", "requests.py",
           "                for request in done:\n                    if request.key:",
           "                for request in done:\n                    if False:", AHEAD),
    Mutant("what never happened may come to the store later", "write.py", "    if book.is_ahead:\n",
           "    if False:\n", AHEAD),
    Mutant("as many transactions are taken for the same", "write.py", " AND tenant.hash = :known AND ",
           " AND :known = :known AND ", AHEAD),
    Mutant("what could not be written ahead is done", "requests.py",
           "                return 0\n            for request",
           "                return len(done)\n            for request", AHEAD),
    Mutant("what could not be written ahead is believed", "requests.py",
           "            self._known, self._read_first = None, READ_FIRST\n",
           "            self._read_first = READ_FIRST\n", AHEAD),
    Mutant("orders are done at once, though a line is known", "at_once.py", " or book.lines.get(line_id)", "", SHELVES),
    Mutant("what is known of a SKU is forgotten, but not that it is asked for", "shelves.py",
           "            del self._asked[spot]\n", "            pass\n", SHELVES),
    Mutant("a line does not count what was shipped", "change.py", "shipped=line.shipped + qty", "shipped=line.shipped",
           VERIFY),
    Mutant("what leaves keeps its promise", "change.py", "qty if keep else 0, number", "qty, number", VERIFY),
)  # fmt: skip
