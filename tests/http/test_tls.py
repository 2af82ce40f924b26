"""TLS on loopback, with certificates made here."""

import asyncio
import contextlib
import hashlib
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
import trustme

from perfectpay_async import (
    AttemptTimeout,
    ConfigurationError,
    ConnectError,
    GaveUp,
    Outcome,
    PerfectPayError,
    TlsError,
)
from perfectpay_async.http.aiohttp_transport import AiohttpTransport

pytestmark = pytest.mark.usefixtures("quiet_loop", "way", "own_answers")


@pytest.fixture(scope="module")
def authority():
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.issue_cert("localhost", key_type=trustme.KeyType.ECDSA)


@pytest.fixture
def trusting(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


class TlsServer:
    def __init__(self, raw_server):
        self.raw_server = raw_server
        self.handshakes = 0
        self.servers = []

    async def open(self, certificate, **settings):
        """Start to serve with a certificate, and return the address."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        for name, value in settings.items():
            setattr(context, name, value)
        context.sni_callback = self.count
        return await self.listen(self.raw_server._serve, ssl=context)

    async def listen(self, serve, **settings):
        server = await asyncio.start_server(serve, "127.0.0.1", 0, **settings)
        self.servers.append(server)
        return f"https://localhost:{server.sockets[0].getsockname()[1]}"

    def count(self, *_hello):
        self.handshakes += 1


@pytest.fixture
async def tls_server(raw_server):
    server = TlsServer(raw_server)
    yield server
    for each in server.servers:
        each.close()


def fingerprint_of(certificate):
    pem = certificate.cert_chain_pems[0].bytes().decode()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest()


def refuse_all(listener, context):
    """Serve handshakes, none of which succeeds, until the listener is shut down."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with (
            connection.dup() as raw,
            context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            ) as secured,
        ):
            with pytest.raises(ssl.SSLError):
                secured.do_handshake()
            raw.shutdown(socket.SHUT_WR)
            raw.settimeout(60)
            with contextlib.suppress(ConnectionError):
                while raw.recv(1000):
                    pass


async def refusal_by(client):
    with pytest.raises(PerfectPayError) as caught:
        await client.payment_methods.retrieve("pm_1")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert caught.value.outcome is Outcome.NOT_SENT
    return caught.value


async def check_that_nothing_is_sent_or_repeated(client, tls_server):
    error = await refusal_by(client)
    assert type(error) is TlsError
    assert not error.is_retryable
    assert error.gave_up is GaveUp.NOT_RETRYABLE
    assert len(error.attempts) == 1
    assert tls_server.handshakes == 1
    assert tls_server.raw_server.requests == []


class TestTrust:
    async def test_a_private_authority(self, open_client, tls_server, certificate, trusting):
        client = open_client(base_url=await tls_server.open(certificate), ssl_context=trusting)
        for name in ("pm_1", "pm_2"):
            assert (await client.payment_methods.retrieve(name)).payment_method_id == name
        assert tls_server.handshakes == 1
        (connection,) = client._transport._session.connector._open.values()
        assert connection._ssl_protocol.max_size == 64 * 1024  # more, and the kernel is asked

    async def test_an_unknown_authority(self, open_client, tls_server, certificate):
        client = open_client(base_url=await tls_server.open(certificate))
        await check_that_nothing_is_sent_or_repeated(client, tls_server)

    async def test_another_host(self, open_client, tls_server, authority, trusting):
        certificate = authority.issue_cert("pay.example.com")
        client = open_client(base_url=await tls_server.open(certificate), ssl_context=trusting)
        await check_that_nothing_is_sent_or_repeated(client, tls_server)

    async def test_an_expired_certificate(self, open_client, tls_server, authority, trusting):
        yesterday = datetime.now(UTC) - timedelta(days=1)
        certificate = authority.issue_cert(
            "localhost", not_before=yesterday - timedelta(days=1), not_after=yesterday
        )
        client = open_client(base_url=await tls_server.open(certificate), ssl_context=trusting)
        await check_that_nothing_is_sent_or_repeated(client, tls_server)

    async def test_a_create_is_not_sent_either(self, open_client, tls_server, certificate):
        client = open_client(base_url=await tls_server.open(certificate))
        with pytest.raises(TlsError) as caught:
            await client.request("POST", "/payment_methods", json={})
        assert caught.value.outcome is Outcome.NOT_SENT


