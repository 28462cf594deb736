"""Signals while a step is computed: noted at once, and obeyed at once when they come again."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from reiqa_tf.training import interruption
from reiqa_tf.training.interruption import ABORTED, NOTICE, noted_signals

# Slow to compute by design, and one operation of Python's as a compiled step is: within it no
# handler is called.
_PROGRAM = """
import hashlib, sys
from reiqa_tf.training.interruption import noted_signals

with noted_signals() as received:
    print("computing", flush=True)
    for number in range({steps}):
        hashlib.pbkdf2_hmac("sha256", b"", b"", 3_000_000)
        if received():
            break
print("after step", number + 1, flush=True)
"""


def _start(steps):
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(steps=steps)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "computing\n"
    time.sleep(0.1)
    return process


def test_the_first_signal_is_answered_within_the_step_and_obeyed_after_it():
    process = _start(steps=100)
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == f"{NOTICE}\n"
    assert process.poll() is None  # the step is still computed
    out, err = process.communicate(timeout=60)
    assert (out, err, process.returncode) == ("after step 1\n", "", 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_the_process_within_the_step(number, monkeypatch):
    impatient = "from reiqa_tf.training import interruption\ninterruption._PATIENCE = 0.1\n"
    monkeypatch.setitem(globals(), "_PROGRAM", impatient + _PROGRAM)
    process = _start(steps=1)
    process.send_signal(number)
    assert process.stderr.readline() == f"{NOTICE}\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert (out, err) == ("", f"{ABORTED}\n")


@pytest.fixture
def ctrl_c_interrupts():
    """As in a shell's foreground; in its background Ctrl-C is ignored."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


def test_where_python_gets_to_it_the_second_ctrl_c_is_a_keyboard_interrupt(
    ctrl_c_interrupts, capfd
):
    with pytest.raises(KeyboardInterrupt), noted_signals() as received:  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        assert received() == signal.SIGINT
        os.kill(os.getpid(), signal.SIGINT)
    assert capfd.readouterr().err in (f"{NOTICE}\n", "")  # said by another thread


def test_what_was_there_before_is_there_afterwards():
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    threads = threading.active_count()
    with noted_signals() as received:
        assert received() is None
        assert signal.getsignal(signal.SIGINT) is not handlers[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert signal.set_wakeup_fd(-1) == -1
    assert threading.active_count() == threads


def test_an_interactive_session_is_never_ended(monkeypatch, capsys):
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    monkeypatch.setattr(os, "_exit", pytest.fail)
    reading, writing = os.pipe()
    os.write(writing, bytes([signal.SIGINT, signal.SIGINT]))
    os.close(writing)
    interruption._watch(reading, threading.Event())
    os.close(reading)
    assert capsys.readouterr().err == f"{NOTICE}\n"


def test_another_thread_sets_no_handlers():
    seen = []

    def enter():
        with noted_signals() as received:
            seen.append(received())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [None]
