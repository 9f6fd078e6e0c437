"""A snapshot as metrics of Prometheus, on a port of this machine alone."""

from __future__ import annotations

import datetime as dt
import ipaddress
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ares7.errors import ConfigError, ServiceUnavailable
from live.halt.level import HaltLevel
from live.monitor.snapshot import Snapshot

MONEY = {
    "nav_usd": ("nav_usd", "Value of the account at the latest close, USD."),
    "cash_usd": ("cash_usd", "Cash at the latest close, USD."),
    "daily_return_ratio": ("daily_return", "Time-weighted return of the latest session, fraction."),
    "total_return_ratio": ("total_return", "Time-weighted return since the first close, fraction."),
    "drawdown_ratio": ("drawdown", "Below the highest close of the time-weighted curve, positive fraction."),
    "max_drawdown_ratio": ("max_drawdown", "Deepest drawdown, positive fraction."),
    "sharpe_ratio": ("sharpe", "Annualised Sharpe ratio of all returns."),
    "rolling_sharpe_ratio": ("rolling_sharpe", "Annualised Sharpe ratio of the rolling window."),
    "volatility_ratio": ("volatility", "Annualised standard deviation of all returns, fraction."),
    "earned_usd": ("earned_usd", "Change of value less what the owner moved, USD."),
}
BOOK = {
    "gross_exposure_ratio": ("gross", "Sum of absolute position values over NAV, fraction."),
    "net_exposure_ratio": ("net", "Sum of signed position values over NAV, fraction."),
}
TRADING = {
    "traded_usd": ("traded_usd", "Notional of the executions of the latest session, USD."),
    "fees_usd": ("fees_usd", "Known fees of the latest session, USD."),
    "fees_unknown": ("fees_unknown", "Executions of the latest session whose fee is not known."),
    "fees_all_usd": ("fees_total_usd", "Known fees since the first close, USD."),
    "turnover_ratio": ("turnover", "One-way turnover of the latest session, fraction of NAV."),
    "turnover_annual_ratio": ("turnover_annual", "One-way turnover a year, fraction of NAV."),
    "orders_working": ("working", "Orders that work."),
    "orders_rejected": ("rejected", "Rejected orders of the latest decision session."),
    "orders_filled": ("filled", "Orders of the latest decision session that are filled in full."),
    "orders_sent": ("sent", "Orders of the latest decision session."),
}
RUNNER = {
    "reconnects": ("reconnects", "Connections that were restored today, New York."),
    "outages": ("outages", "Long outages of today, New York."),
    "disconnects": ("drops", "Connections that were lost today, New York."),
}
HOLDING = {
    "position_shares": ("shares", "Shares held."),
    "position_target_shares": ("target_shares", "Shares that the latest decision wanted."),
    "position_missing_shares": ("missing_shares", "Target less held, shares."),
    "position_weight_ratio": ("weight", "Fraction of the capital held, at the price of the latest decision."),
    "position_target_weight_ratio": ("target_weight", "Fraction of the capital that was wanted."),
}
COSTS = ("delay_usd", "execution_usd", "fees_usd", "opportunity_usd", "total_usd")


