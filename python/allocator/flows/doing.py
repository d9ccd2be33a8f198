"""Taking a step: who may, in which state, on whose documents and goods; as one request to the ledger, once per key."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from allocator.errors import InputError, Problem
from allocator.flows.flow import FLOWS, Flow, Step
from allocator.ledger import change
from allocator.ledger.book import Book
from allocator.ledger.catalog import Catalog
from allocator.ledger.documents import Document, DocumentLine
from allocator.ledger.known import Key
from allocator.ledger.lines import Unfit, shown, text
from allocator.ledger.records import Heading, Sku
from allocator.ledger.reserve import expire
from allocator.ledger.selection import load, unit
from allocator.model.document import did_you_mean

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger


@dataclass(frozen=True)
class Person:
    """Who acts, as whoever let them in knows them: never from what they send.

    Attributes:
        name: Their name.
        role: The role in which they act.
        party: The partner that they work for; '' for the business itself, which sees every partner's documents.
        bus: The business units that they work for; all of them if none is named.
    """

    name: str
    role: str
    party: str = ""
    bus: tuple[str, ...] = ()

    def sees(self, document: Document) -> bool:
        """Whether a document is theirs to see."""
        mine = not self.party or self.party in (document.party, document.counterparty)
        return mine and (not self.bus or not document.bu or document.bu in self.bus)


SPELLED_MAX: Final = 10_000
"""SKUs among which one is looked for that may be meant."""


@dataclass
class Doing:
    """A step that is being taken: the book, and what may be done with documents and goods.

    Attributes:
        book: The ledger as it is now.
        person: Who takes it.
        flow: The flow of the document that it is about.
        step: The step.
        said: What every transaction of it says: note, day, key, …
        done: How many transactions it has made.
    """

    book: Book
    person: Person
    flow: Flow
    step: Step
    said: dict[str, Any] = field(default_factory=dict)
    done: int = 0

    # --- transactions ---

    @contextmanager
    def transaction(self, type_: str = "document", **said: str) -> Iterator[Heading]:
        """A transaction of the ledger: goods and documents that change within it, change together.

        The first one carries the key of the request.
        """
        own = self.said | said | ({"key": ""} if self.done else {})
        heading = Heading(type_, self.person.name, role=self.person.role, **own)
        if type_ == "reserve":
            expire(self.book, heading._replace(key=""))
        self.done += 1
        with self.book.transaction(heading):
            yield heading

    def post(self, heading: Heading, lines: Sequence[Mapping[str, Any]], origin: str = "") -> dict[Key, int]:
        """Moves goods within a transaction: lines as those of `Ledger.post`, read already.

        Returns:
            The account that goods went to, by goods and the account that they were in.
        """
        since = len(self.book.moved)
        change.post(self.book, heading, lines, origin)
        return {(each.goods_id, each.from_id): each.to_id for each in self.book.moved[since:]}

    # --- documents ---

    def document(self, number: str, *flows: str) -> Document:
        """A document that this person may see, of one of some flows.

        Raises:
            InputError: `document_unknown`: there is none, or it is somebody else's: nobody can tell which.
        """
        found = self.book.documents.get(number)
        if found is None or not self.person.sees(found) or found.flow not in (flows or (self.flow.name,)):
            what = " or ".join(flows or (self.flow.name,))
            raise InputError(unknown_document(number, what))
        return found

    def begin(self, number: str) -> Document:
        """The document that the step is about, which must be in a state in which it can be taken, by this person.

        Only those work on it whose it is; if the step is shared, whoever sees it.

        Raises:
            InputError: `document_unknown`, `role_missing`, `step_impossible`.
        """
        found = self.document(number)
        if self.person.party not in ("", found.party) and not self.step.shared:
            message = (
                f"{number} is worked on by {found.party or 'the business'}: {self.person.party} can only look at it"
            )
            raise InputError(Problem("role_missing", message, column="number", value=number))
        if found.state not in self.step.before:
            raise InputError(impossible(self.flow, found, self.step.name))
        return found

    def next_number(self, flow: Flow) -> str:
        """The number that the next document of a flow gets."""
        return self.book.documents.next_number(flow.prefix)

    def open(self, flow: Flow, state: str, *, number: str = "", step: str = "", **said: Any) -> str:  # noqa: ANN401
        """Opens a document, within a transaction; its number, the next one of its flow if left out.

        It is opened by the step that is taken, or by one of its own that follows from it.
        """
        following = self.next_number(flow) if flow.prefix else ""
        given = number or following
        self.book.documents.open(
            given, step or self.step.name, flow.name, state, counts=flow.prefix if given == following else "",
            closed=int(state in flow.closed), **said,
        )  # fmt: skip
        return given

    def go(self, number: str, state: str | None = None, *, step: str = "", **said: Any) -> None:  # noqa: ANN401
        """A document goes on by this step, or by one of its own that follows from it; within a transaction.

        Args:
            number: The document.
            state: Its state from now on; the usual one of the step if left out.
            step: The step of its own flow, where that is not the one that is taken.
            said: What else changes: as `Documents.change`.
        """
        document = self.book.documents.get(number)
        assert document is not None
        flow = FLOWS[document.flow]
        taken = flow.step(step) if step else self.step
        after = taken.after[0] if state is None else state
        if document.state not in taken.before:
            raise InputError(impossible(flow, document, taken.name))
        closed = int(after in flow.closed)
        self.book.documents.change(number, taken.name, state=after, closed=closed, **said)

    def line(self, number: str, n: int, *, step: str = "", **said: Any) -> None:  # noqa: ANN401
        """A line of a document as it is from now on; within a transaction."""
        self.book.documents.put_line(number, step or self.step.name, n, **said)

    def link(self, number: str, kind: str, other: str, *, step: str = "") -> None:
        """A link from one document to another, or to a number of another system."""
        self.book.documents.link(number, step or self.step.name, kind, other)

    def lines(self, number: str, ns: Collection[int] | None = None) -> list[DocumentLine]:
        """The lines of a document; the SKUs that they are about are known."""
        found = self.book.documents.lines(number, ns)
        self.book.catalog.load_sku_ids(self.book.session, {line.sku_id for line in found if line.sku_id is not None})
        return found

    # --- goods ---

    def skus(self, names: Iterable[str]) -> dict[str, Sku]:
        """SKUs by name.

        Raises:
            InputError: `sku_unknown`: every one of them.
        """
        found, problems = self.find_skus(names)
        if problems:
            raise InputError(problems)
        return found

    def sku(self, name: str) -> Sku:
        """The SKU that the argument `sku` names.

        Raises:
            InputError: `sku_unknown`.
        """
        found, problems = self.find_skus([name])
        if problems:
            raise InputError(replace(each, table="", row=None) for each in problems)
        return found[name]

    def find_skus(self, names: Iterable[str]) -> tuple[dict[str, Sku], list[Problem]]:
        """SKUs by name, and what is to be said of those that there are not."""
        wanted = list(names)
        self.book.catalog.load_skus(self.book.session, wanted)
        problems: list[Problem] = []
        found = {}
        for row, name in enumerate(wanted):
            try:
                found[name] = self.book.catalog.named(name, row)
            except InputError as error:
                problems += error.problems
        return found, self._spelled(problems) if problems else []

    def _spelled(self, problems: Sequence[Problem]) -> list[Problem]:
        """Unknown SKUs, each with the one that may be meant: the catalog has read few of them."""
        sql = "SELECT sku FROM sku WHERE tenant = :tenant ORDER BY sku LIMIT :most"
        rows = self.book.session.rows(sql, {"tenant": self.book.tenant, "most": SPELLED_MAX})
        names = [sku for (sku,) in rows]
        hint = "Look it up again: a SKU is set up (allocator ledger define) before it is asked for"
        return [replace(each, hint=did_you_mean(each.value or "", names) or hint) for each in problems]

    def unit_at(self, line: Mapping[str, Any], row: int, place: str) -> int:
        """The unit that a line names by its serial, which must be within a place: one elsewhere looks like none.

        Raises:
            InputError: `goods_unknown`.
        """
        goods_id = None
        try:
            load(self.book, [line])
            goods_id = unit(self.book, line, row)
        except InputError as error:
            if error.code != "goods_unknown":
                raise
        accounts = [self.book.catalog.accounts[a] for a in self.book.accounts_of[goods_id]] if goods_id else []
        if not any(within(account.location, place) for account in accounts):
            raise InputError(Problem("goods_unknown", "there is no such unit", "lines", "serial", row, line["serial"]))
        assert goods_id is not None
        return goods_id


def take(
    ledger: Ledger,
    person: Person,
    flow: Flow,
    step: str,
    work: Callable[[Doing], Any],
    *asked: object,
    key: str = "",
    **said: Any,  # noqa: ANN401 - what `Ledger.heading` takes
) -> Any:  # noqa: ANN401 - what the work answers
    """Takes a step: all that it does, or nothing, and once per key.

    Args:
        ledger: The ledger.
        person: Who takes it.
        flow: The flow of the document that it is about.
        step: Its name.
        work: What it does; answers with plain data.
        asked: What is asked, to tell a repeat from another request under the same key.
        key: The caller's key, so that a repeat is answered and not done again.
        said: What is said of its transactions: `reason`, `note`, `day`, `approved_by`.

    Raises:
        InputError: `role_missing`; `key_reused`; and why it is refused.
    """
    taken = flow.step(step)
    heading = ledger.heading("document", actor=person.name, role=person.role, key=key, **said)
    check_role(person, flow, taken)
    kept = {name: getattr(heading, name) for name in ("reason", "note", "day", "approved_by", "details", "key")}

    def whole(book: Book) -> Any:  # noqa: ANN401
        return work(Doing(book, person, flow, taken, dict(kept)))

    return ledger.do(whole, heading._replace(type=f"{flow.name}: {step}"), person.party, *asked)


def check_role(person: Person, flow: Flow, step: Step) -> None:
    """Makes sure that a step is for the role of a person.

    Raises:
        InputError: `role_missing`.
    """
    if person.role not in step.roles:
        message = f"{flow.name}: {step.name} is not for {person.role or 'nobody'}"
        hint = f"It is for {' or '.join(step.roles)}" if step.roles else "It follows from another step"
        raise InputError(Problem("role_missing", message, column="role", value=person.role[:80], hint=hint))


Seen = TypeVar("Seen")


def look(ledger: Ledger, person: Person, asked: Callable[[Doing], Seen]) -> Seen:
    """Answers a question about documents and goods as they are now; nothing is changed, and nobody waits."""
    with ledger.store.session() as session:
        # A catalogue of its own: that of the writer may change while this is read.
        book = Book(session, Catalog(ledger.tenant), writes=False)
        day = ledger.heading("document", actor=person.name, role=person.role).day
        return asked(Doing(book, person, LOOK, LOOK.steps[0], {"day": day}))


LOOK: Final = Flow("", "", "A question.", {}, (), (Step("look", "Nothing is done.", (), ()),))
"""The flow of those who only look."""


def within(place: str, tree: str) -> bool:
    """Whether a place is another, or below it."""
    return place == tree or place.startswith(f"{tree}/")


@contextmanager
def all_problems() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Everything that is wrong with what is asked, in one refusal: each part within is looked at, whatever others are.

    Raises:
        InputError: The problems of all parts, where there are any.

    Example:
        >>> try:
        ...     with all_problems() as part:
        ...         for name in ("", " "):
        ...             with part():
        ...                 number_of(name)
        ... except InputError as refusal:
        ...     len(refusal.problems)
        2
    """
    problems: list[Problem] = []

    @contextmanager
    def part() -> Iterator[None]:
        try:
            yield
        except InputError as error:
            problems.extend(error.problems)

    yield part
    if problems:
        raise InputError(problems)


