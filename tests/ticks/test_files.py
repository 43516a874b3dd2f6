"""Reading tick files: every line becomes a tick or a sentence with its number."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from actors.errors import NotFoundError, RequestError
from actors.model import Json
from actors.ticks.columns import Column, Columns, Kind
from actors.ticks.files import TickFile
from actors.ticks.lines import MAX_LINE, BadLine, Position, Tick

HEADER = "time,symbol,price,volume_lots,side\n"
COLUMNS = Columns(
    strip=("SZ", "SH"),
    data={"price": Column("price", Kind.NUMBER), "lots": Column("volume_lots", Kind.INTEGER), "side": Column("side")},
)


def write(folder: Path, text: str | bytes, name: str = "ticks_20240102.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def only(found: list[Tick | BadLine]) -> Tick:
    (one,) = found
    assert isinstance(one, Tick), one
    return one


def messages(found: list[Tick | BadLine]) -> list[tuple[int, str]]:
    return [(line.position.line, line.message) for line in found if isinstance(line, BadLine)]


def test_a_csv_line_becomes_a_tick_with_typed_data_and_an_id_without_its_prefix(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "09:30:02,SZ000001,10.90,177,S\n")

    tick = only(list(TickFile(path, COLUMNS).read()))

    assert (tick.entity_id, tick.data) == ("000001", {"price": 10.9, "lots": 177, "side": "S"})
    assert tick.position == Position(2, path.stat().st_size)


def test_the_days_date_comes_from_the_files_name_and_its_clock_is_shanghais(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "09:30:02,SZ000001,10.90,177,S\n")

    tick = only(list(TickFile(path, COLUMNS).read()))

    assert tick.timestamp == datetime(2024, 1, 2, 1, 30, 2, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("ashare_ticks_20190201.csv", date(2019, 2, 1)),
        ("2019-02-01.csv", date(2019, 2, 1)),
        ("ticks.csv", None),
        ("1201902011.csv", None),
        ("20190231.csv", None),
    ],
)
def test_only_a_date_that_exists_is_read_from_a_name(name: str, day: date | None) -> None:
    assert TickFile(Path(name)).known_day == day


def test_without_a_date_there_is_no_timestamp_but_still_a_clock(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "00:00:30.5,SZ000001,10.90,177,S\n", "ticks.csv")

    tick = only(list(TickFile(path, COLUMNS).read()))

    assert (tick.at, tick.timestamp) == (30.5, None)


@pytest.mark.parametrize(
    "time", ["2024-01-02 09:30:02", "2024-01-02T01:30:02+00:00", "2024-01-02T01:30:02Z", "1704159002", 1704159002]
)
def test_a_time_may_have_its_date_with_it(tmp_path: Path, time: Json) -> None:
    path = write(tmp_path, json.dumps({"time": time, "symbol": "000001"}), "ticks.jsonl")

    tick = only(list(TickFile(path).read()))

    assert tick.at == tick.timestamp == 1704159002.0


def test_json_lines_are_read_whatever_the_file_is_called(tmp_path: Path) -> None:
    path = write(tmp_path, '{"time": "09:30:02", "symbol": "000001", "price": 10.9, "book": {"bid": [10.8]}}\n')

    tick = only(list(TickFile(path).read()))

    assert tick.data == {"time": "09:30:02", "price": 10.9, "book": {"bid": [10.8]}}


def test_without_a_mapping_every_column_is_data_and_numbers_are_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, "time,symbol,price,code,note\n09:30:02,000001,10.9,000123,on\n")

    tick = only(list(TickFile(path).read()))

    assert tick.entity_id == "000001"
    assert tick.data == {"time": "09:30:02", "price": 10.9, "code": "000123", "note": "on"}


def test_quoted_fields_carriage_returns_blank_lines_and_a_byte_order_mark_are_fine(tmp_path: Path) -> None:
    path = write(tmp_path, b'\xef\xbb\xbf\r\ntime,symbol,note\r\n\r\n09:30:02,"000001","a ""b"", c"\r\n\r\n')

    tick = only(list(TickFile(path).read()))

    assert (tick.entity_id, tick.data["note"], tick.position.line) == ("000001", 'a "b", c', 4)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("09:30:05,SZ000001,ten,1,B", "price is 'ten', not a number"),
        ("09:30:05,SZ000001,,1,B", "price is empty, not a number"),
        ("09:30:05,SZ000001,nan,1,B", "price is 'nan', not a number"),
        ("09:30:05,SZ000001,.inf,1,B", "price is '.inf': JSON knows no such number"),
        ("09:30:05,SZ000001,10.9,1.5,B", "volume_lots is 1.5, not a whole number"),
        ("09:30:05,SZ000001,10.9,1", "4 fields, where the header has 5"),
        ("9.30,SZ000001,10.9,1,B,", "6 fields, where the header has 5"),
        ("24:30:05,SZ000001,10.9,1,B", "time is '24:30:05'; write HH:MM:SS"),
        (",SZ000001,10.9,1,B", "time is ''; write HH:MM:SS"),
        ("09:30:05,SZ,10.9,1,B", "symbol is 'SZ', which leaves no id"),
        ("09:30:05,SZ00 01,10.9,1,B", "symbol is 'SZ00 01'; an id has no spaces"),
        ('09:30:05,"SZ000001,10.9,1,B', "not CSV: unexpected end of data"),
        ("x" * (MAX_LINE + 1), f"longer than {MAX_LINE} bytes"),
    ],
)
def test_a_malformed_csv_line_is_named_and_costs_itself_alone(tmp_path: Path, line: str, said: str) -> None:
    good = "09:30:02,SZ000001,10.90,177,S"
    path = write(tmp_path, HEADER + "\n".join([good, line, good]) + "\n")

    found = list(TickFile(path, COLUMNS).read())

    assert [type(one) for one in found] == [Tick, BadLine, Tick]
    ((number, message),) = messages(found)
    assert number == 3
    assert message.startswith(said)
    assert found[-1].position == Position(4, path.stat().st_size)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{'time': 1}", "not JSON: Expecting property name"),
        ("[1]", "not an object; each line must be one"),
        ('{"time": "09:30:05", "symbol": "000001"}', "no 'price' in the object"),
        ('{"time": "09:30:05", "symbol": 1, "price": 1}', "symbol is 1, not text; put it in quotes"),
        ('{"time": "09:30:05", "symbol": "000001", "price": NaN}', "not JSON: NaN is no number"),
        ('{"time": "09:30:05", "symbol": "000001", "price": 1e999}', "not JSON: 1e999 is no number"),
        ('{"time": "09:30:05", "symbol": "000001", "price": true}', "price is true, not a number"),
        ('{"time": true, "symbol": "000001", "price": 1}', "time is true; write HH:MM:SS"),
        ("[" * 60_000, "not JSON: "),
        ('{"time": ' + "1" * 5_000 + "}", "not JSON: a number of more than 40 digits"),
    ],
)
def test_a_malformed_json_line_is_named_and_costs_itself_alone(tmp_path: Path, line: str, said: str) -> None:
    good = '{"time": "09:30:02", "symbol": "000001", "price": 10.9}'
    path = write(tmp_path, "\n".join([good, line, good]))

    found = list(TickFile(path, Columns(data={"price": Column("price", Kind.NUMBER)})).read())

    assert [type(one) for one in found] == [Tick, BadLine, Tick]
    ((number, message),) = messages(found)
    assert number == 2
    assert message.startswith(said)


def test_bytes_that_are_no_text_are_named_with_the_cure(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER.encode() + "09:30:02,SZ000001,10.9,1,买\n".encode("gbk"))

    ((_, message),) = messages(list(TickFile(path, COLUMNS).read()))

    assert message == "not utf-8; if the file is gbk, say so in replay.yaml: encoding: gbk"
    in_gbk = Columns(data=COLUMNS.data, strip=COLUMNS.strip, encoding="gbk")
    assert only(list(TickFile(path, in_gbk).read())).data["side"] == "买"


def test_a_header_without_a_needed_column_is_refused_with_what_the_file_has(tmp_path: Path) -> None:
    path = write(tmp_path, "time,symbol,prices,volume_lots,side\n09:30:02,SZ000001,10.9,1,B\n")

    with pytest.raises(RequestError, match=r"csv:1: no column 'price'; did you mean 'prices'\? replay\.yaml names"):
        list(TickFile(path, COLUMNS).read())


def test_a_missing_file_and_a_folder_are_said_to_be_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no file .*nothing\.csv"):
        list(TickFile(tmp_path / "nothing.csv").read())
    with pytest.raises(RequestError, match="is not a file"):
        list(TickFile(tmp_path).read())


def test_an_empty_file_has_no_ticks(tmp_path: Path) -> None:
    assert list(TickFile(write(tmp_path, "")).read()) == []
    assert list(TickFile(write(tmp_path, HEADER)).read()) == []


# --- reading a part ----------------------------------------------------------------------------


def day(folder: Path, count: int = 2_000) -> TickFile:
    rows = [
        f"{9 + n // 3600:02}:{n // 60 % 60:02}:{n % 60:02},{('SZ000001', 'SZ000002', 'SH600000')[n % 3]},{10 + n},1,B"
        for n in range(count)
    ]
    return TickFile(write(folder, HEADER + "\n".join(rows) + "\n"), COLUMNS)


def prices(found: list[Tick | BadLine] | list[Tick]) -> list[float]:
    return [one.data["price"] for one in found if isinstance(one, Tick)]


def test_reading_goes_on_exactly_where_it_was_left(tmp_path: Path) -> None:
    ticks = day(tmp_path)
    whole = list(ticks.read())

    rest = list(ticks.read(after=whole[699].position))

    assert rest == whole[700:]


def test_nothing_behind_the_end_is_read(tmp_path: Path) -> None:
    ticks = day(tmp_path)
    whole = list(ticks.read())

    assert list(ticks.read(until=whole[699].position.end)) == whole[:700]


def test_one_entity_is_picked_out_and_malformed_lines_are_passed_over_its_own_too(tmp_path: Path) -> None:
    rows = ["SZ000001,1,1,B", "SZ000002,x,1,B", "SZ000001,x,1,B", "SZ0000019,3,1,B"]
    path = write(tmp_path, HEADER + "".join(f"09:30:02,{row}\n" for row in rows))

    assert only(list(TickFile(path, COLUMNS).read(entity="000001"))).data["price"] == 1


@pytest.mark.parametrize("count", [1, 20, 400, 5_000])
def test_the_most_recent_ticks_are_those_that_reading_everything_gives(tmp_path: Path, count: int) -> None:
    ticks = day(tmp_path)
    mine = [one for one in ticks.read(entity="000002") if isinstance(one, Tick)]
    at = mine[500].position.end

    assert prices(ticks.recent("000002", until=at, count=count)) == prices(mine[:501][-count:])


def test_the_most_recent_ticks_are_found_from_every_byte(tmp_path: Path) -> None:
    # Blocks may begin anywhere in a line; none may be lost or read twice there.
    rows = [f"09:30:02,SZ000001,{n},1,B" + " " * (n % 7) for n in range(700)]
    ticks = TickFile(write(tmp_path, HEADER + "\n".join(rows) + "\n"), COLUMNS)
    mine = [one for one in ticks.read() if isinstance(one, Tick)]

    for last in range(300, 700):
        assert prices(ticks.recent("000001", until=mine[last].position.end, count=290)) == prices(
            mine[last - 289 : last + 1]
        )
