from __future__ import annotations

import gzip
import importlib
import io
import json
import sys
import traceback
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest

from perfectpay_async import CardExpiry, ConfigurationError
from perfectpay_async.bulk import BadRow, ExpiryRow, InputRefused, read_csv, read_rows
from perfectpay_async.bulk.sources import format_of

HEADER = "payment_method_id,exp_month,exp_year\n"
CARD_NUMBER = "4242424242424242"
GOOD = ExpiryRow(2, "pm_1", CardExpiry(3, 2027))
OBJECT = '{"payment_method_id": "pm_1", "exp_month": 3, "exp_year": 2027}\n'


def read(text, form="csv", **options):
    return list(read_rows(io.BytesIO(text.encode()), format=form, **options))


def refusal(data, form="csv", **options):
    stream = io.BytesIO(data.encode() if isinstance(data, str) else data)
    with pytest.raises(InputRefused) as caught:
        list(read_rows(stream, format=form, **options))
    return caught.value


def assert_no_frame_holds_it(error: InputRefused) -> None:
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [frame for frame in report.stack if "perfectpay_async" in frame.filename]
    assert ours
    assert not [frame for frame in ours if CARD_NUMBER in str(frame.locals)]
    assert CARD_NUMBER not in str(error)
    assert error.__cause__ is None


class TestOtherFiles:
    @pytest.mark.parametrize("form", ["csv", "jsonl"])
    @pytest.mark.parametrize(
        ("start", "said"),
        [
            (b"PK\x03\x04\x14\0\x06\0", "an Excel workbook or another zip file; save the sheet as"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "an old Excel workbook; save the sheet as CSV"),
            (
                gzip.compress(HEADER.encode(), mtime=0),
                "compressed with gzip; unpack it, and try again",
            ),
            (b"PAR1\x15\x04", "a Parquet file; say that its format is parquet"),
        ],
    )
    def test_a_file_of_another_kind_is_named(self, form, start, said):
        assert f"the input is {said}" in str(refusal(start + CARD_NUMBER.encode(), form))

    def test_only_at_its_very_start(self):
        assert "line 2: the row holds a NUL" in str(refusal(f"{HEADER}PK\x03\x04\0,1,27\n"))
        assert read(f"{HEADER}PK\x03\x04,1,27\n")[0].reason.startswith("payment_method_id must")
        assert read(f"{HEADER}PAR1,3,27\n") == [ExpiryRow(2, "PAR1", CardExpiry(3, 2027))]


class TestChoice:
    @pytest.mark.parametrize(
        ("name", "form"),
        [
            ("cards.csv", "csv"),
            ("cards", "csv"),
            ("cards.txt", "csv"),
            ("cards.JSONL", "jsonl"),
            ("a/cards.ndjson", "jsonl"),
            ("cards.json", "jsonl"),
            (Path("cards.parquet"), "parquet"),
            ("cards.pq", "parquet"),
        ],
    )
    def test_the_name_says_the_format(self, name, form):
        assert format_of(name) == form

    def test_a_path_is_read_by_its_name_or_as_it_is_told(self, tmp_path):
        path = tmp_path / "cards.jsonl"
        path.write_text(OBJECT)
        other = tmp_path / "cards.txt"
        other.write_text(OBJECT)

        assert list(read_rows(path)) == list(read_rows(str(other), format="jsonl"))
        assert list(read_rows(path)) == [ExpiryRow(1, "pm_1", CardExpiry(3, 2027))]

    def test_a_stream_is_csv_unless_told_and_is_left_open(self):
        stream = io.BytesIO(f"{HEADER}pm_1,3,27\n".encode())

        assert list(read_rows(stream)) == [GOOD]
        stream.seek(0)
        assert list(read_rows(stream)) == [GOOD]

    def test_a_stream_may_be_closed_before_the_end(self):
        stream = io.BytesIO(f"{HEADER}pm_1,3,27\npm_2,3,27\n".encode())
        rows = read_rows(stream)
        next(rows)

        stream.close()
        rows.close()

    def test_a_directory_is_an_os_error(self, tmp_path):
        with pytest.raises(OSError):
            next(read_rows(tmp_path))

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"format": "xlsx"}, "format must be auto, csv, jsonl or parquet"),
            ({"columns": {"holder": "x"}}, "columns that can be named are payment_method_id, exp_"),
            ({"columns": {"exp_month": " "}}, "the name of a column must not be empty"),
            ({"columns": {"exp_month": "m"}, "expiry_column": "e"}, "not both"),
        ],
    )
    def test_wrong_arguments_are_said_at_once(self, options, sentence):
        with pytest.raises(ConfigurationError, match=sentence):
            read_rows("no such file", **options)