class TestServersThatHangUp:
    @pytest.mark.parametrize(
        "head",
        [b"Connection: close\r\nContent-Length: 28\r\n", b"Connection: close\r\n", b""],
        ids=["length and close", "close", "nothing"],
    )
    async def test_an_answer_before_the_end_of_the_connection_is_an_answer(
        self, open_client, raw_server, tls_server, certificate, trusting, head
    ):
        async def handler(reader, writer):
            await raw_server.read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\n%s\r\n" % head)
            writer.write(b'{"payment_method_id":"pm_1"}')

        raw_server.handler = handler
        client = open_client(base_url=await tls_server.open(certificate), ssl_context=trusting)
        for _ in range(3):
            method = await client.payment_methods.update("pm_1", nick_name="Jane")
            assert method.payment_method_id == "pm_1"
        assert len(raw_server.requests) == tls_server.handshakes == 3


class TestHandshake:
    async def test_one_that_stalls_is_a_connect_timeout(self, open_client, tls_server, trusting):
        async def stall(reader, writer):
            try:
                await reader.read()
            finally:
                writer.close()

        client = open_client(
            base_url=await tls_server.listen(stall), ssl_context=trusting, connect_timeout=0.1
        )
        error = await refusal_by(client)
        assert type(error) is ConnectError  # long before the end of the attempt

    async def test_one_that_stalls_ends_with_the_attempt(self, open_client, tls_server, trusting):
        async def stall(reader, writer):
            try:
                await reader.read()
            finally:
                writer.close()

        client = open_client(
            base_url=await tls_server.listen(stall), ssl_context=trusting, attempt_timeout=0.1
        )
        error = await refusal_by(client)
        assert type(error) is AttemptTimeout  # long before connecting takes too long

    async def test_one_that_breaks_off_is_a_failed_connection(
        self, open_client, tls_server, trusting
    ):
        async def hang_up(reader, writer):
            await reader.read(10)
            writer.transport.abort()

        client = open_client(base_url=await tls_server.listen(hang_up), ssl_context=trusting)
        error = await refusal_by(client)
        assert type(error) is ConnectError
        assert len(error.attempts) == 3


class TestClientCertificate:
    @pytest.fixture
    def demanding(self, authority, certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
        certificate.configure_cert(context)
        return context

    @pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
    def refusing(self, request, demanding):
        """A server that says why it ends a handshake, which asyncio's own servers do not."""
        demanding.maximum_version = request.param
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=refuse_all, args=(listener, demanding))
            thread.start()
            yield f"https://localhost:{listener.getsockname()[1]}"
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()

    async def test_it_is_shown(self, open_client, tls_server, demanding, authority, trusting):
        url = await tls_server.listen(tls_server.raw_server._serve, ssl=demanding)
        authority.issue_cert("me@example.com").configure_cert(trusting)
        client = open_client(base_url=url, ssl_context=trusting)
        method = await client.payment_methods.retrieve("pm_1")
        assert method.payment_method_id == "pm_1"

    @pytest.mark.parametrize("shown", [None, "stranger"])
    async def test_a_server_that_refuses_it_is_a_tls_error(
        self, open_client, refusing, trusting, shown
    ):
        if shown:
            trustme.CA().issue_cert("me@example.com").configure_cert(trusting)
        for _ in range(5):
            error = await refusal_by(open_client(base_url=refusing, ssl_context=trusting))
            assert type(error) is TlsError
            assert len(error.attempts) == 1