def one_of(value: str, choices: Collection[str], column: str) -> None:
    """Makes sure that a word is one of a closed list.

    Raises:
        InputError: `argument_value`.
    """
    if value not in choices:
        hint = did_you_mean(str(value), list(choices)) or f"There are {', '.join(choices)}"
        raise InputError(
            Problem("argument_value", "it is none of these", column=column, value=str(value)[:80], hint=hint)
        )


def check_reason(reason: str, what: str) -> None:
    """Makes sure that a reason is given for what needs one.

    Raises:
        InputError: `reason_missing`.
    """
    if not reason:
        hint = "Say why, by a reason code of your own, as reason='damage'"
        raise InputError(Problem("reason_missing", f"{what} needs a reason", column="reason", hint=hint))


def placed(error: InputError, table: str, row: int) -> list[Problem]:
    """Problems of what a line says, at its place: the argument that has the lines, and its row."""
    return [replace(each, table=table, row=row) for each in error.problems]


def unknown_document(number: str, what: str) -> Problem:
    """What is said of a document that is not there, and of one that is somebody else's."""
    hint = "The board lists what waits for you, `events` all that you may see"
    return Problem("document_unknown", f"there is no such {what}", column="number", value=str(number)[:80], hint=hint)


def impossible(flow: Flow, document: Document, step: str) -> Problem:
    """What is said of a step that a document cannot take in its state, with those that it can."""
    others = [each for each in flow.next(document.state) if each.name != step]
    nexts = [f"{each.name} ({' or '.join(each.roles)})" for each in others]
    hint = f"Next: {', '.join(nexts)}" if nexts else "Nothing is left to do with it"
    message = f"{document.number} is {document.state}: {step} is not possible"
    return Problem("step_impossible", message, column="number", value=document.number, hint=hint)


def number_of(value: object, column: str = "number") -> str:
    """The number of a document as it is given.

    Raises:
        InputError: `value_text`, `value_empty`, `text_nul`.
    """
    try:
        return text(value)
    except Unfit as unfit:
        raise InputError(Problem(unfit.code, str(unfit), column=column, value=shown(value))) from None