class TestColumns:
    """The same for all formats; told with CSV."""

    @pytest.mark.parametrize(
        "header",
        ["id,month,year", "pm_id,exp month,Exp-Year", "ID,Expiry Month,expiration_year"],
    )
    def test_common_names_will_do(self, header):
        assert read(f"{header}\npm_1,3,27\n") == [GOOD]

    @pytest.mark.parametrize("name", ["expiry", "exp", "Expiry Date", "expiration"])
    @pytest.mark.parametrize("value", ["03/27", "3/2027", " 03/27 "])
    def test_one_column_may_hold_the_whole_expiry(self, name, value):
        assert read(f"id,{name}\npm_1,{value}\n") == [GOOD]

    def test_our_own_names_win_over_others(self):
        text = "id,month,exp_month,exp_year,expiry,payment_method_id\n7,9,3,27,9/99,pm_1\n"

        assert read(text) == [GOOD]

    def test_names_given_win_over_all(self):
        text = "payment_method_id,card ref,M,exp_month,exp_year\npm_0,pm_1,3,9,27\n"

        names = {"payment_method_id": "Card-Ref", "exp_month": "m"}
        assert read(text, columns=names) == [GOOD]

    def test_so_does_an_expiry_column(self):
        text = "id,exp_month,exp_year,good thru\npm_1,9,29,03/27\n"

        assert read(text, expiry_column="good_thru") == [GOOD]

    def test_a_quoted_header_with_byte_order_mark_and_crlf(self):
        assert read('\ufeff"id","expiry"\r\n"pm_1","03/27"\r\n') == [GOOD]

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("13/27", "expiry month must be 1 to 12"),
            ("03/1927", "expiry year must be 2000 to 2099, or its last two digits"),
            ("0327", "expiry must have the form MM/YY, MM/YYYY, MM-YYYY or YYYY-MM"),
            ("", "expiry must have the form MM/YY, MM/YYYY, MM-YYYY or YYYY-MM"),
        ],
    )
    def test_an_expiry_that_breaks_a_rule_is_a_bad_row(self, value, reason):
        (bad,) = read(f"id,expiry\npm_1,{value}\n")
        assert (bad.number, bad.reason, bad.payment_method_id) == (2, reason, "pm_1")

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("13/27", ("13", "27")),
            ("13 / 2027", ("13", "2027")),
            ("00-2027", ("00", "2027")),
            ("0327", (None, None)),
            ("4242/1234", (None, None)),
            ("123", (None, None)),
            ("Jane Doe", (None, None)),
        ],
    )
    def test_it_keeps_an_expiry_that_can_be_nothing_else(self, value, shown):
        (bad,) = read(f"id,expiry\npm_1,{value}\n")
        assert (bad.exp_month, bad.exp_year) == shown

    @pytest.mark.parametrize(
        ("header", "options", "problem"),
        [
            ("card,month,year", {}, "lacks the column payment_method_id"),
            ("id,pm_id,month,year", {}, "has more than one column that could be payment_method_id"),
            ("id,month", {}, "lacks the column exp_year"),
            ("id,month,expiry", {}, "lacks the column exp_year"),
            ("id,exp,expiration", {}, "has more than one column that could be expiry"),
            ("id,month,year", {"columns": {"exp_year": "y"}}, "lacks the column y"),
            ("id,month,year", {"expiry_column": "Good Thru"}, "lacks the column good_thru"),
            ("id,y,month,y", {"columns": {"exp_year": "y"}}, "repeats the column y"),
        ],
    )
    def test_a_wrong_header_is_refused(self, header, options, problem):
        sentence = str(refusal(f"{header}\npm_1,3,27,1\n", **options))

        assert sentence.startswith(f"the header {problem}")
        assert "; the first line must name the columns " in sentence

    def test_the_sentence_names_the_columns_that_were_asked_for(self):
        error = refusal("", columns={"payment_method_id": "ref"}, expiry_column="e")

        assert str(error) == "the input is empty; its first line must be ref,e"


