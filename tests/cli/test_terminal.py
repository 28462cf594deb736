"""The line that shows how far the work is."""

import contextlib
import io

import pytest

from reiqa_tf.cli import terminal


class Screen(io.StringIO):
    """A terminal that keeps what is written to it."""

    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def screen(monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    return Screen()


def shown(screen, items, total):
    with contextlib.redirect_stderr(screen):
        yield from terminal.show_progress(items, "scoring", total)


def test_the_items_come_as_they_are_and_the_last_line_says_how_long_they_took(screen, monkeypatch):
    monkeypatch.setattr(terminal, "_SECONDS_BETWEEN", -1)
    assert list(shown(screen, "abcde", 5)) == list("abcde")
    *lines, last = screen.getvalue().rstrip("\n").split("\r")[1:]
    assert [line.split()[-3:][0] for line in lines[1:]][:4] == ["1/5", "2/5", "3/5", "4/5"]
    assert "5/5 in 0:00:00" in last
    assert all(len(line) < 70 for line in [*lines, last])
    assert screen.getvalue().endswith("\n")


def test_an_interruption_leaves_the_line_and_ends_it(screen):
    items = shown(screen, range(9), 9)
    assert next(items) == 0
    assert next(items) == 1
    items.close()
    assert "1/9" in screen.getvalue()
    assert screen.getvalue().endswith("\n")


def test_one_item_and_a_pipe_get_no_line(screen, monkeypatch):
    assert list(shown(screen, ["a"], 1)) == ["a"]
    monkeypatch.setattr(screen, "isatty", lambda: False)
    assert list(shown(screen, ["a", "b"], 2)) == ["a", "b"]
    assert screen.getvalue() == ""


def test_a_terminal_without_the_character_gets_another(screen, monkeypatch):
    monkeypatch.setattr(Screen, "encoding", "ascii")
    list(shown(screen, range(3), 3))
    assert screen.getvalue().isascii()
    assert "####" in screen.getvalue()
