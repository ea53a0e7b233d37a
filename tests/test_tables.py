from __future__ import annotations

import pytest

from kecor.tables import format_table


def test_columns_align_numbers_right_text_left():
    table = format_table(["class", "AP", "frames"], [["Car", 78.125, 100], ["Pedestrian", None, 7]])
    assert table.splitlines() == [
        "class          AP  frames",
        "----------  -----  ------",
        "Car         78.12     100",
        "Pedestrian      -       7",
    ]


def test_a_column_with_text_is_left_aligned_and_lines_have_no_trailing_space():
    table = format_table(["a", "note"], [[1, "x"], [22, ""]])
    assert table.splitlines() == [" a  note", "--  ----", " 1  x", "22"]


def test_no_rows_is_a_header_alone():
    assert format_table(["a", "bb"], []) == "a  bb\n-  --"


def test_a_ragged_row_is_an_error():
    with pytest.raises(ValueError, match="expected 2 cells per row, got 1"):
        format_table(["a", "b"], [[1]])
