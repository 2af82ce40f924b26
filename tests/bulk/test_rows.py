from __future__ import annotations

import io
import traceback
from pathlib import Path

import pytest

from perfectpay_async import CardExpiry
from perfectpay_async.bulk import BadRow, ExpiryRow, InputRefused, read_csv
from perfectpay_async.bulk.rows import Rows
from perfectpay_async.bulk.sources.lines import MAX_ROW

HEADER = "payment_method_id,exp_month,exp_year\n"
NAME_THEM = (
    "the first line must name the columns payment_method_id, exp_month, exp_year, "
    "separated by commas"
)
CARD_NUMBER = "4242424242424242"


def read(text: str):
    return list(read_csv(io.StringIO(text, newline="")))


def refusal(text: str) -> InputRefused:
    with pytest.raises(InputRefused) as caught:
        read(text)
    return caught.value


class TestGoodRows:
    def test_rows_are_numbered_by_their_line(self):
        assert read(HEADER + "pm_1,03,27\npm_2,12,2031\n") == [
            ExpiryRow(2, "pm_1", CardExpiry(3, 2027)),
            ExpiryRow(3, "pm_2", CardExpiry(12, 2031)),
        ]

    @pytest.mark.parametrize("month", ["3", "03", " 03 "])
    @pytest.mark.parametrize("year", ["27", "2027"])
    def test_every_spelling_of_an_expiry_is_sent_in_the_same_form(self, month, year):
        (row,) = read(f"{HEADER}pm_1,{month},{year}\n")

        assert isinstance(row, ExpiryRow)
        assert (row.expiry.wire_month, row.expiry.wire_year) == ("03", "27")

    def test_columns_come_in_any_order_and_spelling_beside_others(self):
        text = '\ufeff"Exp Year",note, PAYMENT_METHOD_ID ,exp_month\r\n27,"a, b",pm_1,3\r\n'

        assert read(text) == [ExpiryRow(2, "pm_1", CardExpiry(3, 2027))]

    def test_blank_lines_and_lines_inside_quotes_are_counted(self):
        text = 'payment_method_id,note,exp_month,exp_year\n\n\npm_1,"a\nb",3,27\npm_2,,4,28\n'

        assert [row.number for row in read(text)] == [4, 6]

    def test_the_last_line_needs_no_end(self):
        assert len(read(HEADER + "pm_1,03,27")) == 1

    def test_a_file_may_have_a_byte_order_mark_and_crlf(self, tmp_path: Path):
        path = tmp_path / "cards.csv"
        path.write_bytes(
            b"\xef\xbb\xbf" + HEADER.encode().replace(b"\n", b"\r\n") + b"pm_1,3,27\r\n"
        )

        assert list(read_csv(path)) == list(read_csv(str(path)))
        assert list(read_csv(path)) == [ExpiryRow(2, "pm_1", CardExpiry(3, 2027))]

    def test_what_is_not_utf8_matters_only_in_an_id(self, tmp_path: Path):
        path = tmp_path / "cards.csv"
        path.write_bytes(
            b"payment_method_id,exp_month,exp_year,holder\npm_1,3,27,Andr\xe9\npm_\xe9,3,27,Andre\n"
        )

        good, bad = read_csv(path)

        assert good == ExpiryRow(2, "pm_1", CardExpiry(3, 2027))
        reason = "payment_method_id must not hold white space or control characters"
        assert bad == BadRow(3, reason, None, "3", "27")

    def test_only_as_much_is_read_as_is_asked_for(self):
        stream = io.StringIO(HEADER + "pm_1,3,27\n" * 1_000, newline="")

        next(read_csv(stream))

        assert stream.tell() < 100


