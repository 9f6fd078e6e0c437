"""What is read at the start and after every restoration: account, positions, orders, executions, clock."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from live.client import convert
from live.client.failures import ClockSkew, NotSynchronised, ReadOnlyApi, Refused, WrongAccount
from live.client.link import Link
from live.client.messages import AccountKind, CompletedOrder, Execution, OpenOrder, PositionRow
from live.client.notices import READ_ONLY

PAPER_PREFIXES = ("DU", "DF")
PAPER_PORTS = (4002, 7497)
REAL_PORTS = (4001, 7496)


def account_kind(account: str) -> AccountKind:
    """Paper or real money by the account id: simulated accounts begin with DU or DF (IB's convention).

    Anything else counts as real money, so that an unknown kind of account is treated with more care, not less.
    """
    return AccountKind.PAPER if account.upper().startswith(PAPER_PREFIXES) else AccountKind.REAL


def port_warning(account: str, port: int) -> str:
    """Warn of a port whose custom contradicts the account; empty if they agree. The account id decides."""
    kind = account_kind(account)
    against = REAL_PORTS if kind is AccountKind.PAPER else PAPER_PORTS
    if port not in against:
        return ""
    custom = "real money" if kind is AccountKind.PAPER else "a paper account"
    return (
        f"port {port} is by custom that of {custom}, and the account is {kind.value}; the account id decides, "
        "so check that TWS or IB Gateway is logged in to what you meant"
    )


def choose_account(configured: str, managed: tuple[str, ...]) -> str:
    """Return the one account to use.

    Parameters
    ----------
    configured : str
        Empty if none is configured.
    managed : tuple of str
        Accounts of the login.

    Raises
    ------
    WrongAccount
        The configured account is not among them, or there are several and none is configured.
    """
    if configured:
        if configured not in managed:
            raise WrongAccount(
                f"account {configured} is not among the accounts of this login ({', '.join(managed)}); "
                "correct account, or log in with the user it belongs to"
            )
        return configured
    if len(managed) != 1:
        raise WrongAccount(
            f"this login has {len(managed)} accounts ({', '.join(managed)}) and none is configured; "
            "set account to one of them"
        )
    return managed[0]


@dataclass(slots=True)
class Synced:
    """Answers to the start-up queries.

    Attributes
    ----------
    positions, open_orders, completed, executions : list
        Of every account of the login.
    skew_s : float or None
        The gateway's clock minus ours, in seconds; it tells whole seconds, so within half a second.
    problems : dict of query to exception
        Queries that failed or were not answered.
    read_only : bool
        The gateway refuses orders (321).
    """

    positions: list[PositionRow] = field(default_factory=list)
    open_orders: list[OpenOrder] = field(default_factory=list)
    completed: list[CompletedOrder] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    skew_s: float | None = None
    problems: dict[str, Exception] = field(default_factory=dict)
    read_only: bool = False


async def account_values(link: Link, account: str) -> None:
    """Have the figures of an account sent; they arrive as messages, and again whenever they change."""
    await link.ask_alone("account values", lambda: link.ib.reqAccountUpdatesAsync(account))


async def open_orders(link: Link) -> list[OpenOrder]:
    """Working orders of all clients and accounts."""

    def start() -> Awaitable[Any]:
        link.tap.open_orders = []
        return link.ib.reqAllOpenOrdersAsync()  # type: ignore[no-any-return]

    await link.ask_alone("open orders", start)
    found, link.tap.open_orders = link.tap.open_orders or [], None
    return found


async def completed_orders(link: Link) -> list[CompletedOrder]:
    """Today's orders that are done, of all clients and accounts."""

    def start() -> Awaitable[Any]:
        link.tap.completed = []
        return link.ib.reqCompletedOrdersAsync(False)  # type: ignore[no-any-return]

    await link.ask_alone("completed orders", start)
    found, link.tap.completed = link.tap.completed or [], None
    return found


async def positions(link: Link) -> list[PositionRow]:
    """Positions of all accounts; a name that was closed is missing."""
    found = await link.ask_alone("positions", link.ib.reqPositionsAsync)
    return [convert.position(row.account, row.contract, row.position, row.avgCost) for row in found]


async def executions(link: Link) -> list[Execution]:
    """Today's executions of all clients and accounts, corrections included."""
    found = await link.ask("executions", link.ib.reqExecutionsAsync)
    return [convert.execution(fill.contract, fill.execution, replayed=True) for fill in found]


async def clock_skew(link: Link, clock: Callable[[], dt.datetime]) -> float:
    """The gateway's clock minus ours, in seconds.

    The gateway tells whole seconds, cut off: its time lies on average half a second later. Our time is taken
    in the middle of the request.
    """
    before = clock()
    server = await link.server_time()
    ours = before + (clock() - before) / 2
    return (server - ours).total_seconds() + 0.5


async def synchronise(link: Link, account: str, clock: Callable[[], dt.datetime]) -> Synced:
    """Ask every start-up query; see to it that each is answered to its end, and say which were not."""
    result = Synced()

    queries: dict[str, Awaitable[Any]] = {
        "account values": account_values(link, account),
        "positions": positions(link),
        "open orders": open_orders(link),
        "completed orders": completed_orders(link),
        "server time": clock_skew(link, clock),
        # Last, so that the orders that they belong to are known.
        "executions": executions(link),
    }
    answers = await asyncio.gather(*queries.values(), return_exceptions=True)
    found: dict[str, Any] = {}
    for name, answer in zip(queries, answers, strict=True):
        if isinstance(answer, Exception):
            result.problems[name] = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found[name] = answer
    for name in ("open orders", "completed orders"):
        problem = result.problems.get(name)
        if isinstance(problem, Refused) and problem.code == READ_ONLY:
            result.read_only = True
            del result.problems[name]
    result.positions = found.get("positions", [])
    result.open_orders = found.get("open orders", [])
    result.completed = found.get("completed orders", [])
    result.executions = found.get("executions", [])
    result.skew_s = found.get("server time")
    return result


def require_complete(synced: Synced, where: str) -> None:
    """Raise if any start-up query failed: orders on half a picture would be wrong orders.

    Raises
    ------
    NotSynchronised
        Names each query.
    """
    if synced.problems:
        what = "; ".join(f"{name}: {error}" for name, error in synced.problems.items())
        raise NotSynchronised(f"{where} is connected but not synchronised, so nothing may be traded: {what}")


def read_only_error(where: str) -> ReadOnlyApi:
    """The gateway refuses orders, and orders were asked for."""
    return ReadOnlyApi(
        f"open orders of {where}",
        READ_ONLY,
        "the API is in read-only mode; shadow mode and doctor work with it",
    )


def require_clock(skew_s: float | None, limit: float | None) -> None:
    """Raise if our clock and the gateway's differ too much.

    Raises
    ------
    ClockSkew
    """
    if limit is not None and skew_s is not None and abs(skew_s) > limit:
        direction = "ahead of" if skew_s > 0 else "behind"
        raise ClockSkew(
            f"the gateway's clock is {abs(skew_s):.1f} s {direction} ours (limit {limit:g} s): sessions and cut-offs "
            "would be missed; synchronise this computer's clock (timedatectl set-ntp true) and the gateway's"
        )