class TestJsonl:
    def test_members_come_in_any_order_and_spelling_beside_others(self):
        text = (
            '\ufeff{"exp_year":"27","note":["a",{"b":null}],"PM ID":" pm_1 ","exp_month":"3"}\r\n'
            "\n"
            '{"id":"pm_2","expiry":"04/28"}'
        )

        assert read(text, "jsonl") == [
            ExpiryRow(1, "pm_1", CardExpiry(3, 2027)),
            ExpiryRow(3, "pm_2", CardExpiry(4, 2028)),
        ]

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ('{"id":"pm_1","exp_month":13,"exp_year":27}', "exp_month must be 1 to 12"),
            ('{"id":"pm_1","exp_month":true,"exp_year":27}', "exp_month must be 1 to 12"),
            ('{"id":"pm_1","exp_month":null,"exp_year":27}', "exp_month must be 1 to 12"),
            ('{"id":"pm_1","exp_month":3}', "the object lacks the column exp_year"),
            ("{}", "the object lacks the column payment_method_id"),
            ('{"id":"../x","exp_month":3,"exp_year":27}', "must not hold any of"),
            ('{"id":7,"exp_month":3,"exp_year":27}', "payment_method_id must"),
            ('{"id":"pm_1","id":"pm_2","exp_month":3,"exp_year":27}', "each name once"),
            ('{"id":"pm_1","exp_month":3,"exp_year":NaN}', "is not a JSON object"),
            ('["pm_1",3,27]', "is not a JSON object"),
            ("[]", "is not a JSON object"),
            ('{"id":"pm_1","exp_month":3,', "is not a JSON object"),
            ("[" * 60_000, "is not a JSON object"),
        ],
    )
    def test_a_line_that_breaks_a_rule_is_a_bad_row(self, line, reason):
        first, bad, last = read(f"{OBJECT}{line}\n{OBJECT}", "jsonl")

        assert isinstance(first, ExpiryRow)
        assert isinstance(last, ExpiryRow)
        assert bad.number == 2
        assert reason in bad.reason

    @pytest.mark.parametrize("text", ["", "\n \n"])
    def test_an_empty_input_is_refused(self, text):
        assert str(refusal(text, "jsonl")) == (
            "the input is empty; each line must be a JSON object with payment_method_id, "
            "exp_month, exp_year"
        )

    def test_a_nul_character_is_refused(self):
        assert "line 2: the row holds a NUL" in str(refusal(f"{OBJECT}\0\n", "jsonl"))

    @pytest.mark.parametrize(
        ("member", "place"),
        [
            (f'"id":"{CARD_NUMBER}"', "column 1 (id)"),
            (f'"note":"4242 4242 4242 4242","id":"{CARD_NUMBER}"', "column 1 (note)"),
            (f'"a":1,"pan":{CARD_NUMBER}', "column 2 (pan)"),
            (f'"pan":{CARD_NUMBER}.0', "column 1 (pan)"),
            (f'"deep":[{{"x":[[{CARD_NUMBER}]]}}]', "column 1 (deep)"),
            (f'"deep":{{"{CARD_NUMBER}":1}}', "column 1 (deep)"),
            (f'"{CARD_NUMBER}":1', "column 1"),
        ],
    )
    def test_a_card_number_anywhere_stops_the_reading(self, member, place):
        error = refusal(f"{OBJECT}{{{member}}}\n", "jsonl")

        assert str(error) == (
            f"line 2, {place} looks like a card number; card numbers must not be in this file"
        )
        assert_no_frame_holds_it(error)


