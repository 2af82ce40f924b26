from __future__ import annotations

import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from perfectpay_async.bulk import InputRefused
from perfectpay_async.fleet import FleetSettings, plan_job
from perfectpay_async.fleet.locations import name_of, read_range
from perfectpay_async.fleet.slices import parse_slice

DATA = b"payment_method_id,exp_month,exp_year\n" + b"".join(
    b"pm_%d,12,31\n" % number for number in range(2_500)
)


@pytest.fixture
def serve():
    """A server of one object; `ranges` says whether it answers Range requests."""
    servers = []

    def start(*, ranges=True, status=206):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                first, last = map(int, re.findall(r"\d+", self.headers["Range"]))
                body = DATA[first : last + 1] if ranges else DATA
                code = status if ranges else 200
                self.send_response(code if body else 416)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}/cards.csv?signature=s3cret"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_object_is_read_by_ranges(serve):
    url = serve()
    plan = plan_job(FleetSettings(location=url, format="csv"))
    assert (plan.facts.rows, plan.facts.size, plan.facts.path) == (2_500, len(DATA), "")
    last = plan.chunks[-1]
    rows = parse_slice(read_range(url, last.start, last.stop), last, plan.settings)
    assert [row.number for row in rows] == list(range(2_002, 2_502))
    assert plan.facts.input == name_of(url) == "cards.csv"


def test_a_range_beyond_the_end_is_empty(serve):
    assert read_range(serve(), len(DATA), len(DATA) + 10) == b""


def test_a_server_without_ranges_is_refused(serve):
    with pytest.raises(InputRefused, match="does not answer Range requests"):
        read_range(serve(ranges=False), 0, 10)


def test_a_refusal_does_not_quote_the_address(serve):
    with pytest.raises(OSError, match="status 403") as caught:
        read_range(serve(status=403), 0, 10)
    assert "s3cret" not in str(caught.value)