class TestBadRows:
    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("pm_1,13,27", "exp_month must be 1 to 12"),
            ("pm_1,,27", "exp_month must be 1 to 12"),
            ("pm_1,March,27", "exp_month must be 1 to 12"),
            ("pm_1,3,1927", "exp_year must be 2000 to 2099, or its last two digits"),
            ("pm_1,3,", "exp_year must be 2000 to 2099, or its last two digits"),
            (",3,27", "payment_method_id must have 1 to 255 characters"),
            ("pm_1 x,3,27", "payment_method_id must not hold white space or control characters"),
            ("../pm_1,3,27", "payment_method_id must not hold any of / \\ ? # %"),
            ("pm_1,3", "the row has 2 cells, but the header 3"),
            ("pm_1,3,27,x", "the row has 4 cells, but the header 3"),
        ],
    )
    def test_the_sentence_names_field_and_rule(self, line, reason):
        bad = read(f"{HEADER}pm_0,1,30\n{line}\npm_2,1,30\n")[1]
        assert (bad.number, bad.reason) == (3, reason)

    @pytest.mark.parametrize(
        ("line", "shown"),
        [
            ("pm_1,13,27", ("pm_1", "13", "27")),
            ("pm_1,0,2031", ("pm_1", "0", "2031")),
            ("pm_1,3,1999", ("pm_1", "3", "1999")),
            ("pm_1,3,", ("pm_1", "3", None)),
            ("pm 1,3,27", (None, "3", "27")),
            ("pm_1,March,27", ("pm_1", None, "27")),
            ("pm_1,123,27", ("pm_1", None, "27")),  # it could be a CVC
            ("pm_1,3,1234", ("pm_1", "3", None)),
            ("pm_1,3,123", ("pm_1", "3", None)),
            ("pm_1,3,42424242", ("pm_1", "3", None)),
            ("pm_1,Jane Doe,27", ("pm_1", None, "27")),
            ("pm_1,3,27,more", (None, None, None)),
        ],
    )
    def test_it_keeps_what_can_be_nothing_else(self, line, shown):
        (bad,) = read(f"{HEADER}{line}\n")
        assert (bad.payment_method_id, bad.exp_month, bad.exp_year) == shown


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("", "the input is empty; its first line must be payment_method_id,exp_month,exp_year"),
            (
                "payment_method_id,exp_month\npm_1,3\n",
                f"the header lacks the column exp_year; {NAME_THEM}",
            ),
            (
                "payment_method_id,exp_month,exp_year,exp_month\n",
                f"the header repeats the column exp_month; {NAME_THEM}",
            ),
            (
                f'{HEADER}pm_0,1,30\n"pm_1"x,3,27\n',
                "line 3: quotes are out of place, so it is unclear where the row ends",
            ),
            (
                f'{HEADER}"pm_1,3,27\npm_2,3,27\n',
                "line 2: quotes are out of place, so it is unclear where the row ends",
            ),
            (
                f"{HEADER}pm_1,3,{'7' * MAX_ROW}\n",
                "line 2: the row has more than 65,536 characters; is a quote never closed?",
            ),
            (
                f'{HEADER}pm_0,1,30\n"pm_1,3,27\n' + "pm_2,3,27\n" * 10_000,
                "line 3: the row has more than 65,536 characters; is a quote never closed?",
            ),
            (
                f"{HEADER}pm_1,\0,27\n",
                "line 2: the row holds a NUL character; save the file as UTF-8 text",
            ),
        ],
    )
    def test_what_makes_the_whole_input_doubtful_is_refused(self, text, sentence):
        assert str(refusal(text)) == sentence

    def test_a_stream_with_its_own_decoding_is_refused_where_it_fails(self):
        stream = io.TextIOWrapper(io.BytesIO(HEADER.encode() + b"pm_\xe9,3,27\n"), "utf-8")

        with pytest.raises(InputRefused, match="the input is not UTF-8 text, somewhere after line"):
            list(read_csv(stream))

    @pytest.mark.parametrize(
        "cell",
        [
            CARD_NUMBER,
            "4242 4242 4242 4242",
            " 4242-4242-4242-4242 ",
            '"4242424242424242"',
            "4222222222222",
            "6304000000000000000",
        ],
    )
    @pytest.mark.parametrize("place", [0, 1, 2, 3, 4])
    def test_a_card_number_in_any_cell_stops_the_reading(self, cell, place):
        cells = ["pm_1", "3", "27", "note"]
        cells[place : place + 1] = [cell]
        names = ["(payment_method_id)", "(exp_month)", "(exp_year)", "(note)"]
        name = f" {names[place]}" if place < len(names) else ""
        text = f"{HEADER.strip()},note\n{','.join(cells)}\n"

        error = refusal(text)

        assert str(error) == (
            f"line 2, column {place + 1}{name} looks like a card number; "
            "card numbers must not be in this file"
        )

    def test_one_within_a_text_does_too(self):
        text = f"{HEADER.strip()},note\npm_1,3,27,card 4242 4242 4242 4242 of Mr X\n"
        assert str(refusal(text)).startswith("line 2, column 4 (note) looks like a card number")

    def test_a_card_number_in_the_header_is_not_quoted(self):
        assert str(refusal(f"pm_1,3,{CARD_NUMBER}\n")).startswith("line 1, column 3 looks like")

    @pytest.mark.parametrize("cell", ["4242424242424241", "424242424242", "pm_4242424242424242a"])
    def test_other_digits_do_not(self, cell):
        assert len(read(f"{HEADER.strip()},note\npm_1,3,27,{cell}\n")) == 1

    @pytest.mark.parametrize("cell", [f"pm_{CARD_NUMBER}", f"'{CARD_NUMBER}"])
    def test_neither_a_prefix_nor_a_quote_hides_it(self, cell):
        assert "looks like a card number" in str(refusal(f"{HEADER.strip()},x\npm_1,3,27,{cell}\n"))

    @pytest.mark.parametrize("cell", [CARD_NUMBER, f'"{CARD_NUMBER}"x', f"{CARD_NUMBER}\0"])
    def test_no_frame_of_a_refusal_holds_the_value(self, cell):
        error = refusal(f"{HEADER}{cell},3,27\n")

        report = traceback.TracebackException.from_exception(error, capture_locals=True)

        ours = [frame for frame in report.stack if "perfectpay_async" in frame.filename]
        assert ours
        assert not [frame for frame in ours if CARD_NUMBER in str(frame.locals)]
        assert error.__cause__ is None
        assert error.__context__ is None


class TestRows:
    async def test_pairs_get_their_position_from_any_source(self):
        pair = ("pm_1", CardExpiry(3, 27))

        async def source():
            yield pair
            yield pair

        expected = [ExpiryRow(1, *pair), ExpiryRow(2, *pair)]
        assert [row async for row in Rows([pair, pair])] == expected
        assert [row async for row in Rows(source())] == expected

    @pytest.mark.parametrize("item", [None, "pm", ("pm_1", "03/27"), ("pm_1", 3, 27)])
    async def test_anything_else_is_a_bad_row(self, item):
        rows = [row async for row in Rows([item])]

        assert rows == [
            BadRow(1, "a row must be an ExpiryRow or a pair of payment_method_id and CardExpiry")
        ]
