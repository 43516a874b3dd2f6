"""replay.yaml: what a block may say, and how its faults are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.errors import DefinitionError
from actors.ticks.columns import Column, Columns, Kind, columns_of, columns_schema, read_columns

WHOLE = """
time: 时间
entity: {column: 代码, strip: [SZ, SH]}
type: QUOTE
data:
  price: {column: 最新价, type: number}
  side: side
  note: {type: text}
position: tape
encoding: gbk
"""


def read(folder: Path, text: str) -> Columns:
    (folder / "replay.yaml").write_text(text, encoding="utf-8")
    return columns_of(folder)


def test_a_block_says_which_column_is_what(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE) == Columns(
        time="时间",
        entity="代码",
        strip=("SZ", "SH"),
        type="QUOTE",
        data={"price": Column("最新价", Kind.NUMBER), "side": Column("side"), "note": Column("note", Kind.TEXT)},
        position="tape",
        encoding="gbk",
    )


def test_what_is_left_out_has_a_default_and_so_has_the_file(tmp_path: Path) -> None:
    assert columns_of(tmp_path) == Columns()
    assert read(tmp_path, "entity: code\n") == Columns(entity="code")


def test_all_faults_are_told_at_once_each_with_its_place(tmp_path: Path) -> None:
    text = "tme: x\nentity: {column: 1, strp: []}\ndata:\n  price: {type: nmber}\nencoding: big5\nposition: price\n"

    with pytest.raises(DefinitionError) as caught:
        read(tmp_path, text)

    where = tmp_path / "replay.yaml"
    assert str(caught.value).splitlines() == [
        f"{where}:1:1: tme: unknown field 'tme'; did you mean 'time'?",
        f"{where}:2:18: entity.column: must be a text; put it in quotes",
        f"{where}:2:21: entity.strp: unknown field 'strp'; did you mean 'strip'?",
        f"{where}:4:17: data.price.type: must be one of any, text, number, integer, not 'nmber'"
        "; did you mean 'number'?",
        f"{where}:5:11: encoding: must be one of utf-8, gbk, not 'big5'",
        f"{where}:6:11: position: 'price' is a field of data already",
    ]


@pytest.mark.parametrize("text", ["- time\n", "data: [price]\n", "entity: {strip: SZ}\n", "time: {a: b}\n"])
def test_a_value_of_the_wrong_kind_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DefinitionError):
        read(tmp_path, text)


def test_the_editors_schema_knows_every_field_of_a_block(root: Path) -> None:
    read_columns(root / "definitions" / "ashare" / "replay.yaml")

    assert set(columns_schema()["properties"]) == {"time", "entity", "type", "data", "position", "encoding"}
    assert columns_schema()["properties"].keys() == Columns.__dataclass_fields__.keys() - {"strip"}
