"""Label files as they come: separators, byte order marks, odd rows; ids stay text."""

from pathlib import Path

import pytest

from dali_pipelines.adapters.table import Table, differing_lines, name_lines
from dali_pipelines.adapters.table_text import read_table
from dali_pipelines.errors import ConfigError, DatasetError


def read(tmp_path: Path, content: bytes) -> Table:
    (tmp_path / "t.csv").write_bytes(content)
    return read_table(tmp_path / "t.csv")


@pytest.mark.parametrize(
    "content",
    [
        b"image_id,cancer\n007,1\n008,0\n",
        b"\xef\xbb\xbfimage_id;cancer\r\n007;1\r\n008;0\r\n",
        b"\r\nimage_id\tcancer\r007\t1\r\r008\t0",
        b' "Image_ID", CANCER\n007 , 1\n,\n"008",0',
    ],
)
def test_every_way_to_write_a_table_reads_the_same(tmp_path: Path, content: bytes) -> None:
    table = read(tmp_path, content)
    assert table.columns == {"image_id": ["007", "008"], "cancer": ["1", "0"]}
    assert table.labels("Cancer") == [1, 0]
    assert "IMAGE_ID" in table


def test_lines_count_those_inside_quotes_and_blank_ones(tmp_path: Path) -> None:
    table = read(tmp_path, b'a,b\n"x\ny",1\n\n\nz,2\n')
    assert table.columns["a"] == ["x\ny", "z"]
    assert table.lines == [2, 6]


def test_values_are_read_or_absent(tmp_path: Path) -> None:
    cells = ["0", "1.0", "NaN", "0.0", "1"]
    ages = ["58", "058Y", "", "000Y", "95.0"]
    table = read(
        tmp_path,
        b"label,age,birads\n"
        + "".join(f"{c},{a},{b}\n" for c, a, b in zip(cells, ages, "0x29-", strict=True)).encode(),
    )
    assert table.labels("label") == [0, 1, None, 0, 1]
    assert table.ages("age") == [58, 58, None, None, 90]
    assert table.numbers("birads", 6) == [0, None, 2, None, None]
    assert table.texts("label") == ["0", "1.0", "", "0.0", "1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no rows"),
        (b"image_id,cancer\n", "no rows"),
        (b"a,b\n1,2\n3\n4,5,6\n", "must have 2 cells as the first has; lines 3, 4 differ"),
        (b"a,A\n1,2\n", "two columns of one name"),
        (b"a,b\n\xff,2\n", "UTF-8"),
        (b'a,b\n"1"x,2\n', "not a table of text"),
    ],
)
def test_what_is_no_table_is_said_so(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read(tmp_path, content)


def test_one_line_and_several_are_told_apart() -> None:
    assert name_lines([7, 7]) == "line 7"
    assert differing_lines([7]) == "line 7 differs"
    assert differing_lines([9, 2]) == "lines 2, 9 differ"


def test_wrong_cells_are_named_by_line_and_never_shown(tmp_path: Path) -> None:
    table = read(tmp_path, b"image_id,cancer\n1,0\n,2\nSECRET,yes\n")
    with pytest.raises(DatasetError, match="'cancer' must hold 0, 1 or nothing; lines 3, 4") as e:
        table.labels("cancer")
    assert "yes" not in str(e.value)
    with pytest.raises(DatasetError, match="must name something in each row; line 3 differs"):
        table.names("image_id")
    with pytest.raises(DatasetError, match="no column 'label' or 'y' in its first line") as e:
        table.first_of(["label", "y"])
    assert "image_id" not in str(e.value)


def test_a_table_without_column_names_does_not_show_its_first_patient(tmp_path: Path) -> None:
    table = read(tmp_path, b"JANE^DOE,19500101,1\nJOHN^DOE,19600101,0\n")
    with pytest.raises(DatasetError, match="name the columns there") as e:
        table.first_of(["image_id", "path"])
    assert "jane" not in str(e.value).lower()
    assert "1950" not in str(e.value)


def test_only_a_slip_of_the_pen_is_shown(tmp_path: Path) -> None:
    table = read(tmp_path, b"image_ids,Lable,secret\n1,0,x\n")
    with pytest.raises(DatasetError, match="is it 'lable'") as e:
        table.first_of(["cancer", "label"])
    assert "secret" not in str(e.value)
    assert "image_ids" not in str(e.value)


def test_a_missing_file_is_a_setting_to_correct(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no table"):
        read_table(tmp_path / "none.csv")


def test_many_lines_are_counted() -> None:
    assert name_lines([9, 3, 3, 4, 5, 6, 7, 8]) == "lines 3, 4, 5, 6, 7 and 2 more"


def test_codes_files_and_rows_that_say_something(tmp_path: Path) -> None:
    table = read(tmp_path, b"f,c\na\\b.PNG,1.0\n/x/1.2.840.3,x\n1.2.dcm,\nmdb001.pgm,nan\n")
    assert table.codes("c", {"1": True, "X": False}) == [True, False, None, None]
    with pytest.raises(DatasetError, match="column 'c' must hold 1 or nothing; line 3 differs"):
        table.codes("c", {"1": True})
    assert table.stems("f") == ["b", "1.2.840.3", "1.2", "mdb001"]
    assert table.where("c").lines == [2, 3]
    assert table.rows[1] == (("t.csv", 3),)
    with pytest.raises(DatasetError, match=r"column 'c' must hold 0 ... 9 or nothing; line 3"):
        table.whole_numbers("c", 9)


def test_only_the_columns_wanted_are_kept(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,b\n1,2,3\n")
    assert read_table(tmp_path / "t.csv", {"a"}).columns == {"a": ["1"]}
    with pytest.raises(DatasetError, match="two columns of one name"):
        read_table(tmp_path / "t.csv", {"b"})
