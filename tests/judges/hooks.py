"""Signs each request that schemathesis makes as the device in the file LASTKEY_DEVICE: {"id": ..., "key": BASE64}.

Written after RFC 9421 and RFC 9530, not after our code.
"""

import base64
import hashlib
import json
import os
import time
import urllib.parse

import requests.auth
import schemathesis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

with open(os.environ["LASTKEY_DEVICE"]) as file:
    device = json.load(file)
key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(device["key"]))


def encode(data):
    return base64.b64encode(data).decode()


class Device(requests.auth.AuthBase):
    def __call__(self, request):
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        if not isinstance(body, bytes):
            return request  # A stream, which nobody can sign.
        url = urllib.parse.urlsplit(request.url)
        digest = f"sha-256=:{encode(hashlib.sha256(body).digest())}:"
        parameters = (
            '("@method" "@authority" "@path" "@query" "content-digest")'
            f';created={int(time.time())};nonce="{encode(os.urandom(16))}";keyid="{device["id"]}";alg="ed25519"'
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
        request.headers["Signature"] = f"sig=:{encode(key.sign(base.encode()))}:"
        return request


schemathesis.auth.set_from_requests(Device())
