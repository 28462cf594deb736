"""Tables as text: columns in line whatever the names, and no wider than the terminal."""

import pytest

from reiqa_tf.cli import terminal
from reiqa_tf.cli.tables import table_lines

COLUMNS = [("photo", "left"), ("score", "right"), ("", "left")]


def test_columns_stand_below_their_headings():
    rows = [("a.jpg", "0.5", ""), ("longer name.jpg", "0.125", "unfamiliar")]
    assert table_lines(COLUMNS, rows, rule="-") == [
        " photo            score",
        " ----------------------------------",
        " a.jpg              0.5",
        " longer name.jpg  0.125  unfamiliar",
    ]


def test_wide_characters_take_two_cells_and_marks_none():
    rows = [
        ("写真.jpg", "1", "|"),
        ("e\N{COMBINING ACUTE ACCENT}clair.jpg", "2", "|"),
        ("x", "3", "|"),
    ]
    _, _, wide, marked, plain = table_lines(COLUMNS, rows)
    assert wide.index("|") + 2 == marked.index("|") - 1 == plain.index("|")


def test_a_heading_may_have_several_lines():
    columns = [("artifact", "left"), ("difference\n(allowed)", "right")]
    assert table_lines(columns, [("model.onnx", "1e-6 (1e-4)")], rule="-") == [
        " artifact     difference",
        "               (allowed)",
        " -----------------------",
        " model.onnx  1e-6 (1e-4)",
    ]


def test_control_characters_are_shown_and_move_no_cursor():
    (*_, line) = table_lines(COLUMNS, [("line\nbreak \x1b[2J.jpg", "1", "")])
    assert r"line\nbreak \x1b[2J.jpg" in line


@pytest.mark.parametrize("name", ["x" * 200, "写" * 100])
def test_the_widest_cells_are_folded_to_the_terminal_and_lose_nothing(name):
    lines = table_lines(COLUMNS, [(name, "0.5", "unfamiliar")], width=60)
    assert all(len(line) + line.count("写") <= 60 for line in lines)
    assert "".join(line.split()[0] for line in lines[2:]) == name
    assert "0.5" in lines[2]


def test_a_terminal_too_narrow_for_anything_still_gets_a_table():
    assert table_lines(COLUMNS, [("a.jpg", "0.5", "unfamiliar")], width=3)


def test_a_heading_a_caption_and_a_rule_that_the_encoding_has(capsys):
    terminal.print_table("title", COLUMNS, [("a.jpg", "1", "")], "caption")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].strip() == "title"
    assert lines[-1] == "caption"
