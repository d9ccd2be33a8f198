"""Settings that flows act by, kept in the ledger with their history: every process acts on the same ones."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from allocator.flows.doing import Doing, Person, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.ledger.book import Book
from allocator.model.document import Document

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

SETTINGS: Final = known(
    Flow(
        name="settings",
        prefix="",
        says="What flows act by: partners, limits, contracts, and so on.",
        states={"in force": "Every flow acts by it."},
        closed=(),
        steps=(
            Step("set", "Settings are given, in the place of those before.", ("", "in force"), ("in force",),
                 ("administrator",)),
        ),
    )
)  # fmt: skip

Settings = TypeVar("Settings", bound=Document)


@checked
def keep_settings(ledger: Ledger, settings: Document, person: Person, *, reason: str = "", key: str = "") -> str:
    """Puts settings in force, in the place of those of their kind; the number of their document.

    Args:
        ledger: The ledger.
        settings: A document of settings, as `PartnerSettings`.
        person: An administrator.
        reason: Why.
        key: The caller's key, so that a repeat is answered and not done again.

    Raises:
        InputError: `role_missing`, `key_reused`.
    """
    number = f"settings/{settings.kind}"
    text = settings.dumps("json")

    def work(doing: Doing) -> str:
        with doing.transaction():
            if doing.book.documents.get(number) is None:
                return doing.open(SETTINGS, "in force", number=number, details={"text": text})
            doing.go(number, details={"text": text})
        return number

    return str(take(ledger, person, SETTINGS, "set", work, settings.kind, text, key=key, reason=reason))


def settings_of(book: Book, model: type[Settings]) -> Settings:
    """The settings of a kind that are in force; the defaults where none were given."""
    found = book.documents.get(f"settings/{model.kind}")
    settings: Settings = _read(model, found.details["text"] if found else "{}")
    return settings


@lru_cache(maxsize=64)
def _read(model: type[Document], text: str) -> Any:  # noqa: ANN401 - of the model that is asked for
    return model.loads(text, "json")
