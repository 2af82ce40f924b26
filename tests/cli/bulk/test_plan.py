from __future__ import annotations

import importlib
import io
import json
import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest

from perfectpay_async import CardExpiry
from perfectpay_async.bulk import ExpiryRow
from perfectpay_async.cli.app import run

CARD_NUMBER = "4242424242424242"
HEADER = "payment_method_id,exp_month,exp_year\n"


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    monkeypatch.delenv("PERFECTPAY_API_KEY", raising=False)
    monkeypatch.delenv("PERFECTPAY_BASE_URL", raising=False)


@pytest.fixture
def stdin(monkeypatch):
    def put(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(PipeLike(data)))

    return put


class PipeLike(io.BytesIO):
    """Bytes from a pipe: they can be read once."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._pipe, other = os.pipe()
        os.close(other)

    def fileno(self) -> int:
        return self._pipe

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        if not self.closed:
            os.close(self._pipe)
        super().close()


def plan(*arguments: str) -> int:
    return run(["bulk", "plan", *arguments])


class TestGoodRows:
    def test_a_good_file_is_0_and_needs_no_key(self, write_csv, capsys):
        assert plan(write_csv("pm_1", "pm_2", "pm_3")) == 0

        shown = capsys.readouterr()
        assert shown.out == (
            "3 rows, about 0 s at 40 requests/s\n"
            "  to send               3\n"
            "  bad                   0\n"
            "  past expiry           0\n"
            "  duplicates            0\n"
        )
        assert shown.err == ""

    def test_only_a_header_is_no_rows(self, write_csv, capsys):
        assert plan(write_csv()) == 0
        assert capsys.readouterr().out.startswith("0 rows, about 0 s")

    @pytest.mark.parametrize(
        ("rate", "text"),
        [
            ("100", "about 1 s at 100 requests/s"),
            ("0.5", "about 3 min at 0.5 requests/s"),
            ("0.01", "about 2 h 46 min at 0.01 requests/s"),
            ("0.0005", "about 2 days 7 h at 0.0005 requests/s"),
        ],
    )
    def test_the_rate_makes_the_estimate(self, write_csv, capsys, rate, text):
        assert plan(write_csv(*(f"pm_{number}" for number in range(100))), "--rate", rate) == 0
        assert text in capsys.readouterr().out


class TestBadRows:
    LINES = ("pm_1", "pm_2,13,31", "pm_3,1,2001", "pm_4,5,6,7")

    def test_they_are_1_and_named_by_their_lines(self, write_csv, capsys):
        assert plan(write_csv(*self.LINES)) == 1

        shown = capsys.readouterr()
        assert [line.split()[-1] for line in shown.out.splitlines()[1:]] == ["1", "2", "1", "0"]
        assert shown.err.splitlines() == [
            "line 3: exp_month must be 1 to 12",
            "line 4: expiry must not be in the past",
            "line 5: the row has 4 cells, but the header 3",
        ]

    def test_many_are_cut(self, write_csv, capsys):
        assert plan(write_csv(*["pm_1,0,31"] * 25)) == 1
        assert capsys.readouterr().err.splitlines()[-1] == "... and 5 more"

    def test_json_is_one_object(self, write_csv, capsys):
        assert plan(write_csv(*self.LINES, "pm_1"), "--json", "--on-duplicate", "allow") == 1

        assert json.loads(capsys.readouterr().out) == {
            "schema": 1,
            "format": "csv",
            "rows": 5,
            "to_send": 2,
            "bad": 2,
            "past": 1,
            "duplicates": 1,
            "refused": None,
            "rate": 40.0,
            "seconds": 0.1,
            "problems": [
                {"number": 3, "reason": "exp_month must be 1 to 12"},
                {"number": 4, "reason": "expiry must not be in the past"},
                {"number": 5, "reason": "the row has 4 cells, but the header 3"},
            ],
            "duplicate_rows": [{"number": 6, "earlier": 2}],
        }


class TestDuplicates:
    def test_they_are_3_as_for_a_run(self, write_csv, capsys):
        assert plan(write_csv("pm_1", "pm_2", "pm_1", "pm_1"), "--json") == 3

        shown = capsys.readouterr()
        assert json.loads(shown.out)["refused"].startswith("2 of 4 rows repeat the card of an earl")
        assert shown.err.splitlines()[:2] == [
            "line 4: is for the same card as line 2",
            "line 5: is for the same card as line 4",
        ]
        assert shown.err.splitlines()[2].startswith("Error: 2 of 4 rows repeat the card")

    def test_or_0_when_they_are_allowed(self, write_csv):
        assert plan(write_csv("pm_1", "pm_1"), "--on-duplicate", "allow") == 0


class TestRefusals:
    @pytest.mark.parametrize(
        ("data", "sentence"),
        [
            (
                b"",
                "the input is empty; its first line must be payment_method_id,exp_month,exp_year",
            ),
            (b"\xef\xbb\xbf", "the input is empty; its first line must be"),
            (b"card,m,y\n", "the header lacks the column payment_method_id; the first line must"),
            (b"pm_1,12,31\n", "the header lacks the column payment_method_id; the first line must"),
            (HEADER.encode() + b"pm_1,\x00,31\n", "line 2: the row holds a NUL character"),
            (HEADER.encode() + b"x" * 100_000, "line 2: the row has more than 65,536 characters"),
            (
                HEADER.encode("utf-16"),
                "line 1: the row holds a NUL character; save the file as UTF",
            ),
            (
                f"pan,{HEADER}{CARD_NUMBER},pm_1,12,31\n".encode(),
                "line 2, column 1 (pan) looks like a card number; card numbers must not be in",
            ),
            (
                f"payment_method_id,{CARD_NUMBER}\n".encode(),
                "line 1, column 2 looks like a card number; card numbers must not be in this file",
            ),
        ],
    )
    @pytest.mark.parametrize("options", [[], ["--json"]])
    def test_an_input_in_doubt_is_3(self, tmp_path, capsys, data, sentence, options):
        file = tmp_path / "cards.csv"
        file.write_bytes(data)

        assert plan(str(file), *options) == 3

        shown = capsys.readouterr()
        assert shown.err.startswith(f"Error: {sentence}")
        assert shown.out == ""
        assert CARD_NUMBER not in shown.err

    @pytest.mark.parametrize("name", ["cards.csv", "cards.jsonl"])
    def test_a_byte_order_mark_does_no_harm(self, tmp_path, name):
        file = tmp_path / name
        text = f"{HEADER}a,12,31\n" if name.endswith("csv") else '{"id": "a", "exp": "12/31"}\n'
        file.write_text(f"\ufeff{text}")

        assert plan(str(file)) == 0

    def test_a_truncated_parquet_file_is_3(self, tmp_path, capsys):
        arrow = pytest.importorskip("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
        file = tmp_path / "cards.parquet"
        parquet.write_table(arrow.table({"id": ["a", "a"], "expiry": ["12/31", "12/31"]}), file)

        assert plan(str(file)) == 3
        assert "row 2: is for the same card as row 1" in capsys.readouterr().err
        file.write_bytes(file.read_bytes()[:-20])
        assert plan(str(file)) == 3
        assert "Error: this is not a complete Parquet file" in capsys.readouterr().err

    def test_a_read_error_is_3(self, write_csv, monkeypatch, capsys):
        def broken(*_arguments, **_settings):
            yield ExpiryRow(2, "pm_1", CardExpiry(12, 2031))
            raise OSError(5, "Input/output error")

        monkeypatch.setattr("perfectpay_async.cli.bulk.inputs.read_rows", broken)

        assert plan(write_csv("pm_1")) == 3
        assert "Error: the file cannot be read: Input/output error" in capsys.readouterr().err

    def test_a_file_that_cannot_be_opened_is_3(self, write_csv, monkeypatch, capsys):
        file = write_csv("pm_1")

        def denied(*_arguments, **_settings):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("builtins.open", denied)

        assert plan(file) == 3
        assert "Error: the file cannot be read: Permission denied" in capsys.readouterr().err

    def test_a_full_disk_is_3(self, stdin, monkeypatch, capsys):
        def full(*_arguments):
            raise OSError(28, "No space left on device")

        stdin(HEADER.encode())
        monkeypatch.setattr("shutil.copyfileobj", full)

        assert plan("-") == 3
        assert "TMPDIR may name another place" in capsys.readouterr().err


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--format", "xlsx"], "--format"),
            (["--rate", "0"], "--rate"),
            (["--rate", "nan"], "--rate"),
            (["--map", "exp_month"], "payment_method_id=NAME,exp_month=NAME"),
            (["--map", "exp_month=a,exp_month=b"], "payment_method_id=NAME,exp_month=NAME"),
            (["--map", ""], "payment_method_id=NAME,exp_month=NAME"),
            (["--map", "holder=x"], "columns that can be named are payment_method_id"),
            (["--map", "exp_month=m", "--expiry-column", "e"], "not both"),
            (["--expiry-column", ""], "must not be empty"),
            (["--expiry-column", CARD_NUMBER], "looks like a card number"),
            (["--on-duplicate", "last"], "--on-duplicate"),
        ],
    )
    def test_wrong_options_are_2(self, write_csv, capsys, arguments, sentence):
        assert plan(write_csv("pm_1"), *arguments) == 2
        shown = " ".join(capsys.readouterr().err.split())
        assert sentence in shown
        assert CARD_NUMBER not in shown

    def test_a_directory_is_2(self, tmp_path, capsys):
        assert plan(str(tmp_path)) == 2
        assert "is a directory" in capsys.readouterr().err

    def test_a_file_without_permission_is_2(self, write_csv, monkeypatch, capsys):
        file = write_csv("pm_1")
        monkeypatch.setattr(os, "access", lambda *_arguments, **_settings: False)

        assert plan(file) == 2
        assert "is not readable" in capsys.readouterr().err

    def test_a_missing_file_is_2(self, tmp_path):
        assert plan(str(tmp_path / "none")) == 2

    def test_parquet_without_pyarrow_is_2(self, write_csv, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)

        assert plan(write_csv("pm_1"), "--format", "parquet") == 2
        assert 'pip install "perfectpay-async[parquet]"' in capsys.readouterr().err


class TestOptions:
    def test_names_of_columns(self, write_csv, capsys):
        file = write_csv("a,12,31,9", header="card_ref,m,y,exp_month\n")

        names = "payment_method_id=card_ref, exp_month=m,exp_year=y"
        assert plan(file, "--map", names) == 0
        assert "to send               1" in capsys.readouterr().out

    def test_an_expiry_column(self, write_csv):
        file = write_csv("a,x,12/31", header="id,note,Good Thru\n")

        assert plan(file, "--expiry-column", "good_thru") == 0

    def test_the_format_of_a_file_whose_name_does_not_tell(self, tmp_path):
        file = tmp_path / "cards.txt"
        file.write_text('{"id": "a", "month": 12, "year": 2031}\n')

        assert plan(str(file)) == 3
        assert plan(str(file), "--format", "jsonl") == 0


class TestStdin:
    @pytest.mark.parametrize(
        ("form", "data"),
        [("auto", f"{HEADER}a,12,31\n"), ("jsonl", '{"id": "a", "expiry": "12/31"}\n')],
    )
    def test_it_is_read_in_any_format(self, stdin, capsys, form, data):
        stdin(data.encode())

        assert plan("-", "--format", form, "--json") == 0
        assert json.loads(capsys.readouterr().out)["to_send"] == 1

    def test_also_in_one_that_is_read_from_its_end(self, stdin, tmp_path):
        arrow = pytest.importorskip("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
        file = tmp_path / "cards.parquet"
        parquet.write_table(arrow.table({"id": ["a"], "expiry": ["12/31"]}), file)
        stdin(file.read_bytes())

        assert plan("-", "--format", "parquet") == 0

    def test_its_copy_is_private_and_gone_afterwards(self, stdin, monkeypatch, tmp_path):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        make, made = tempfile.TemporaryFile, []

        def noted():
            file = make()
            made.append((file, stat.S_IMODE(os.fstat(file.fileno()).st_mode)))
            return file

        monkeypatch.setattr(tempfile, "TemporaryFile", noted)
        stdin(f"{HEADER}a,12,31\n".encode())

        assert plan("-") == 0
        ((file, mode),) = made
        assert file.closed
        assert mode == 0o600
        assert list(Path(tmp_path).iterdir()) == []

    def test_a_closed_one_is_3(self, monkeypatch, capsys):
        monkeypatch.setattr(sys, "stdin", None)

        assert plan("-") == 3
        assert "standard input is closed" in capsys.readouterr().err

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
    def test_a_named_pipe_is_copied_too(self, start, tmp_path):
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        process = start("bulk", "plan", str(pipe), "--json")
        pipe.write_text(f"{HEADER}a,12,31\n")

        out, err = process.communicate(timeout=60)

        assert process.returncode == 0, err
        assert json.loads(out)["rows"] == 1