class TestFingerprint:
    @pytest.fixture
    def pinned(self, open_client):
        def make(url, fingerprint, context=None):
            transport = AiohttpTransport(fingerprint=fingerprint, ssl_context=context)
            return open_client(base_url=url, transport=transport)

        return make

    async def test_the_right_one(self, pinned, tls_server, certificate, trusting):
        url = await tls_server.open(certificate)
        client = pinned(url, fingerprint_of(certificate), trusting)
        for name in ("pm_1", "pm_2"):
            assert (await client.payment_methods.retrieve(name)).payment_method_id == name
        assert tls_server.handshakes == 1

    async def test_another_one(self, pinned, tls_server, certificate, authority, trusting):
        url = await tls_server.open(certificate)
        client = pinned(url, fingerprint_of(authority.issue_cert("localhost")), trusting)
        await check_that_nothing_is_sent_or_repeated(client, tls_server)

    async def test_it_does_not_replace_the_other_checks(self, pinned, tls_server, certificate):
        url = await tls_server.open(certificate)
        client = pinned(url, fingerprint_of(certificate))
        await check_that_nothing_is_sent_or_repeated(client, tls_server)

    async def test_nothing_is_sent_without_tls(self, pinned, raw_server, certificate):
        error = await refusal_by(pinned(raw_server.url, fingerprint_of(certificate)))
        assert type(error) is TlsError
        assert raw_server.requests == []

    @pytest.mark.parametrize("fingerprint", [b"", bytes(31), bytes(20), "a" * 32, 7])
    def test_a_wrong_form_is_refused(self, fingerprint):
        with pytest.raises(ConfigurationError, match="fingerprint must be the SHA-256"):
            AiohttpTransport(fingerprint=fingerprint)

    @pytest.mark.parametrize(
        "settings", [{"fingerprint": bytes(32)}, {"ssl_context": ssl.create_default_context()}]
    )
    async def test_it_is_never_silently_without_effect(self, settings):
        async with aiohttp.ClientSession() as session:
            with pytest.raises(ConfigurationError, match="no effect on a session"):
                AiohttpTransport(session=session, **settings)


class TestThroughAProxy:
    """The tunnel of a proxy is as good as a connection: the same checks hold at its far end."""

    @pytest.fixture
    async def proxy(self, tls_server):
        """A proxy that leads to the TLS server, whatever it is asked for."""
        heads = []

        async def tunnel(reader, writer):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            port = tls_server.servers[0].sockets[0].getsockname()[1]
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            try:
                await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
            finally:
                writer.close()
                far_writer.close()

        server = await asyncio.start_server(tunnel, "127.0.0.1", 0)
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads
        server.close()

    @pytest.fixture
    def remote(self, authority):
        return authority.issue_cert("pay.example.com", key_type=trustme.KeyType.ECDSA)

    @pytest.fixture
    def through(self, open_client, proxy):
        def make(**settings):
            transport = AiohttpTransport(proxy=proxy[0], **settings)
            return open_client(base_url="https://pay.example.com", transport=transport)

        return make

    async def test_the_proxy_sees_no_key(self, through, proxy, tls_server, remote, trusting):
        await tls_server.open(remote)
        client = through(ssl_context=trusting, fingerprint=fingerprint_of(remote))
        for name in ("pm_1", "pm_2"):
            assert (await client.payment_methods.retrieve(name)).payment_method_id == name
        (head,) = proxy[1]
        assert head.startswith(b"CONNECT pay.example.com:443 HTTP/1.1\r\n")
        assert b"api-key" not in head.lower()
        assert b"api-key: snd_planted" in tls_server.raw_server.requests[0]

    async def test_an_unknown_authority(self, through, tls_server, remote):
        await tls_server.open(remote)
        await check_that_nothing_is_sent_or_repeated(through(), tls_server)

    async def test_another_fingerprint(self, through, tls_server, remote, trusting):
        await tls_server.open(remote)
        client = through(ssl_context=trusting, fingerprint=bytes(32))
        await check_that_nothing_is_sent_or_repeated(client, tls_server)


async def pump(reader, writer):
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()
