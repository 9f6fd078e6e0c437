"""The strategy a second time: slow, obvious loops, written from the definitions and not from the code."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from ares7.panel import Panel

NEUTRAL, BULL, BEAR, HIGH_VOL = "NEUTRAL", "BULL", "BEAR", "HIGH_VOL"
MIXES = {
    "phase3": {
        BULL: {"qm": 0.7, "lv": 0.3},
        BEAR: {"lv": 1.0},
        HIGH_VOL: {"lv": 0.5},
        NEUTRAL: {"lv": 0.5},
    },
    "phase4": {
        BULL: {"qm": 0.7, "lv": 0.3},
        BEAR: {"lv": 0.5, "def": 0.5},
        HIGH_VOL: {"def": 0.8, "lv": 0.2},
        NEUTRAL: {"lv": 0.5},
    },
}
Book = dict[str, float]


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def deviation(values: list[float], ddof: int) -> float:
    middle = mean(values)
    return math.sqrt(math.fsum((v - middle) ** 2 for v in values) / (len(values) - ddof))


def quantile(values: list[float], q: float) -> float:
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def standardised(values: dict[str, float]) -> dict[str, float]:
    if not values:
        return {}
    middle, spread = mean(list(values.values())), deviation(list(values.values()), 0)
    return {k: (v - middle) / spread if spread > 0 else 0.0 for k, v in values.items()}


def close(panel: Panel, symbol: str, t: int) -> float:
    return float(panel.fields["close"][t, panel.symbols.index(symbol)])


def members(panel: Panel, t: int) -> list[str]:
    """Stocks with a close at t that are members at t."""
    return [
        s
        for i, s in enumerate(panel.symbols)
        if panel.is_stock[i] and panel.member[t, i] and not math.isnan(close(panel, s, t))
    ]


def raw_label(panel: Panel, t: int) -> str:
    """Rulings 12 and design section 6."""
    index, vix = panel.series["index"], float(panel.series["vix"][t])
    if vix >= 30:
        return HIGH_VOL
    if t + 1 < 253:
        return NEUTRAL
    price, average = float(index[t]), mean([float(x) for x in index[t - 199 : t + 1]])
    half_year, year = price / float(index[t - 126]) - 1, price / float(index[t - 252]) - 1
    if price > average and half_year > 0 and year > 0 and vix < 25:
        return BULL
    if price <= average and (half_year <= 0 or year <= 0):
        return BEAR
    return NEUTRAL


def held_label(labels: Callable[[int], str], t: int, k: int) -> str:
    """Rulings 13: the latest k equal raw labels lying within rows t-251..t."""
    if k <= 1:
        return labels(t)
    for last in range(t, -1, -1):
        first = last - k + 1
        if first < max(t - 251, 0):
            return NEUTRAL
        if len({labels(row) for row in range(first, last + 1)}) == 1:
            return labels(last)
    return NEUTRAL


def source_column(values: dict[str, float]) -> dict[str, float]:
    """Rulings 16: clip to the 1 % and 99 % quantiles, z-score; fewer than 20 names is no column."""
    there = {k: v for k, v in values.items() if math.isfinite(v)}
    if len(there) < 20:
        return {}
    low, high = quantile(list(there.values()), 0.01), quantile(list(there.values()), 0.99)
    return standardised({k: min(max(v, low), high) for k, v in there.items()})


def combined(columns: list[dict[str, float]], names: list[str]) -> dict[str, float]:
    """Mean of what is there, standardised again, then 0 for the rest."""
    averages = {}
    for name in names:
        there = [column[name] for column in columns if name in column]
        if there:
            averages[name] = mean(there)
    scores = standardised(averages)
    return {name: scores.get(name, 0.0) for name in names}


def qm_scores(panel: Panel, t: int, skip: int = 0) -> dict[str, float]:
    """Rulings 16 and 17."""
    eligible = [s for s in members(panel, t) if not math.isnan(close(panel, s, t - 252))]
    column_of = {s: panel.symbols.index(s) for s in eligible}

    def field(name: str) -> dict[str, float]:
        return source_column({s: float(panel.fields[name][t, i]) for s, i in column_of.items()})

    slots = []
    for first, fallback, sign in (
        ("roe", None, 1),
        ("ebitda_margin", "operating_margin", 1),
        ("debt_to_equity", "liabilities_to_equity", -1),
    ):
        slot = dict(field(fallback)) if fallback else {}
        slot.update(field(first))
        slots.append({s: sign * z for s, z in slot.items()} if len(slot) >= 20 else {})
    momenta = [
        source_column({s: close(panel, s, t - skip) / close(panel, s, t - period) - 1 for s in eligible})
        for period in (126, 252)
    ]
    quality, momentum = combined(slots, eligible), combined(momenta, eligible)
    return {s: 0.6 * quality[s] + 0.4 * momentum[s] for s in eligible}


def qm_book(scores: dict[str, float], tilt: str = "per_name") -> Book:
    """Base 1/N, top and bottom fifth tilted by .04 a name, or by a budget of .20 in all."""
    names = sorted(scores, key=lambda s: (-scores[s], s))
    book = {s: 1 / len(names) for s in names}
    n = max(1, len(names) // 5)
    step = 0.04 if tilt == "per_name" else 0.20 / (2 * n)
    if len(set(scores.values())) > 1:
        for s in names[:n]:
            book[s] += step
        for s in names[-n:]:
            book[s] -= step
    clipped = {s: max(w, 0.0) for s, w in book.items()}
    total = math.fsum(clipped.values())
    return {s: w / total for s, w in clipped.items()}


def window_returns(panel: Panel, symbol: str, t: int, reach: int) -> dict[int, float]:
    """Row to return, from closes of rows t-reach..t only; the return after a gap spans it."""
    found, earlier = {}, None
    for row in range(t - reach, t + 1):
        price = close(panel, symbol, row)
        if math.isnan(price):
            continue
        if earlier is not None:
            found[row] = price / earlier - 1
        earlier = price
    return found


def low_vol_book(panel: Panel, t: int, top: float = 0.30) -> Book:
    """Rulings 19."""
    index = panel.series["index"]
    volatility, downside, beta = {}, {}, {}
    for s in members(panel, t):
        returns = window_returns(panel, s, t, 252)
        recent = [r for row, r in returns.items() if row > t - 63]
        if len(recent) < 61 or len(returns) < 250:
            continue
        market = {row: float(index[row] / index[row - 1] - 1) for row in returns}
        m_mean, r_mean = mean(list(market.values())), mean(list(returns.values()))
        covariance = math.fsum((market[row] - m_mean) * (returns[row] - r_mean) for row in returns)
        volatility[s] = deviation(recent, 1)
        downside[s] = deviation([min(r, 0.0) for r in recent], 1)
        beta[s] = abs(covariance / math.fsum((m - m_mean) ** 2 for m in market.values()))
    zv, zd, zb = standardised(volatility), standardised(downside), standardised(beta)
    risk = standardised({s: zv[s] + 0.5 * zd[s] + 0.5 * zb[s] for s in volatility})
    chosen = sorted(risk, key=lambda s: (risk[s], s))[: max(1, int(len(risk) * top))] if risk else []
    total = math.fsum(1 / volatility[s] for s in chosen)
    return {s: 1 / volatility[s] / total for s in chosen}


def defensive_book(panel: Panel, t: int) -> Book:
    """Rulings 20, mode basket."""
    inverse = {}
    for s in ("TLT", "IEF", "SHY", "GLD"):
        returns = list(window_returns(panel, s, t, 63).values())
        if not math.isnan(close(panel, s, t)) and len(returns) >= 61:
            inverse[s] = 1 / deviation(returns, 1)
    total = math.fsum(inverse.values())
    book: Book = {}
    for s, x in inverse.items():
        closes = [close(panel, s, row) for row in range(t - 199, t + 1)]
        above = not any(math.isnan(c) for c in closes) and close(panel, s, t) > mean(closes)
        holder = s if above else "BIL"
        if above or not math.isnan(close(panel, "BIL", t)):
            book[holder] = book.get(holder, 0.0) + x / total
    return book


def switch_book(panel: Panel, t: int, gross: float = 0.98) -> Book:
    """Rulings 20, mode switch: domain 4.1 on the model curve, peak over 252 sessions."""
    spy = [close(panel, "SPY", row) for row in range(t - 251, t + 1)]
    curve = [1.0]
    for before, after in pairwise(spy):
        curve.append(curve[-1] * (1 + gross * (after / before - 1)))
    trend = spy[-1] > mean(spy[-200:])
    fall = spy[-1] / spy[-61] - 1 > -0.05
    calm = curve[-1] / max(curve) - 1 > -0.10
    return {"SPY": 1.0} if trend and fall and calm else {"SPY": 0.7, "TLT": 0.3}


def month_ends(panel: Panel) -> list[int]:
    """From the dates themselves; the last row's successor is unknown to this implementation."""
    months = panel.dates.astype("datetime64[M]").tolist()
    return [t for t in range(len(months) - 1) if months[t] != months[t + 1]]


