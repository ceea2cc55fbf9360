"""A real SuperLink and real SuperNodes on loopback: who is let in, who is not, and whether the bytes add up."""

import datetime
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
from base64 import b64encode

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from chordsim.cli import main
from chordsim.deploy import deployment as deployment_module
from chordsim.deploy import keys, processes, reconcile
from chordsim.deploy.deployment import deployment, wait_for
from chordsim.errors import InvariantError, RunError

# Keys and certificates


def test_private_files_are_private_from_their_first_byte(tmp_path):
    tls = keys.make_tls(tmp_path / "tls")
    private, public = keys.make_node_key(tmp_path / "keys", "node-0")
    for path in (tls.authority, tls.certificate, tls.key, private, public):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(FileExistsError):
        keys.make_node_key(tmp_path / "keys", "node-0")
    assert load_ssh_private_key(private.read_bytes(), None).curve.name == "secp384r1"
    assert public.read_bytes().startswith(b"ecdsa-sha2-nistp384 ")


def test_the_server_certificate_holds_for_its_address_and_authority_alone(tmp_path):
    tls, other = keys.make_tls(tmp_path / "a"), keys.make_tls(tmp_path / "b")
    certificate = x509.load_pem_x509_certificate(tls.certificate.read_bytes())
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days <= keys.VALID_DAYS
    assert shake(tls, tls.authority, "127.0.0.1") == "TLSv1.3"
    assert shake(tls, tls.authority, "localhost") == "TLSv1.3"
    for authority, name in ((other.authority, "127.0.0.1"), (tls.authority, "10.0.0.1"), (tls.authority, "example.org")):
        with pytest.raises(ssl.SSLCertVerificationError):
            shake(tls, authority, name)


