"""What the gateway's codes mean to us: farm messages, advisories, connectivity, and everything else.

Source: the TWS API documentation, "Message Codes"; see docs/live.md.
"""

from __future__ import annotations

import re

CONNECTIVITY_LOST = 1100
RESTORED_DATA_LOST = 1101
RESTORED_DATA_KEPT = 1102
TWS_SERVER_BROKEN = 2110
CLIENT_ID_IN_USE = 326
READ_ONLY = 321
ACCOUNT_UNKNOWN = 435
NO_SECURITY = 200
NO_SUBSCRIPTION = 354
HISTORY_REFUSED = 162
NO_SUCH_QUERY = 366
COMPETING_SESSION = 10197

FARMS = {
    2103: ("market", "broken"),
    2104: ("market", "ok"),
    2105: ("history", "broken"),
    2106: ("history", "ok"),
    2107: ("history", "inactive"),
    2108: ("market", "inactive"),
    2119: ("market", "connecting"),
    2157: ("definitions", "broken"),
    2158: ("definitions", "ok"),
}
ADVISORIES = frozenset({165, 202, 399, 404, 434, 492, 10089, 10090, 10091, 10167})
"""No failure of what they come with: data follows (10167, 10089 to 10091), or the order goes on."""


def farm_state(code: int, text: str) -> tuple[str, str, str] | None:
    """Name, kind and status of the data farm that a message is about; None if it is about none.

    The text ends in the farm's name: ``Market data farm connection is OK:usfarm``.
    """
    if code not in FARMS:
        return None
    kind, status = FARMS[code]
    name = re.split(r"[:.]", text.strip().rstrip("."))[-1].strip()
    return name, kind, status


def is_notice(code: int) -> bool:
    """Whether a message is information, no error."""
    return code in ADVISORIES or 2100 <= code < 2200 or code in (RESTORED_DATA_LOST, RESTORED_DATA_KEPT)


def no_history(text: str) -> bool:
    """Whether code 162 means that there is no data, which no repetition changes."""
    return "no data" in text.lower()


def is_pacing(text: str) -> bool:
    """Whether code 162 is a pacing violation, which waiting cures."""
    return "pacing" in text.lower()


REMEDIES = {
    READ_ONLY: "the API is read-only: untick Configure > API > Settings > Read-Only API, then connect again",
    CLIENT_ID_IN_USE: (
        "another program is connected with this client id; stop it, or set another client_id. Orders belong "
        "to the id that placed them, so do not change it while orders work"
    ),
    NO_SUBSCRIPTION: (
        "the account has no permission for this market data; subscribe in Client Portal > Settings > "
        "Market Data Subscriptions, or use delayed data (market data type 3)"
    ),
    10168: "market data is not subscribed and delayed data is off; subscribe, or use market data type 3",
    COMPETING_SESSION: (
        "another session of the same user has the market data; log out of the other TWS, IB Gateway or app"
    ),
    NO_SECURITY: "IB knows no such contract; correct the symbol, its currency or its exchange",
    ACCOUNT_UNKNOWN: "set account to one of the accounts of this login",
    HISTORY_REFUSED: "see the text; a pacing violation ends after a pause",
    NO_SUCH_QUERY: "the gateway forgot the query, as after a restart; ask again",
    504: "not connected; start TWS or IB Gateway and log in",
    CONNECTIVITY_LOST: "TWS lost IB's servers; wait, or see IB's system status page",
}


def remedy(code: int) -> str:
    """What to do about a code; empty when nothing better than its text is known."""
    return REMEDIES.get(code, "")