def address(text: str) -> tuple[str, int]:
    """Read ``host:port``.

    Raises
    ------
    ConfigError
        It cannot be read, or the host is not this machine: what is served has no password.
    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ConfigError(f"--prometheus {text!r} is no address; write 127.0.0.1:9108")
    try:
        inside = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise ConfigError(
            f"--prometheus {text!r}: metrics have no password, so they are served on this machine only; write "
            "127.0.0.1:9108, and let a proxy with a password or an SSH tunnel reach it from elsewhere"
        )
    return ("127.0.0.1" if host == "localhost" else host), int(port)


class Exposition:
    """What `prometheus_client` asks at every scrape.

    Parameters
    ----------
    latest : callable
        The latest snapshot; None while there is none: then no figure is served, rather than an old one.
    now : callable
        UTC.
    alerts : callable
        Open alerts by severity, and messages that are not delivered.
    """

    def __init__(
        self,
        latest: Callable[[], Snapshot | None],
        now: Callable[[], dt.datetime],
        alerts: Callable[[], tuple[Mapping[str, int], int]] | None = None,
    ) -> None:
        self._latest, self._now, self._alerts = latest, now, alerts

    def collect(self) -> Iterator[Any]:
        """Return the metrics, each with its help and unit."""
        found = self._latest()
        yield _gauge(
            "up", "1 while the monitor can read what it watches.", {}, [({}, float(found is not None))]
        )
        if self._alerts is not None:
            by_severity, undelivered = self._alerts()
            severities = [({"severity": name}, float(count)) for name, count in by_severity.items()]
            yield _gauge("alerts_open", "Alerts that nobody acknowledged.", {}, severities)
            yield _gauge("messages_undelivered", "Messages on their way.", {}, [({}, float(undelivered))])
        if found is None:
            return
        labels = {"mode": found.mode, "strategy": found.strategy}
        yield _gauge("account_info", "1; the labels say whose.", labels, [({"account": found.account}, 1.0)])
        yield from _parts(found, labels)
        yield from _ages(found, labels, self._now())
        yield from _named(found, labels)


def _gauge(
    name: str, text: str, labels: Mapping[str, str], samples: list[tuple[dict[str, str], float]]
) -> Any:
    from prometheus_client.core import GaugeMetricFamily

    own = list(samples[0][0]) if samples else []
    made = GaugeMetricFamily(f"ares7_{name}", text, labels=[*labels, *own])
    for further, value in samples:
        made.add_metric([*labels.values(), *further.values()], value)
    return made


def _parts(found: Snapshot, labels: Mapping[str, str]) -> Iterator[Any]:
    for part, names in (
        (found.money, MONEY),
        (found.book, BOOK),
        (found.trading, TRADING),
        (found.runner, RUNNER),
    ):
        for name, (attribute, text) in names.items():
            value = getattr(part, attribute, None)
            if value is not None:
                yield _gauge(name, text, labels, [({}, float(value))])


def _ages(found: Snapshot, labels: Mapping[str, str], now: dt.datetime) -> Iterator[Any]:
    moments = {
        "heartbeat_timestamp_seconds": (found.runner.beat_at, "Last sign of life of the runner, Unix time."),
        "journal_timestamp_seconds": (found.freshness.journal_at, "Latest row of the journal, Unix time."),
        "reconciled_timestamp_seconds": (found.reconciled_at, "Latest comparison, Unix time."),
        "snapshot_timestamp_seconds": (found.at, "When these figures were computed, Unix time."),
    }
    for name, (at, text) in moments.items():
        if at is not None:
            yield _gauge(name, text, labels, [({}, at.timestamp())])
    if found.runner.beat_at is not None:
        age = (now - found.runner.beat_at).total_seconds()
        yield _gauge("heartbeat_age_seconds", "Age of the runner's last sign of life.", labels, [({}, age)])
    if found.money is not None:
        close = dt.datetime.combine(found.money.session, dt.time(), dt.UTC).timestamp()
        yield _gauge(
            "session_timestamp_seconds", "Latest session with a close, midnight UTC.", labels, [({}, close)]
        )
    ages = [
        ({"table": table}, (now.date() - day).days * 86400.0)
        for table, day in found.freshness.data_days.items()
    ]
    if ages:
        yield _gauge("data_age_seconds", "Age of the latest row of the data folder.", labels, ages)
    counts = {
        "sessions_missing": (found.freshness.missing_sessions, "Sessions between two closes that have none."),
        "names_missing": (found.freshness.missing_names, "Names of the latest decision without a bar."),
        "differences": (found.differences, "Differences of the latest comparison with the gateway."),
    }
    for name, (things, text) in counts.items():
        yield _gauge(name, text, labels, [({}, float(len(things)))])


def _named(found: Snapshot, labels: Mapping[str, str]) -> Iterator[Any]:
    runner = found.runner
    level = float(HaltLevel[runner.halt_level])
    yield _gauge(
        "halt_level", "0 NONE, 1 BLOCK_NEW, 2 CANCEL_WORKING, 3 FLATTEN, 4 HALT.", labels, [({}, level)]
    )
    if runner.trouble:
        yield _gauge(
            "runner_trouble", "1 while the runner is in trouble.", labels, [({"code": runner.trouble}, 1.0)]
        )
    if found.regime is not None:
        yield _gauge("regime", "1 for the label in force.", labels, [({"label": found.regime.held}, 1.0)])
        inputs = [
            ({"input": name}, float(value))
            for name, value in found.regime.inputs.items()
            if isinstance(value, int | float)
        ]
        if inputs:
            yield _gauge("regime_input", "Index and VIX at the latest decision, in points.", labels, inputs)
    sleeves = [({"sleeve": name}, float(value)) for name, value in found.book.sleeves.items()]
    if sleeves:
        yield _gauge("sleeve_weight_ratio", "Fraction of the capital given to a sleeve.", labels, sleeves)
    costs = found.trading.shortfall or {}
    parts = [
        ({"part": name.removesuffix("_usd")}, float(costs[name]))
        for name in COSTS
        if costs.get(name) is not None
    ]
    if parts:
        yield _gauge(
            "shortfall_usd", "Shortfall of the latest decision session; a cost is positive.", labels, parts
        )
    for name, (attribute, text) in HOLDING.items():
        samples = [
            ({"symbol": holding.symbol}, float(value))
            for holding in found.book.holdings
            if (value := getattr(holding, attribute)) is not None
        ]
        if samples:
            yield _gauge(name, text, labels, samples)


class MetricsServer:
    """Serves metrics until it is closed.

    Parameters
    ----------
    exposition : Exposition
    where : str
        ``host:port`` of this machine; port 0 takes a free one.

    Attributes
    ----------
    port : int

    Raises
    ------
    ConfigError
        The library is not installed, or the address is no loopback address.
    ServiceUnavailable
        The port is taken.
    """

    def __init__(self, exposition: Exposition, where: str) -> None:
        host, port = address(where)
        try:
            from prometheus_client import CollectorRegistry, start_http_server
        except ImportError:
            raise ConfigError(
                'metrics are served by prometheus-client; install it: pip install -e ".[monitor]"'
            ) from None
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(exposition))
        try:
            self._server, self._thread = start_http_server(port, addr=host, registry=registry)
        except OSError as error:
            raise ServiceUnavailable(
                f"metrics cannot be served on {where}: {error.strerror or error}; choose another port"
            ) from None
        self.port = int(self._server.server_port)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Collector:
    """Asked by one scrape at a time."""

    def __init__(self, exposition: Exposition) -> None:
        self._exposition, self._lock = exposition, threading.Lock()

    def collect(self) -> list[Any]:
        with self._lock:
            return list(self._exposition.collect())
