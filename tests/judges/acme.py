"""An ACME server (serles) with a certificate authority of its own, on loopback.

Usage: acme.py FOLDER NAME TARGET-PORT
It writes FOLDER/ca.pem, says on a line of JSON at which port it serves HTTPS, and ends with its input. Where ACME goes
to NAME:443 it goes to 127.0.0.1:TARGET-PORT: what DNS and a router do elsewhere.
"""

import datetime
import json
import os
import signal
import socket
import sys
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

folder, name, target = sys.argv[1], sys.argv[2], int(sys.argv[3])
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
now = datetime.datetime.now(datetime.timezone.utc)
day = datetime.timedelta(days=1)


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


class Authority:
    """Signs what was proven."""

    def __init__(self, _config=None):
        if not hasattr(Authority, "key"):
            Authority.key = ec.generate_private_key(ec.SECP256R1())
            Authority.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
            Authority.root = self.certificate(
                Authority.name, Authority.key.public_key(), x509.BasicConstraints(True, None)
            )

    def certificate(self, subject, key, *extensions):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(Authority.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + 90 * day)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(Authority.key, hashes.SHA256())

    def sign(self, csr, _subject, names, _mail):
        request = x509.load_pem_x509_csr(csr if isinstance(csr, bytes) else csr.encode())
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        return pem(self.certificate(request.subject, request.public_key(), names)) + pem(Authority.root), None


connect = socket.create_connection
socket.create_connection = lambda address, *rest, **more: connect(
    ("127.0.0.1", target) if address == (name, 443) else address, *rest, **more
)

authority = Authority()
with open(os.path.join(folder, "ca.pem"), "w") as file:
    file.write(pem(authority.root))
own = ec.generate_private_key(ec.SECP256R1())
host = x509.SubjectAlternativeName([x509.DNSName("localhost")])
with open(os.path.join(folder, "acme.pem"), "wb") as file:
    file.write(pem(authority.certificate(x509.Name([]), own.public_key(), host)).encode())
    file.write(
        own.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
config = os.path.join(folder, "serles.ini")
with open(config, "w") as file:
    file.write(
        "[serles]\nbackend = acme_authority:Authority\ndatabase = sqlite:///%s/serles.sqlite\n"
        "subjectNameTemplate = CN={SAN[0]}\nallowWildcards = false\nverifyPTR = false\n" % folder
    )
os.environ["CONFIG"] = config
module = type(sys)("acme_authority")
module.Authority = Authority
sys.modules["acme_authority"] = module

import serles  # noqa: E402

from gunicorn.app.base import BaseApplication  # noqa: E402


class Served(BaseApplication):
    """Serles under gunicorn, which ends TLS connections as it should."""

    def load_config(self):
        pair = os.path.join(folder, "acme.pem")
        settings = {"bind": "127.0.0.1:%d" % port, "certfile": pair, "keyfile": pair, "threads": 4}
        settings["control_socket_disable"] = True
        settings["loglevel"] = "error"
        settings["when_ready"] = lambda _server: print(json.dumps({"port": port}), flush=True)
        for key, value in settings.items():
            if key in self.cfg.settings:
                self.cfg.set(key, value)

    def load(self):
        app = serles.create_app()

        def headless(environ, start):
            def begin(status, headers, *rest):
                # What a HEAD leaves out some clients wait for.
                if environ["REQUEST_METHOD"] == "HEAD":
                    headers = [(key, value) for key, value in headers if key.lower() != "content-length"]
                return start(status, headers, *rest)

            return app(environ, begin)

        return headless


def end():
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


threading.Thread(target=end, daemon=True).start()
Served().run()
