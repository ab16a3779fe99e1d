"""Signs each request that schemathesis makes, and tells it what no schema says: who it is, and what there is.

LASTKEY_KNOWN names a file with a device that is let in and one that waits ({"id": ..., "key": BASE64}), the login that
it waits for, a record that the server takes, and the ID of one that it has. How each operation was answered is added to
the file LASTKEY_ANSWERS. Written after RFC 9421 and RFC 9530, not after our code.
"""

import base64
import binascii
import collections
import hashlib
import json
import os
import re
import time
import urllib.parse

import requests.auth
import schemathesis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

with open(os.environ["LASTKEY_KNOWN"]) as file:
    known = json.load(file)
LOGINS = "/api/v1/device-logins"


def encode(data):
    return base64.b64encode(data).decode()


class Signer:
    def __init__(self, of):
        self.id = of["id"]
        self.key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(of["key"]))


device, stranger = Signer(known["device"]), Signer(known["stranger"])


class Device(requests.auth.AuthBase):
    def __call__(self, request):
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        if not isinstance(body, bytes):
            return request  # A stream, which nobody can sign.
        url = urllib.parse.urlsplit(request.url)
        # Who waits to be let in signs with the key that they show, and is called by it.
        signer = stranger if url.path.startswith(LOGINS) else device
        digest = f"sha-256=:{encode(hashlib.sha256(body).digest())}:"
        parameters = (
            '("@method" "@authority" "@path" "@query" "content-digest")'
            f';created={int(time.time())};nonce="{encode(os.urandom(16))}";keyid="{signer.id}";alg="ed25519"'
        )
        base = "\n".join([
            f'"@method": {request.method}',
            f'"@authority": {url.netloc.lower()}',
            f'"@path": {url.path}',
            f'"@query": ?{url.query}',
            f'"content-digest": {digest}',
            f'"@signature-params": {parameters}',
        ])
        request.headers["Content-Digest"] = digest
        request.headers["Signature-Input"] = f"sig={parameters}"
        request.headers["Signature"] = f"sig=:{encode(signer.key.sign(base.encode()))}:"
        return request


schemathesis.auth.set_from_requests(Device())


def is_key(text):
    try:
        return isinstance(text, str) and len(base64.b64decode(text, validate=True)) == 32
    except (binascii.Error, ValueError):
        return False


def is_record(body):
    return isinstance(body, dict) and set(known["record"]) == set(body)


def is_allowed(case):
    return case.meta is not None and case.meta.generation.mode == schemathesis.GenerationMode.POSITIVE


seen = collections.Counter()


@schemathesis.hook
def before_call(context, case, kwargs):
    """What has the right form is, every other time, what there is. What has not is left as it was made."""
    operation = f"{case.operation.method.upper()} {case.operation.path}"
    seen[operation] += 1
    path, query, body = case.path_parameters or {}, case.query or {}, case.body
    # Nobody can sign with the key of another: it is always ours.
    if operation == f"POST {LOGINS}" and isinstance(body, dict) and is_key(body.get("public_key")):
        body["public_key"] = stranger.id
    if seen[operation] % 2:
        return
    if operation == f"GET {LOGINS}/{{id}}" and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(path.get("id"))):
        path["id"] = known["login"]
    elif operation == "GET /api/v1/records/{id}/receipt" and re.fullmatch(r"[0-9a-f]{64}", str(path.get("id"))):
        path["id"] = known["receipt"]
    elif operation == "POST /api/v1/records" and is_record(body) and is_allowed(case):
        body.update(known["record"])
    elif operation.startswith("GET /api/v1/audit/") and is_allowed(case):
        # The log is short, and most numbers are none of its places.
        query.update({name: 0 if name != "to" else 1 for name in query if name in ("from", "to", "leaf")})


@schemathesis.hook
def after_call(context, case, response):
    with open(os.environ["LASTKEY_ANSWERS"], "a") as answers:
        answers.write(f"{case.operation.method.upper()} {case.operation.path} {response.status_code}\n")
