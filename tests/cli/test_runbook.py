"""The runbook names every alert that the program gives and no other, and only commands that exist."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

import ares7.errors
import run
from ares7.errors import Ares7Error

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
SEVERITIES = {"info", "warning", "error", "critical"}
TELLS = re.compile(r"(^|_)(alert|alarm)$|^(Alert|Trouble)$")
"""Names of what is called with the code of an alert."""
CONDITIONS = ("live/alerts/", "live/monitor/")
"""Where whatever is called with ``code=`` makes an alert."""
CODE = re.compile(r"[a-z]+(-[a-z0-9]+)*")
COMPUTED = {
    "live/daily/job.py": {"fallback-last-good", "fallback-base-only", "unexpected-error"}
    | {
        re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
        for name, kind in vars(ares7.errors).items()
        if isinstance(kind, type) and issubclass(kind, Ares7Error)
    }
}
"""Codes that no call spells out: of the daily job, its errors by their class."""


def sources():
    paths = [ROOT / "run.py", *sorted((ROOT / "live").rglob("*.py"))]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in paths}


def constants(trees):
    """Texts that a module names, by the name."""
    return {
        target.id: node.value.value
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }


def spelled(node, known):
    """Every text that an argument can be."""
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) else set()
    if isinstance(node, ast.IfExp):
        return spelled(node.body, known) | spelled(node.orelse, known)
    return {known[node.id]} if isinstance(node, ast.Name) and node.id in known else set()


def called(node):
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name if TELLS.search(name) else ""


def calls(tree, *, conditions=False):
    """Calls that tell an alert, each with the parameters of the functions around it."""
    found = []

    def walk(node, parameters):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            given = node.args
            parameters = parameters | {a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
        if isinstance(node, ast.Call):
            coded = conditions and any(keyword.arg == "code" for keyword in node.keywords)
            if coded or called(node):
                found.append((node, parameters))
        for child in ast.iter_child_nodes(node):
            walk(child, parameters)

    walk(tree, frozenset())
    return found


def codes(call, known):
    """Codes that a call spells out: its argument ``code``, or the first text that can be one."""
    named = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    if named:
        return spelled(named[0], known)
    for argument in call.args:
        found = {text for text in spelled(argument, known) if CODE.fullmatch(text)} - SEVERITIES
        if found:
            return found
    return set()


def passes_on(call, parameters):
    """Whether the code comes from whoever called the function, or lies in what is handed over."""
    arguments = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "code")]
    return any(
        (isinstance(a, ast.Name) and a.id in parameters)
        or (isinstance(a, ast.Attribute) and a.attr == "code")
        or (isinstance(a, ast.Call) and called(a))
        for a in arguments
    )


def emitted():
    """Codes by the file that gives them; a call whose code cannot be read is an error of this test."""
    trees = sources()
    known, found = constants(trees), {name: set(texts) for name, texts in COMPUTED.items()}
    for name, tree in trees.items():
        for call, parameters in calls(tree, conditions=name.startswith(CONDITIONS)):
            texts = codes(call, known)
            readable = texts or passes_on(call, parameters) or name in COMPUTED
            assert readable, f"{name}:{call.lineno}: spell the code out"
            found.setdefault(name, set()).update(texts)
    return found


def listed():
    """Codes of the tables of the section on alerts, with their severities."""
    section = RUNBOOK[RUNBOOK.index("## What each alert means") :]
    section = section[: section.index("\n## ")]
    return dict(re.findall(r"^\| `([^`]+)` \| ([a-z, ]+) \|", section, re.MULTILINE))


def test_every_alert_that_the_program_gives_is_in_the_runbook_and_no_other():
    given = {code for texts in emitted().values() for code in texts}
    assert len(given) > 15
    assert given == set(listed())


def test_every_alert_of_the_runbook_has_a_severity():
    assert {word for words in listed().values() for word in words.split(", ")} <= SEVERITIES


def test_the_calls_that_tell_an_alert_are_found():
    tree = ast.parse(
        "FULL = 'disk-full'\n"
        "def passed(code): self._alarm(code, 'a text')\n"
        "self._alert('warning', 'clock-wrong' if late else 'clock-lost', f'{x}')\n"
        "journal.alert(rows.Alert(severity='error', code=FULL, message='disk full'))\n"
        "alarm(made(), 'a text')\n"
        "journal.alerts(open_only=True)\n"
    )
    known, found = constants({"": tree}), calls(tree)
    assert [sorted(codes(call, known)) for call, _ in found] == [
        [],
        ["clock-lost", "clock-wrong"],
        [],
        ["disk-full"],
        [],
    ]
    assert [passes_on(call, parameters) for call, parameters in found] == [True, False, True, False, False]


LINES = re.findall(r"^python run\.py (.*?)(?: 2>&1.*)?$", RUNBOOK, re.MULTILINE)
INLINE = re.findall(r"`python run\.py ([^`]*)`", RUNBOOK)


@pytest.mark.parametrize("line", sorted({*LINES, *INLINE}))
def test_every_command_of_the_runbook_exists(line):
    wanted = shlex.split(line, comments=True)
    try:
        given = run.parser().parse_args(wanted)
    except SystemExit as stop:
        pytest.fail(f"python run.py {line}: {stop}")
    assert callable(given.call)
