from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectpay_async.bulk import InputRefused, read_rows
from perfectpay_async.fleet import FleetSettings, plan_job
from perfectpay_async.fleet import slices as module
from perfectpay_async.fleet.slices import parse_slice


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(module, "CHUNK_ROWS", 3)
    monkeypatch.setattr("perfectpay_async.bulk.inspection.CHUNK_ROWS", 3)


def planned(path, data, form="csv", **settings):
    path.write_bytes(data)
    return plan_job(FleetSettings(location=str(path), format=form, **settings))


def read_again(plan, data):
    return [
        row
        for chunk in plan.chunks
        for row in parse_slice(data[chunk.start : chunk.stop], chunk, plan.settings)
    ]


def _cell(number, text):
    return f'pm_{number},12,31,"{text}"'


EXTRAS = st.sampled_from(["", "x", "a\nb", "a\r\nb", '""', "é", "\udce9"])
ENDS = st.sampled_from(["\n", "\r\n", "\n\n", "\r\n\r\n\r\n"])


@given(
    rows=st.lists(st.tuples(EXTRAS, ENDS), min_size=1, max_size=10),
    header_end=ENDS,
    bom=st.booleans(),
    last=st.booleans(),
)
def test_the_chunks_of_a_csv_file_hold_its_rows(tmp_path_factory, rows, header_end, bom, last):
    text = ("\ufeff" if bom else "") + "payment_method_id,exp_month,exp_year,note" + header_end
    text += "".join(_cell(n, extra) + end for n, (extra, end) in enumerate(rows))
    data = (text if last else text.rstrip("\r\n")).encode("utf-8", "surrogateescape")
    plan = planned(tmp_path_factory.mktemp("csv") / "cards.csv", data)
    whole = list(read_rows(BytesIO(data), format="csv"))
    assert read_again(plan, data) == whole
    assert [chunk.rows for chunk in plan.chunks] == [
        len(whole[start : start + 3]) for start in range(0, len(whole), 3)
    ]
    for chunk, following in zip(plan.chunks, plan.chunks[1:], strict=False):
        assert chunk.stop == following.start


@given(blanks=st.lists(st.integers(0, 2), min_size=1, max_size=10))
def test_the_chunks_of_a_jsonl_file_hold_its_rows(tmp_path_factory, blanks):
    text = "".join(
        "\n" * blank + f'{{"id": "pm_{n}", "month": 12, "year": 2031}}\n'
        for n, blank in enumerate(blanks)
    )
    data = text.encode()
    plan = planned(tmp_path_factory.mktemp("jsonl") / "cards.jsonl", data, "jsonl")
    assert read_again(plan, data) == list(read_rows(BytesIO(data), format="jsonl"))


def test_the_facts_are_those_of_the_file(tmp_path):
    data = b"payment_method_id,exp_month,exp_year\npm_1,12,31\npm_2,13,31\n\n\n"
    plan = planned(tmp_path / "cards.csv", data)
    assert (plan.facts.size, plan.facts.rows) == (len(data), 2)
    assert plan.inspection.bad == 1
    assert plan.facts.sha256 == __import__("hashlib").sha256(data).hexdigest()
    assert plan.chunks[-1].stop == len(data) - 2  # the blank lines belong to no row


@pytest.mark.parametrize("change", [b"pm_9", b"pm_"])
def test_bytes_that_were_changed_are_refused(tmp_path, change):
    data = b"payment_method_id,exp_month,exp_year\npm_1,12,31\n"
    plan = planned(tmp_path / "cards.csv", data)
    (chunk,) = plan.chunks
    changed = data.replace(b"pm_1", change)[chunk.start : chunk.stop]
    with pytest.raises(InputRefused, match="changed since the job was made: its chunk 0"):
        parse_slice(changed, chunk, plan.settings)


def test_two_rows_for_one_card_are_refused(tmp_path):
    data = b"payment_method_id,exp_month,exp_year\npm_1,12,31\npm_2,12,31\npm_1,11,31\n"
    with pytest.raises(InputRefused, match="line 4 that of line 2; a fleet cannot"):
        planned(tmp_path / "cards.csv", data)


def test_a_card_number_is_refused_without_being_quoted(tmp_path):
    data = b"payment_method_id,exp_month,exp_year\n4242424242424242,12,31\n"
    with pytest.raises(InputRefused, match="looks like a card number") as caught:
        planned(tmp_path / "cards.csv", data)
    assert "4242" not in str(caught.value)


def test_parquet_is_refused_with_a_way_out(tmp_path):
    with pytest.raises(InputRefused, match="save the Parquet file as CSV"):
        planned(tmp_path / "cards.parquet", b"PAR1", "parquet")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputRefused, match="cannot be read: No such file"):
        plan_job(FleetSettings(location=str(tmp_path / "none.csv"), format="csv"))
