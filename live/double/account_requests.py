"""Requests about accounts and positions, and the updates that follow them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from live.double import wire
from live.double.account import Account, ledger, mark, rows
from live.double.clock import local
from live.double.orders import Refused

if TYPE_CHECKING:
    from live.double.server import Gateway
    from live.double.session import ClientSession


def _named(gateway: Gateway, name: str) -> Account:
    accounts = gateway.engine.accounts
    if not name and len(accounts) == 1:
        return next(iter(accounts.values()))
    if name not in accounts:
        raise Refused(321, f"Error validating request.-'bK' : cause - Invalid account code '{name}'.")
    return accounts[name]


def _updates(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    if values["subscribe"] != "1":
        session.subscriptions.account = None
        return
    account = _named(gateway, values["account"])
    session.subscriptions.account = account
    send_account(gateway, session, account)
    session.send(["54", "1", account.name])


def send_account(
    gateway: Gateway, session: ClientSession, account: Account, changed: set[int] | None = None
) -> None:
    """Send an account's figures and its positions, or only those positions that changed."""
    for tag, value, currency in rows(account, gateway.market):
        session.send(wire.account_value(account, tag, value, currency))
    for held in account.holdings.values():
        wanted = held.quantity != 0 if changed is None else held.listing.con_id in changed
        if wanted:
            session.send(wire.portfolio(session.version, account, held.listing, gateway.market))
    session.send(["8", "1", f"{local(gateway.clock.now):%H:%M}"])


def _multi(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    account, request = _named(gateway, values["account"]), int(values["reqId"])
    session.subscriptions.multi[request] = account
    send_multi(gateway, session, request, account)
    session.send(["74", "1", str(request)])


def send_multi(gateway: Gateway, session: ClientSession, request: int, account: Account) -> None:
    """Send an account's figures under a request."""
    for tag, value, currency in rows(account, gateway.market):
        session.send(["73", "1", str(request), account.name, "", tag, value, currency])


def _cancel_multi(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    session.subscriptions.multi.pop(int(values["reqId"]), None)


def _summary(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    request, tags = int(values["reqId"]), tuple(tag for tag in values["tags"].split(",") if tag)
    session.subscriptions.summaries[request] = tags
    send_summary(gateway, session, request, tags)
    session.send(["64", "1", str(request)])


def send_summary(gateway: Gateway, session: ClientSession, request: int, tags: tuple[str, ...]) -> None:
    """Send the figures that a summary asked for, of every account."""
    for account in gateway.engine.accounts.values():
        figures = account.values(lambda listing, owner=account: mark(gateway.market, owner, listing))  # type: ignore[misc]
        found = [("AccountType", "INDIVIDUAL", "")] if "AccountType" in tags else []
        found += [(tag, f"{figures[tag]:.2f}", account.currency) for tag in tags if tag in figures]
        if any(tag.startswith("$LEDGER") for tag in tags):
            found += ledger(account, figures)
        for tag, value, currency in found:
            session.send(["63", "1", str(request), account.name, tag, value, currency])


def _cancel_summary(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    session.subscriptions.summaries.pop(int(values["reqId"]), None)


def _positions(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    session.subscriptions.positions = True
    for account in gateway.engine.accounts.values():
        for held in account.holdings.values():
            if held.quantity != 0:
                session.send(wire.position(session.version, account, held.listing))
    session.send(["62", "1"])


def _cancel_positions(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    session.subscriptions.positions = False


HANDLERS = {
    "reqAccountUpdates": _updates,
    "reqAccountUpdatesMulti": _multi,
    "cancelAccountUpdatesMulti": _cancel_multi,
    "reqAccountSummary": _summary,
    "cancelAccountSummary": _cancel_summary,
    "reqPositions": _positions,
    "cancelPositions": _cancel_positions,
}
