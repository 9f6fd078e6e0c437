"""Halting by a signal: it goes into the halt file, counts if that cannot be written, and resume lifts it."""

from __future__ import annotations

import os
import shutil
import signal
import threading

import pytest

from ares7.errors import ConfigError
from live.halt.level import HaltLevel
from live.halt.signal_source import SignalSource
from live.halt.switch import HaltSwitch


@pytest.fixture
def source(file, clock):
    made = SignalSource(file, clock)
    made.install()
    yield made
    made.restore()


@pytest.fixture
def switch(file, source, alarms, clock):
    return HaltSwitch([file, source], alarms, clock)


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("number", "level"),
    [(signal.SIGUSR1, HaltLevel.BLOCK_NEW), (signal.SIGUSR2, HaltLevel.CANCEL_WORKING)],
)
def test_a_signal_sets_its_level_until_resume(file, source, switch, number, level):
    assert switch.level() is HaltLevel.NONE
    send(number)
    assert switch.level() is level
    assert switch.standing().record.who == "signal"
    assert file.read().level is level
    file.resume("ann", "")
    assert switch.level() is HaltLevel.NONE


def test_of_several_signals_the_highest_level_holds(source, switch):
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1):
        send(number)
    assert switch.level() is HaltLevel.CANCEL_WORKING
    assert switch.level() is HaltLevel.CANCEL_WORKING


def test_a_signal_counts_even_if_the_file_cannot_be_written(file, source, alarms, clock):
    only_signals = HaltSwitch([source], alarms, clock)
    shutil.rmtree(file.folder)
    file.folder.write_text("a file in the way")
    send(signal.SIGUSR2)
    send(signal.SIGUSR1)
    assert [only_signals.level() for _ in range(3)] == [HaltLevel.CANCEL_WORKING] * 3
    file.folder.unlink()
    only_signals.level()
    assert file.read().level is HaltLevel.CANCEL_WORKING
    assert only_signals.level() is HaltLevel.NONE  # now the file says it


def test_a_signal_that_comes_while_an_earlier_one_is_written_is_not_lost(file, source, switch, monkeypatch):
    trip = type(file).trip

    def interrupted(self, level, who, why):
        held = trip(self, level, who, why)
        monkeypatch.undo()
        send(signal.SIGUSR2)
        return held

    monkeypatch.setattr(type(file), "trip", interrupted)
    send(signal.SIGUSR1)
    switch.level()
    assert switch.level() is HaltLevel.CANCEL_WORKING


def test_the_handlers_of_before_come_back(file, clock):
    before = [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)]
    source = SignalSource(file, clock)
    source.install()
    assert signal.getsignal(signal.SIGUSR1) != before[0]
    source.restore()
    assert [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)] == before


def test_outside_the_main_thread_it_is_one_clear_error(file, clock):
    raised = []

    def install():
        try:
            SignalSource(file, clock).install()
        except ConfigError as error:
            raised.append(str(error))

    thread = threading.Thread(target=install)
    thread.start()
    thread.join()
    assert raised == ["signals can be handled in the main thread only; start the runner there"]
