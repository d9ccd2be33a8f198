"""Steps are told to other systems: by webhook, or by e-mail; at least once, and in their order (SP-25).

Where a receiver has got to is kept in the ledger: whoever runs `deliver` next goes on from there. What a receiver does
not take stops its feed, so that nothing overtakes it; it may get an event twice, and knows it by its id.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import smtplib
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, check_role, number_of, take
from allocator.flows.events import events
from allocator.flows.flow import Flow, Step, known
from allocator.flows.settings import SETTINGS
from allocator.ledger.book import Book
from allocator.ledger.catalog import Catalog

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

FEEDS: Final = known(
    Flow(
        name="feed",
        prefix="",
        says="How far a receiver of events has got.",
        states={"delivered": "Everything up to its last event was taken."},
        closed=(),
        steps=(Step("deliver", "The receiver took events.", ("", "delivered"), ("delivered",), ("system",)),),
    )
)

Event = Mapping[str, Any]
Send = Callable[[Event], None]
"""Hands an event to a receiver; raises `OSError` if it was not taken."""

OWN: Final = (FEEDS.name, SETTINGS.name)
"""Flows that are no business of other systems."""

PAUSE_S: Final = 0.2
TIMEOUT_S: Final = 10.0


def deliver(
    ledger: Ledger, feed: str, send: Send, person: Person, *, receiver: Person | None = None,
    wanted: Callable[[Event], bool] = lambda _: True, limit: int = 1000, tries: int = 3,
) -> int:  # fmt: skip
    """Sends a receiver what happened since it was last sent something; how many events it took.

    Args:
        ledger: The ledger.
        feed: The name of the receiver's feed.
        send: How events reach it: `webhook(…)`, `mailbox(…)`, or a function of one's own.
        person: Who delivers, in the role `system`.
        receiver: Whom it stands for: a partner is sent its own only; everything if left out.
        wanted: Which events it wants.
        limit: Events that are looked at for one that is wanted, at most, before those behind them are.
        tries: How often one that is not taken is sent before the rest waits for the next call.

    Raises:
        InputError: `role_missing`, `argument_value`; `delivery_failed`: an event was not taken; those before it were.
    """
    check_role(person, FEEDS, FEEDS.step("deliver"))
    if isinstance(tries, bool) or not isinstance(tries, int) or tries < 1:
        raise InputError(Problem("argument_value", "an event is sent once or more", column="tries", value=str(tries)))
    number = f"feed/{number_of(feed, 'feed')}"
    with ledger.store.session() as session:
        head = Book(session, Catalog(ledger.tenant), writes=False).documents.get(number)
    since = int(head.details["seq"]) if head else 0
    told = events(ledger, since, limit=limit, person=receiver)
    failed, taken, done = None, 0, since
    while not told.is_empty() and failed is None:
        # A transaction is taken with all of its events, or comes again with all of them.
        for (seq,), group in told.group_by("seq", maintain_order=True):
            mine = [row for row in group.iter_rows(named=True) if row["flow"] not in OWN and wanted(row)]
            failed = next((problem for row in mine if (problem := _sent(send, _event(ledger, row), tries))), None)
            if failed:
                break
            taken, done = taken + len(mine), int(str(seq))
        full = told.height >= limit
        if taken or not full:
            break
        # Nothing of all these was wanted: what was might come behind them.
        told = events(ledger, done, limit=limit, person=receiver)
    # What was only passed over is passed over again, as long as it is little: remembering it is an event, too.
    if taken or done - since >= limit:
        _keep(ledger, number, person, done)
    if failed:
        raise InputError(failed)
    return taken


def _event(ledger: Ledger, row: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in row.items() if value is not None and name not in ("patch", "at")}
    return {"id": f"{ledger.name}:{row['seq']}.{row['n']}", "at": row["at"].isoformat(), **said,
            "patch": json.loads(row["patch"])}  # fmt: skip


def _sent(send: Send, event: Event, tries: int) -> Problem | None:
    """Sends an event; the problem if it was not taken."""
    for tried in range(tries):
        try:
            send(event)
        except OSError as error:
            why = str(error)[:80]
            if tried + 1 < tries:
                time.sleep(PAUSE_S * 2**tried)
        else:
            return None
    hint = "It is sent again by the next call, before anything that came after it"
    return Problem("delivery_failed", f"event {event['id']} was not taken {tries} times", value=why, hint=hint)


def _keep(ledger: Ledger, number: str, person: Person, seq: int) -> None:
    def work(doing: Doing) -> None:
        with doing.transaction():
            if doing.book.documents.get(number) is None:
                doing.open(FEEDS, "delivered", number=number, details={"seq": seq})
            else:
                doing.go(number, details={"seq": seq})

    take(ledger, person, FEEDS, "deliver", work, number, seq)


def webhook(url: str, secret: bytes, *, timeout_s: float = TIMEOUT_S) -> Send:
    """Sends events to a URL, signed as Standard Webhooks (https://www.standardwebhooks.com) has it.

    The body is the event as JSON; `webhook-id` is its id, `webhook-timestamp` the second of sending,
    `webhook-signature` `v1,` and the HMAC-SHA256 over `id.timestamp.body`, in base64. Any answer but 2xx is no.

    Raises:
        InputError: `argument_value`: the URL is none of http or https.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        hint = "As in https://erp.example.com/events"
        raise InputError(
            Problem("argument_value", "events go to http or https", column="url", value=url[:80], hint=hint)
        )

    def send(event: Event) -> None:
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        moment = str(int(time.time()))
        signed = hmac.new(secret, f"{event['id']}.{moment}.".encode() + body, hashlib.sha256).digest()
        headers = {
            "content-type": "application/json", "webhook-id": event["id"], "webhook-timestamp": moment,
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }  # fmt: skip
        request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - checked above
        with urllib.request.urlopen(request, timeout=timeout_s):  # noqa: S310
            pass

    return send


def mailbox(host: str, port: int, *, sender: str, to: str, timeout_s: float = TIMEOUT_S) -> Send:
    """Sends events by e-mail: one message each, which says in words what happened."""

    def send(event: Event) -> None:
        message = EmailMessage()
        message["From"], message["To"] = sender, to
        message["Subject"] = f"{event['number']}: {event['step']} -> {event['state']}"
        message["Message-ID"] = f"<{event['id'].replace(':', '.').replace(' ', '-')}@allocator>"
        why = f"\nReason: {event['reason']}" if "reason" in event else ""
        message.set_content(
            f"{event['flow']} {event['number']} is {event['state']}.\n"
            f"{event['step']} by {event['actor']} ({event.get('role', '')}) at {event['at']}{why}\n"
        )
        try:
            with smtplib.SMTP(host, port, timeout=timeout_s) as server:
                server.send_message(message)
        except smtplib.SMTPException as error:
            raise OSError(str(error)) from error

    return send