class Endless(io.RawIOBase):
    """So many bytes of one line, made as they are read."""

    def __init__(self, size: int) -> None:
        self.left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        size = min(len(buffer), self.left)
        buffer[:size] = b"x" * size
        self.left -= size
        return size


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_line_of_100_mb_is_not_read_to_its_end(form):
    source = Endless(100_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(InputRefused, match=r"line 1: the row has more than 65,536 characters"):
            list(read_rows(io.BufferedReader(source), format=form))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2_000_000
    assert source.left > 99_000_000


class TestParquet:
    @pytest.fixture
    def write(self, tmp_path):
        arrow = pytest.importorskip("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")

        def write(columns, **options):
            path = tmp_path / "cards.parquet"
            parquet.write_table(arrow.table(columns), path, **options)
            return path

        return write

    def test_rows_are_numbered_by_their_position(self, write):
        path = write({"id": ["pm_1", " pm_2 "], "note": ["", None], "expiry": ["03/27", "4/2028"]})

        assert list(read_rows(path)) == [
            ExpiryRow(1, "pm_1", CardExpiry(3, 2027)),
            ExpiryRow(2, "pm_2", CardExpiry(4, 2028)),
        ]

    @pytest.mark.parametrize(("month", "year"), [(3, 2027), ("03", "27"), (3.0, 27.0)])
    def test_months_and_years_may_be_numbers(self, write, month, year):
        path = write({"payment_method_id": ["pm_1"], "exp_month": [month], "exp_year": [year]})

        assert list(read_rows(path)) == [ExpiryRow(1, "pm_1", CardExpiry(3, 2027))]

    def test_many_row_groups_are_one_table(self, write):
        ids = [f"pm_{number}" for number in range(10_000)]
        path = write({"id": ids, "expiry": ["03/27"] * len(ids)}, row_group_size=999)

        rows = list(read_rows(path))

        assert [row.payment_method_id for row in rows] == ids
        assert [row.number for row in rows] == list(range(1, 10_001))

    def test_what_breaks_a_rule_is_a_bad_row(self, write):
        path = write({"id": ["pm_1", None], "month": [13, 3], "year": [27, None]})

        first, second = read_rows(path)

        assert first == BadRow(1, "exp_month must be 1 to 12", "pm_1", "13", "27")
        assert isinstance(second, BadRow)

    @pytest.mark.parametrize("months", [[None, 3.0], [None, 3.5]])
    def test_missing_and_broken_numbers_are_bad_rows(self, write, months):
        rows = list(read_rows(write({"id": ["a", "b"], "month": months, "year": [27, 27]})))

        assert isinstance(rows[0], BadRow)
        assert isinstance(rows[1], ExpiryRow if months[1] == 3.0 else BadRow)

    def test_dates_do_no_harm(self, write):
        arrow = importlib.import_module("pyarrow")
        times = arrow.array([1_700_000_000_000_000_001], arrow.timestamp("ns"))

        assert len(list(read_rows(write({"id": ["a"], "expiry": ["03/27"], "seen": times})))) == 1

    def test_no_rows_are_no_rows(self, write):
        assert list(read_rows(write({"id": [], "expiry": []}))) == []

    def test_a_wrong_schema_is_refused(self, write):
        path = write({"id": ["pm_1"], "month": [3]})

        with pytest.raises(InputRefused) as caught:
            list(read_rows(path))

        assert str(caught.value) == (
            "the file lacks the column exp_year; it must have the columns payment_method_id, "
            "exp_month, exp_year"
        )

    @pytest.mark.parametrize(
        "value",
        [
            CARD_NUMBER,
            int(CARD_NUMBER),
            float(CARD_NUMBER),
            Decimal(f"{CARD_NUMBER}.00"),
            CARD_NUMBER.encode(),
            [CARD_NUMBER],
        ],
    )
    def test_a_card_number_in_any_column_stops_the_reading(self, write, value):
        path = write({"id": ["pm_1"], "expiry": ["03/27"], "note": [value]})

        error = refusal(path.read_bytes(), "parquet")

        assert str(error) == (
            "row 1, column 3 (note) looks like a card number; card numbers must not be in this file"
        )
        assert_no_frame_holds_it(error)

    def test_so_does_one_in_the_name_of_a_column(self, write):
        error = refusal(write({"id": ["a"], CARD_NUMBER: [1]}).read_bytes(), "parquet")

        assert str(error).startswith("the names of the columns, column 2 looks like")
        assert_no_frame_holds_it(error)

    def test_a_damaged_file_is_refused_wherever_it_is_damaged(self, write):
        ids = [f"pm_{number}" for number in range(2_000)]
        path = write({"id": ids, "expiry": ["03/27"] * len(ids)}, row_group_size=500)
        data = path.read_bytes()
        sentence = "this is not a complete Parquet file: it is damaged or cut off, somewhere after"

        assert str(refusal(b"", "parquet")) == f"{sentence} row 0"
        assert str(refusal(HEADER, "parquet")) == f"{sentence} row 0"
        for share in (0.1, 0.5, 0.9, 0.999):
            assert str(refusal(data[: int(len(data) * share)], "parquet")) == f"{sentence} row 0"
        hole = data[:4] + b"\xff" * (len(data) // 2) + data[4 + len(data) // 2 :]
        assert str(refusal(hole, "parquet")).startswith(sentence)

    def test_without_pyarrow_it_says_how_to_install_it(self, monkeypatch, tmp_path):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)

        with pytest.raises(ConfigurationError, match=r'pip install "perfectpay-async\[parquet\]"'):
            read_rows(tmp_path / "cards.parquet")

    def test_it_is_not_loaded_before_it_is_needed(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow", None)

        assert read(f"{HEADER}pm_1,3,27\n") == [GOOD]


def test_all_formats_give_the_same_rows(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    records = [
        {"id": f"pm_{number}", "month": f"{number % 15}", "year": "27"} for number in range(40)
    ]
    table = tmp_path / "cards.csv"
    table.write_text("id,month,year\n" + "".join(",".join(r.values()) + "\n" for r in records))
    lines = tmp_path / "cards.jsonl"
    lines.write_text("".join(json.dumps(record) + "\n" for record in records))
    columns = tmp_path / "cards.parquet"
    parquet.write_table(arrow.Table.from_pylist(records), columns)

    def plain(rows, first):
        return [
            (
                row.number - first,
                row.reason if isinstance(row, BadRow) else (row.expiry, row.payment_method_id),
            )
            for row in rows
        ]

    expected = plain(read_csv(table), 2)
    assert plain(read_rows(lines), 1) == expected
    assert plain(read_rows(columns), 1) == expected
