"""The page as a Dash application on a server of this machine."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
from dash import Dash, Input, Output, State, dcc, html, no_update
from werkzeug.serving import WSGIRequestHandler, make_server

from ares7.errors import ConfigError
from live.dashboard.access import guard, protect
from live.dashboard.figures import figure
from live.dashboard.layout import blocks, is_stale
from live.dashboard.view import Looker
from live.machine import utc_now

INTERVAL_MS = 5000
PARTS = ("banner", "title", "tiles", "health", "figures", "positions", "orders", "fills", "alerts")
SECTIONS = {
    "health": "Health",
    "figures": "Exposure and costs",
    "positions": "Positions and targets",
    "alerts": "Alerts",
    "orders": "Orders",
    "fills": "Fills",
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>ARES7 dashboard</title><link rel="icon" href="data:,"><style>STYLE</style></head>
<body>{%app_entry%}<footer>{%config%}{%scripts%}{%renderer%}</footer></body></html>"""
THEME = """function(clicks) {
  const root = document.documentElement;
  if (clicks) {
    const dark = root.dataset.theme ? root.dataset.theme === "dark"
      : window.matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  }
  return window.dash_clientside.no_update;
}"""


def style() -> str:
    """Return the style of the report, its dark colours also for the switch, and what this page adds."""
    import ares7

    report = (Path(ares7.__file__).parent / "tearsheet_page.css").read_text(encoding="utf-8")
    light, rest = report.split("@media screen and (prefers-color-scheme: dark) {", 1)
    dark, rest = rest.split("\n}\n", 1)
    return "\n".join(
        (
            light,
            "@media screen and (prefers-color-scheme: dark) {" + dark + "}",
            light.replace(":root", ":root[data-theme=light]"),
            dark.replace(":root", ":root[data-theme=dark]"),
            rest,
            Path(__file__).with_name("page.css").read_text(encoding="utf-8"),
        )
    )


def application(looker: Looker, token: str, port: int) -> flask.Flask:
    """Return the server of the page.

    Parameters
    ----------
    looker : Looker
    token : str
    port : int
        Where it will listen: other Host headers are refused.
    """
    server = flask.Flask("ares7-dashboard", static_folder=None)
    guard(server, token, port)
    # Its signatures are not those that its own pages use.
    make: Any = Dash
    app = make(
        "ares7-dashboard",
        server=server,
        serve_locally=True,
        assets_folder="/nonexistent/ares7",
        index_string=PAGE.replace("STYLE", style()),
        update_title=None,
        include_assets_files=False,
    )
    app.enable_dev_tools(debug=False)
    app.layout = lambda: _page(looker)
    outputs = [Output(part, "children") for part in PARTS]
    app.callback(
        [*outputs, Output("chart", "figure"), Output("page", "className"), Output("versions", "data")],
        Input("tick", "n_intervals"),
        State("versions", "data"),
        prevent_initial_call=True,
    )(lambda _, versions: _changed(looker, versions))
    app.clientside_callback(THEME, Output("theme", "title"), Input("theme", "n_clicks"))
    app._setup_server()
    protect(server, app.csp_hashes)
    return server


def _page(looker: Looker) -> Any:
    view = looker.latest
    found = blocks(view, utc_now())

    def part(name: str, kind: Any = html.Div, **more: Any) -> Any:
        return kind(found.get(name, []), id=name, **more)

    sections = [html.Section([html.H2(title), part(name)]) for name, title in SECTIONS.items()]
    return html.Main(
        [
            html.Header([part("title"), html.Button("light / dark", id="theme")]),
            part("banner", role="status"),
            part("tiles", html.Section, className="tiles"),
            html.Section(
                [
                    html.H2("Performance"),
                    html.P(
                        "From the top: value without deposits and withdrawals (blue; baseline of a run grey), regime, "
                        "drawdown, gross (green) and net exposure.",
                        className="note",
                    ),
                    dcc.Graph(
                        id="chart", figure=figure(view), config={"displayModeBar": False}, responsive=True
                    ),
                ]
            ),
            html.Div(sections[:2], className="pair"),
            *sections[2:],
            dcc.Interval(id="tick", interval=INTERVAL_MS),
            dcc.Store(id="versions", data=_versions(looker, found)),
        ],
        id="page",
        className="stale" if is_stale(view) else "",
    )


def _versions(looker: Looker, found: dict[str, Any]) -> dict[str, str]:
    marks = {name: _mark(found.get(name, [])) for name in PARTS}
    return {**marks, "chart": str(looker.latest.version)}


def _mark(content: Any) -> str:
    from plotly.utils import PlotlyJSONEncoder

    return hashlib.sha256(json.dumps(content, cls=PlotlyJSONEncoder).encode()).hexdigest()[:16]


def _changed(looker: Looker, given: Any) -> list[Any]:
    """Return only what is other than the browser has."""
    known = given if isinstance(given, dict) else {}
    view = looker.latest
    found = blocks(view, utc_now())
    marks = _versions(looker, found)
    parts = [found.get(name, []) if marks[name] != known.get(name) else no_update for name in PARTS]
    drawn = figure(view) if marks["chart"] != known.get("chart") else no_update
    return [*parts, drawn, "stale" if is_stale(view) else "", marks]


class _Quiet(WSGIRequestHandler):
    """Writes no line a request: an address holds the token."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - of the base class
        """Say nothing."""


def serve(looker: Looker, host: str, port: int, token: str, say: Callable[[str], None]) -> None:
    """Serve the page until the process is told to end.

    Raises
    ------
    ConfigError
        The port is taken.
    """
    try:
        server = make_server(
            host, port, application(looker, token, port), threaded=True, request_handler=_Quiet
        )
    except (OSError, SystemExit):
        raise ConfigError(f"port {port} of {host} cannot be used; choose another with --port") from None
    looker.start()
    shown = f"[{host}]" if ":" in host else host
    say(f"dashboard at http://{shown}:{port}/?token={token}; Ctrl-C ends it")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(1.0)
    finally:
        looker.close()
        server.shutdown()
