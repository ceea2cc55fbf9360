"""Certificates and keys of one deployment: an authority, a server certificate, a key pair for each node; files 0600."""

from __future__ import annotations

import datetime
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_DAYS = 30
_VALID = datetime.timedelta(days=VALID_DAYS)


@dataclass(frozen=True)
class Tls:
    """Files of the server side.

    Attributes:
        authority: Certificate that nodes and the command line trust.
        certificate: The server's.
        key: The server's private key.
    """

    authority: Path
    certificate: Path
    key: Path


def make_tls(folder: Path, host: str = "127.0.0.1", valid: datetime.timedelta = _VALID) -> Tls:
    """Make an authority and a server certificate for one address.

    Args:
        folder: Where the files go; made with mode 0700.
        host: The address that the certificate names, besides ``localhost``.
        valid: How long from now.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = _name("chordsim deployment authority")
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    authority = _certificate(name, name, authority_key, valid).add_extension(constraints, critical=True)
    authority = authority.add_extension(_usage(signs=True), critical=True)
    identity = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    made = authority.add_extension(identity, critical=False).sign(authority_key, hashes.SHA256())
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(host))])
    server = _certificate(_name(host), name, server_key, valid).add_extension(names, critical=False)
    server = server.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    server = server.add_extension(_usage(signs=False), critical=True)
    server = server.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    server = server.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    tls = Tls(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    pem = serialization.Encoding.PEM
    write_private(tls.authority, made.public_bytes(pem))
    write_private(tls.certificate, server.sign(authority_key, hashes.SHA256()).public_bytes(pem))
    form = serialization.PrivateFormat.PKCS8
    write_private(tls.key, server_key.private_bytes(pem, form, serialization.NoEncryption()))
    return tls


def make_node_key(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a node's key pair in OpenSSH's format, the one that Flower reads; return (private, public) files."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP384R1())
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    form = serialization.PrivateFormat.OpenSSH
    write_private(private, key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    write_private(public, key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH))
    return private, public


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, from its first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, valid: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    begun = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    # An hour of grace for clocks that are not quite alike.
    return begun.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + valid)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
