"""Three client libraries drive one scenario, at every version they speak, and end with equal objects."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from live.double.control import running
from live.double.history import from_closes
from live.double.knobs import Knobs
from live.double.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "conformance"
CLIENTS = {
    "ib_insync": ("insync_client.py", None),
    "ib_async": ("insync_client.py", "ib_async==2.1.0"),
    "ibapi": ("official_client.py", "ibapi==9.81.1.post1"),
}
RUNS = [
    ("ib_insync", 157),
    ("ib_insync", 163),
    ("ib_insync", 173),
    ("ib_insync", 176),
    ("ib_async", 157),
    ("ib_async", 176),
    ("ib_async", 178),
    ("ibapi", 157),
]
NAMES = {
    "contract": "conId symbol secType strike right multiplier exchange currency localSymbol tradingClass",
    "details": "marketName minTick orderTypes validExchanges priceMagnifier underConId longName contractMonth industry "
    "category subcategory timeZoneId tradingHours liquidHours aggGroup underSymbol underSecType marketRuleIds "
    "realExpirationDate",
    "order": "orderId clientId permId action totalQuantity orderType lmtPrice auxPrice tif ocaGroup ocaType orderRef "
    "outsideRth hidden displaySize account openClose origin exemptCode parentId triggerMethod allOrNone minQty "
    "percentOffset trailStopPrice clearingIntent algoStrategy algoParams whatIf notHeld solicited volatility "
    "deltaNeutralOrderType deltaNeutralOpenClose referencePriceType scaleInitLevelSize adjustedOrderType triggerPrice "
    "lmtPriceOffset adjustedStopPrice adjustableTrailingUnit cashQty dontUseAutoPriceForHedge isOmsContainer "
    "usePriceMgmtAlgo goodTillDate goodAfterTime sweepToFill blockOrder discretionaryAmt eTradeOnly nbboPriceCap",
    "state": "status initMarginBefore equityWithLoanAfter commission minCommission maxCommission commissionCurrency "
    "warningText",
    "completed": "permId action totalQuantity orderType lmtPrice auxPrice tif ocaGroup orderRef account filledQuantity "
    "parentPermId shareholder autoCancelDate refFuturesConId imbalanceOnly clearingIntent algoStrategy algoParams "
    "displaySize ocaType exemptCode dontUseAutoPriceForHedge deltaNeutralOrderType minQty trailStopPrice",
    "completed_state": "status completedTime completedStatus",
    "execution": "execId orderId clientId permId acctNumber exchange side shares price liquidation cumQty avgPrice "
    "orderRef evRule modelCode lastLiquidity",
    "tags": ["NetLiquidation", "TotalCashValue", "BuyingPower"],
}


def interpreter(library):
    """Python that has a library; made once under .cache, skipped loudly where it cannot be."""
    package = CLIENTS[library][1]
    if package is None:
        return sys.executable
    folder = ROOT / ".cache" / "clients" / package.replace("==", "-")
    if not (folder / "ready").is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
        try:
            subprocess.run([sys.executable, "-m", "venv", made], check=True, capture_output=True, timeout=120)
            pip = [made / "bin" / "python", "-m", "pip", "install", "--quiet", package]
            subprocess.run(pip, check=True, capture_output=True, timeout=300)
            (made / "ready").touch()
            if not folder.exists():
                made.rename(folder)
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"NO CONFORMANCE RUN OF {package}: its environment cannot be made here ({error})")
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return str(folder / "bin" / "python")


def drive(library, version):
    """What a client saw: fresh gateway, same settings, same clock."""
    python = interpreter(library)
    closes = {"AAPL": [100.0 + i for i in range(30)], "SPX": [4800.0 + i for i in range(30)]}
    market = from_closes("2024-01-02", closes, indices=("SPX",))
    settings = Settings(start="2024-01-22 10:00", version=version)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with running(market, settings, Knobs(partial_slices=3)) as control:
        command = [python, str(SCRIPTS / CLIENTS[library][0]), library, control.host, str(control.port)]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        ) as client:
            try:
                return converse(client, control)
            finally:
                client.kill()


def converse(client, control):
    client.stdin.write(json.dumps(NAMES) + "\n")
    client.stdin.flush()
    for line in client.stdout:
        if line.startswith("ADVANCE "):
            control.advance(float(line.split()[1]))
            client.stdin.write("\n")
            client.stdin.flush()
        elif line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    pytest.fail("the client ended early: " + client.stderr.read()[-2000:])


@pytest.fixture(scope="module")
def reference():
    """What ib_insync saw at the one version that all three speak."""
    return normal(drive("ib_insync", 157))


def normal(seen):
    """Take out what differs by design: who asked what in which order, and each library's own defaults."""
    assert seen.pop("problems") == []
    seen.pop("version")
    events = seen.pop("events")
    seen["orders"] = [e for e in events if e[0] in ("openOrder", "orderStatus")]
    for name in ("execDetails", "commissionReport", "completedOrder"):
        unique = {json.dumps(e[1], sort_keys=True) for e in events if e[0] == name}
        seen[name] = sorted(unique)
    seen["errors"] = [e[1] for e in events if e[0] == "error" and e[1][0] in (200, 202)]
    return seen


@pytest.mark.parametrize(("library", "version"), RUNS[1:])
def test_a_client_sees_what_every_other_client_sees(reference, library, version):
    seen = drive(library, version)
    assert seen["version"] == version
    found = normal(seen)
    assert found.keys() == reference.keys()
    for key in reference:
        assert found[key] == reference[key], key


def test_the_scenario_shows_something_of_everything(reference):
    assert len(reference["execDetails"]) == 6
    assert len(reference["commissionReport"]) == 6
    assert len(reference["completedOrder"]) == 3
    assert len(reference["five"]) == 2
    assert [len(reference[key]) for key in ("daily", "hourly")] == [3, 15]
    assert reference["positions"][0][:3] == ["DU1234567", "AAPL", 6.0]
    assert {code for code, _ in reference["errors"]} == {200, 202}