def shake(tls, authority, name):
    """Let a client that trusts an authority meet a server; return what they speak."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tls.certificate, tls.key)
    client = ssl.create_default_context(cafile=authority)
    incoming, outgoing, back, forth = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO()
    left = client.wrap_bio(incoming, outgoing, server_hostname=name)
    right = serving.wrap_bio(back, forth, server_side=True)
    for _ in range(6):
        for side, out, into in ((left, outgoing, back), (right, forth, incoming)):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
            into.write(out.read())
    return left.version()


def test_a_certificate_that_has_expired_is_refused(tmp_path):
    tls = keys.make_tls(tmp_path / "tls", valid=-datetime.timedelta(minutes=1))
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
        shake(tls, tls.authority, "127.0.0.1")


# Processes


def test_a_process_is_stopped_with_its_children_by_its_id(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "GRACE_S", 0.5)
    monkeypatch.setattr(processes, "program", lambda name: name)
    code = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); print(child.pid, flush=True); time.sleep(600)"
    )
    stubborn = processes.start("stubborn", [sys.executable, "-c", code], tmp_path, os.environ)
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        wait_for(lambda: bool(stubborn.log.read_text()), "the child", 20)
        child = int(stubborn.log.read_text())
        processes.stop([stubborn])
        assert stubborn.popen.returncode == -signal.SIGKILL
        # Its death is certain now, its burial is init's.
        wait_for(lambda: ended(child), "the child's end", 5)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def ended(pid):
    try:
        return psutil.Process(pid).status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return True


def test_free_ports_are_distinct():
    assert len(set(processes.free_ports(8))) == 8


def test_a_program_that_is_not_installed():
    with pytest.raises(RunError, match="no-such-program is not installed"):
        processes.program("no-such-program")


# Bytes

CARRIED = {
    "messages_down": 10,
    "messages_up": 10,
    "wire_down_bytes": 100,
    "wire_up_bytes": 50,
    "records_down_bytes": 5000,
    "records_up_bytes": 900,
}


def test_bytes_reconcile_and_the_rest_is_flowers():
    ways = reconcile.reconcile({"down_bytes": 100, "up_bytes": 50}, CARRIED, {"outbound-bytes": 15_000, "inbound-bytes": 5900})
    down = ways["down"]
    assert (down.ledger_bytes, down.beside_bytes, down.flower_bytes, down.overhead_bytes) == (100, 4900, 10_000, 1000.0)
    assert ways["up"].ledger_bytes + ways["up"].beside_bytes + ways["up"].flower_bytes == 5900


@pytest.mark.parametrize(("down", "outbound"), [(101, 15_000), (100, 5000), (100, 10**9)])
def test_bytes_that_do_not_reconcile_are_a_bug(down, outbound):
    with pytest.raises(InvariantError):
        reconcile.reconcile({"down_bytes": down, "up_bytes": 50}, CARRIED, {"outbound-bytes": outbound, "inbound-bytes": 5900})


@pytest.mark.parametrize("nodes", ["0", "65", "-3", "x"])
def test_how_many_nodes_is_the_users_mistake(nodes, capsys):
    assert main(["deploy", "offline", "--nodes", nodes]) == 2


# The real thing


def children():
    return {p.pid for p in psutil.Process().children(recursive=True)}


@pytest.mark.slow
def test_three_nodes_two_rounds_and_the_same_ledger_as_in_process(tiny, tmp_path):
    from chordsim.api import run
    from chordsim.deploy.deploy import deploy

    overrides = tiny("rounds.count=2", methods=("chord-plus",))
    before = children()
    done = deploy("offline", nodes=3, overrides=overrides, out=tmp_path / "run", logs=tmp_path / "logs")
    assert children() <= before, "whatever was started was stopped"
    assert not list((tmp_path / "logs").rglob("*.key")), "keys go when the run ends"
    assert done.result.manifest["status"] == "complete"
    alone = run("offline", overrides=[*overrides, "population.devices=3", "engine.chunk_size=1", "engine.cells=3"], out=tmp_path / "alone")
    assert done.result.manifest["ledger_sha256"] == alone.manifest["ledger_sha256"]
    for way in done.ways.values():
        assert way.ledger_bytes > 0
        assert 0 < way.overhead_bytes < 4096
    assert done.result.summary["deployment"]["nodes"] == 3


@pytest.mark.slow
def test_who_is_not_let_in(tmp_path):
    with deployment(tmp_path / "lab", keep=True) as link:
        private, public = keys.make_node_key(link.folder / "keys", "registered")
        link.flower.register(public)
        stranger, _ = keys.make_node_key(link.folder / "keys", "stranger")
        foreign = keys.make_tls(tmp_path / "foreign")
        unregistered = link.start_node(0, 4, stranger)
        wrong_certificate = link.start_node(1, 4, private, foreign.authority)
        plain = processes.start(
            "plain",
            [
                "flower-supernode",
                "--insecure",
                "--superlink",
                link.address,
                "--max-retries",
                "2",
                "--port",
                str(processes.free_ports(1)[0]),
            ],
            link.folder,
            link.environment,
        )
        link.running.append(plain)
        junk = tmp_path / "junk.key"
        keys.write_private(junk, b"not a key")
        wrong_key = link.start_node(2, 4, junk)
        wait_for(lambda: unregistered.ended and wrong_key.ended, "strangers to be turned away", 120)
        assert unregistered.popen.returncode != 0
        assert wrong_key.popen.returncode != 0
        time.sleep(15)
        assert link.flower.online() == 0, "nobody is in"
        host, port = link.address.split(":")
        with socket.create_connection((host, int(port)), 10) as plain_http:
            plain_http.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = plain_http.recv(64)
        assert not answer.startswith(b"HTTP/1.1 200")
        # The one that was registered comes in, so the door was not simply shut.
        assert answer_to(link, private, datetime.timedelta(minutes=-10)) == 401, "a recorded call of ten minutes ago"
        let_in = link.start_node(3, 4, private)
        wait_for(lambda: link.flower.online() == 1, "the registered node", 120)
        assert not let_in.ended
        # The same key once more, by another process: the node is there already.
        assert answer_to(link, private, datetime.timedelta()) not in (200, 401)
        doubled = link.start_node(0, 4, private)
        wait_for(lambda: doubled.ended or "activat" in doubled.log.read_text().lower(), "the doubled node to be turned away", 120)
        assert link.flower.online() == 1 and not let_in.ended
        said = wrong_certificate.log.read_text().lower()
        assert "certificate" in said or "ssl" in said


def answer_to(link, private, age):
    """Ask to be let in with a registered key and a signature of some time ago; return HTTP's status."""
    import httpx
    from flwr.common.constant import TIMESTAMP_HEADER
    from flwr.proto.fleet_pb2 import ActivateNodeRequest
    from flwr.supercore.constant import FLEET_HTTP_SIGNATURE_HEADER
    from flwr.supercore.primitives.asymmetric import public_key_to_bytes, sign_message
    from flwr.supernode.fleet_http_client import FleetHttpClient
    from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

    key = load_ssh_private_key(private.read_bytes(), None)

    class Old(NodeAuthHttpInterceptor):
        """What is signed as if it had been recorded then."""

        def intercept(self, context, call_next):
            def resigned(context):
                stamp = (datetime.datetime.now(datetime.UTC) + age).isoformat()
                signature = sign_message(key, stamp.encode("ascii"))
                context.request.headers[TIMESTAMP_HEADER] = stamp
                context.request.headers[FLEET_HTTP_SIGNATURE_HEADER] = b64encode(signature).decode("ascii")
                return call_next(context)

            return super().intercept(context, resigned)

    public = key.public_key()
    old = Old(key, public)
    with FleetHttpClient.from_server_address(link.address, False, link.tls.authority.read_bytes(), [old]) as client:
        try:
            client.ActivateNode(ActivateNodeRequest(public_key=public_key_to_bytes(public), heartbeat_interval=30.0))
        except httpx.HTTPStatusError as error:
            return error.response.status_code
    return 200


@pytest.mark.slow
def test_nobody_talks_to_a_superlink_whose_certificate_has_expired(tmp_path, monkeypatch):
    made, free, wait, ports = keys.make_tls, processes.free_ports, deployment_module.wait_for, []

    def told(*given):
        ports.extend(free(*given))
        return ports[-given[0] :]

    def served():
        try:
            plain = socket.create_connection(("127.0.0.1", ports[0]), 5)
            ssl.create_default_context(cafile=tmp_path / "lab" / "tls" / "authority.pem").wrap_socket(plain, server_hostname="127.0.0.1")
        except ssl.SSLCertVerificationError as error:
            return "expired" in str(error)
        except OSError:
            return False
        return False

    def waited(ready, what, limit_s):
        wait(served, "an expired certificate", limit_s)
        wait(ready, what, 5)

    monkeypatch.setattr(keys, "make_tls", lambda folder, host: made(folder, host, -datetime.timedelta(minutes=1)))
    monkeypatch.setattr(processes, "free_ports", told)
    monkeypatch.setattr(deployment_module, "wait_for", waited)
    with pytest.raises(RunError, match="the SuperLink: not ready within 5 s: .*unavailable"), deployment(tmp_path / "lab", keep=True):
        pytest.fail("somebody was let in")
    assert not list((tmp_path / "lab").rglob("*.key"))