def tradable(panel: Panel, symbol: str, t: int) -> bool:
    """Member at t, fewer than 5 sessions since its last bar."""
    column = panel.symbols.index(symbol)
    recent = [close(panel, symbol, row) for row in range(max(t - 4, 0), t + 1)]
    return bool(panel.member[t, column]) and any(not math.isnan(c) for c in recent)


def ensemble_row(panel: Panel, t: int, label: str, preset: str, gross: float = 0.98) -> Book:
    """Target row decided at t: frozen sleeves of the last month end, mixed by the label at t."""
    frozen = max(row for row in month_ends(panel) if row <= t)
    makers: dict[str, Callable[[], Book]] = {
        "qm": lambda: qm_book(qm_scores(panel, frozen)),
        "lv": lambda: low_vol_book(panel, frozen),
        "def": lambda: defensive_book(panel, frozen),
    }
    row: Book = {}
    for sleeve, fraction in MIXES[preset][label].items():
        for s, w in makers[sleeve]().items():
            if tradable(panel, s, t):
                row[s] = row.get(s, 0.0) + gross * fraction * w
    return row


def model_return(panel: Panel, weights: list[Book], t: int, bps: float = 10.0) -> float:
    """Rulings 10: target row t-1 over the returns of t, less the cost of getting to row t-1."""
    earned = 0.0
    for s, w in weights[t - 1].items():
        now = close(panel, s, t)
        row = t - 1
        while not math.isnan(now) and row >= 0 and math.isnan(close(panel, s, row)):
            row -= 1
        if not math.isnan(now) and row >= 0:
            earned += w * (now / close(panel, s, row) - 1)
    names = set(weights[t - 1]) | set(weights[t - 2])
    traded = math.fsum(abs(weights[t - 1].get(s, 0.0) - weights[t - 2].get(s, 0.0)) for s in names)
    return earned - traded * bps / 1e4


