"""The payload of 10 MB as a client in Python seals and opens it, with `cryptography`: what `suvidha-bench parts` compares with.

Prints one line of JSON: the seconds of each round, and the SHA-256 of `data`, which must be ours.
"""

import base64
import hashlib
import hmac
import json
import platform
import time

import cryptography
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ROUNDS = 15
KEY = bytes([7] * 32)
INVOICE = b'{"inum":"S008400","idt":"24-11-2026","val":729248.16,"pos":"06","rchrg":"N","inv_typ":"R"},'
JSON = (INVOICE * (10_000_000 // len(INVOICE) + 1))[:10_000_000]


def seal(key, payload):
    text = base64.b64encode(payload)
    pad, aes = padding.PKCS7(128).padder(), Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    sealed = aes.update(pad.update(text) + pad.finalize()) + aes.finalize()
    return base64.b64encode(sealed), base64.b64encode(hmac.new(key, text, hashlib.sha256).digest())


def open_sealed(key, data, mac):
    unpad, aes = padding.PKCS7(128).unpadder(), Cipher(algorithms.AES(key), modes.ECB()).decryptor()
    text = unpad.update(aes.update(base64.b64decode(data, validate=True)) + aes.finalize()) + unpad.finalize()
    if not hmac.compare_digest(hmac.new(key, text, hashlib.sha256).digest(), base64.b64decode(mac)):
        raise ValueError("hmac")
    return base64.b64decode(text, validate=True)


def timed(work, *arguments):
    begun = time.perf_counter()
    done = work(*arguments)
    return time.perf_counter() - begun, done


sealing, opening = [], []
for _ in range(ROUNDS):
    took, (data, mac) = timed(seal, KEY, JSON)
    sealing.append(took)
    took, opened = timed(open_sealed, KEY, data, mac)
    opening.append(took)
    assert opened == JSON
versions = f"Python {platform.python_version()}, cryptography {cryptography.__version__}"
print(json.dumps({"what": versions, "sha256": hashlib.sha256(data).hexdigest(), "seal": sealing, "open": opening}))
