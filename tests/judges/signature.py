"""Reads a signed request by a library that is not ours: JSON in, whether the signature holds out.

{"method": "POST", "url": "https://...", "headers": {...}, "body": BASE64, "public_key": BASE64}
"""

import base64
import json
import sys
from types import SimpleNamespace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms
from http_message_signatures.exceptions import HTTPMessageSignaturesException

asked = json.load(sys.stdin)


class Key(HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id):
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(asked["public_key"]))


request = SimpleNamespace(method=asked["method"], url=asked["url"], headers=asked["headers"])
verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=Key())
covered = ("@method", "@authority", "@path", "@query", "content-digest")
try:
    [result] = verifier.verify(request, require_components=covered, body=base64.b64decode(asked["body"]))
    print(json.dumps({"parameters": result.parameters}))
except HTTPMessageSignaturesException as error:
    print(json.dumps({"refused": str(error)}))