def drawdown(returns: list[float]) -> float:
    """Against the highest of the last 252 values of the curve, this one included."""
    curve = [1.0]
    for r in returns[-251:]:
        curve.append(curve[-1] * (1 + r))
    return curve[-1] / max(curve) - 1


def ladder(depth: float) -> float:
    for threshold, scale in ((-0.15, 0.3), (-0.10, 0.5), (-0.08, 0.7), (-0.05, 0.9)):
        if depth <= threshold:
            return scale
    return 1.0


def breaker(depths: list[float], trip: float = -0.06, reset: float = -0.03, cooldown: int = 20) -> bool:
    """Tripped or not, from the last 252 drawdowns."""
    since: int | None = None
    for depth in depths[-252:]:
        if since is not None:
            since += 1
            if depth > reset and since >= cooldown:
                since = None
        if since is None and depth <= trip:
            since = 0
    return since is not None


def volatility_scale(returns: list[float], target: float = 0.12, window: int = 60) -> float:
    return min(target / (deviation(returns[-window:], 1) * math.sqrt(252)), 1.0)


def vix_guard(vix: list[float], spike: bool = False) -> float:
    level = vix[-1]
    scale = 0.25 if level >= 35 else 0.50 if level >= 30 else 0.75 if level >= 25 else 1.0
    if spike and len(vix) >= 31:
        recent = vix[-63:]
        spread = deviation(recent, 1)
        if spread > 0 and (level - mean(recent)) / spread >= 2.0:
            scale *= 0.5
    return scale


def stepped(scale: float) -> float:
    tenths = 0
    while tenths < 10 and (tenths + 1) / 10 <= scale + 1e-9:
        tenths += 1
    return tenths / 10
