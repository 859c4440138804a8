#!/usr/bin/env python3
"""GetKey in one file, to be copied: open a session at the GSP, call with it, renew it.

    python3 getkey.py                           the demonstration at the end of this file
    python3 getkey.py --selftest vectors.json   the known answers, without a network

Needs Python 3.9 and `cryptography` (pip install cryptography, or apt-get install python3-cryptography). Settings are
environment variables; secrets do not belong on a command line, which every user of the machine can read:

    SUVIDHA_GATEWAY      where the GSP listens, such as https://gsp.example.in
    SUVIDHA_ASPID        the ten digits
    SUVIDHA_ASP_SECRET   the 32 characters of the ASP secret; the account password is something else
    SUVIDHA_ASP_KEY      a PEM file: the private key whose certificate the GSP has registered
    SUVIDHA_CA           optional, a PEM file: the CA of the gateway's TLS certificate, if it is a private one
    SUVIDHA_GSTIN        optional: whom to search
"""

import base64
import json
import os
import secrets
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

IST = timezone(timedelta(hours=5, minutes=30))
MARGIN = 60  # A session is replaced so many seconds before it ends.


class Refused(Exception):
    """The GSP, or GSTN behind it, said no."""

    def __init__(self, status, reply):
        error = reply.get("error") or {}
        self.error_cd = error.get("error_cd", "-")
        message = error.get("message") or reply.get("message")
        remedy = f"\nremedy: {error['remedy']}" if "remedy" in error else ""
        super().__init__(f"{self.error_cd} (HTTP {status}) {message}{remedy}")


def aes_encrypt(key, plain):
    pad = padding.PKCS7(128).padder()  # 32 bytes become 48: whole blocks get one more block of padding.
    aes = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return aes.update(pad.update(plain) + pad.finalize()) + aes.finalize()


def aes_decrypt(key, sealed):
    aes, unpad = Cipher(algorithms.AES(key), modes.ECB()).decryptor(), padding.PKCS7(128).unpadder()
    return unpad.update(aes.update(sealed) + aes.finalize()) + unpad.finalize()


def new_timestamp():
    """ddMMyyyyHHmmss in IST, whatever the zone of this machine, and a tail that makes it unique."""
    return datetime.now(IST).strftime("%d%m%Y%H%M%S") + secrets.token_hex(3)


def sign(key, aspid, timestamp):
    """RSA, PKCS#1 v1.5, SHA-256: over the aspid, then the timestamp, with nothing in between."""
    return base64.b64encode(key.sign((aspid + timestamp).encode(), PKCS1v15(), hashes.SHA256())).decode()


def open_session_key(secret, reply):
    """AES-256 under the secret as it is written, not decoded from base64. While the GSP changes a secret, enc_key is
    under the old one and enc_key_next under the new one."""
    for name in ("enc_key", "enc_key_next"):
        try:
            session_key = aes_decrypt(secret.encode(), base64.b64decode(reply.get(name, "")))
        except ValueError:
            continue
        if len(session_key) == 32:
            return session_key
    raise ValueError("enc_key does not open: SUVIDHA_ASP_SECRET is not the ASP secret of this environment")


def asp_secret_header(session_key, secret):
    """What proves us on each call: the secret, under the session key."""
    return base64.b64encode(aes_encrypt(session_key, secret.encode())).decode()


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None  # Our headers are for the GSP alone.


class Gsp:
    """Calls, and the session they need. One session serves all calls, parallel ones too: share one `Gsp`."""

    def __init__(self, url, aspid, secret, key, ca=None):
        self.url, self.aspid, self.secret, self.key = url.rstrip("/"), aspid, secret, key
        if len(secret.encode()) != 32:
            raise ValueError("SUVIDHA_ASP_SECRET must have 32 characters")
        https = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca))
        self.http = urllib.request.build_opener(https, NoRedirects)
        self.opening, self.session, self.ends = threading.Lock(), None, 0

    def call(self, method, path, headers=None, body=None):
        """Any API. GSP022 says that the session ended early; a new one mends that."""
        session = self.live_session()
        try:
            return self.exchange(method, path, {**(headers or {}), **session}, body)
        except Refused as refused:
            if refused.error_cd != "GSP022":
                raise
        return self.exchange(method, path, {**(headers or {}), **self.live_session(ended=session)}, body)

    def live_session(self, ended=None):
        """The headers that say who we are. One thread opens a session, the others find it."""
        with self.opening:
            if self.session is ended or time.time() > self.ends - MARGIN:
                self.getkey()
            return self.session

    def getkey(self):
        timestamp = new_timestamp()  # A signed message serves once.
        body = {"timestamp": timestamp, "signed_content": sign(self.key, self.aspid, timestamp)}
        reply = self.exchange("POST", "/aspapi/v1.0/getKey", {"aspid": self.aspid}, body)
        header = asp_secret_header(open_session_key(self.secret, reply), self.secret)
        # Short-lived processes keep these two, as private as the secret, and take them up again.
        self.session = {"aspid": self.aspid, "session-id": reply["session_id"], "asp-secret": header}
        self.ends = time.time() + 60 * int(reply["validity_min"])
        print(f"session_id={reply['session_id']} validity_min={reply['validity_min']}")

    def exchange(self, method, path, headers, body=None):
        headers = {"content-type": "application/json", "txn": secrets.token_hex(16), **headers}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with self.http.open(request, timeout=30) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as answer:
            status, text = answer.code, answer.read()
        except urllib.error.URLError as failure:
            raise OSError(f"no answer from {self.url}: {failure.reason}") from failure
        try:
            reply = json.loads(text)
        except ValueError:
            reply = {"status_cd": "0", "message": "The answer is no JSON: was it the GSP who answered?"}
        if status >= 300 or reply.get("status_cd") == "0":
            raise Refused(status, reply)
        return reply


def setting(name):
    return os.environ.get(name) or sys.exit(f"error: {name} is missing")


def load_key():
    path = setting("SUVIDHA_ASP_KEY")
    with open(path, "rb") as file:
        pem = file.read()
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except (TypeError, ValueError) as failure:
        raise ValueError(f"{path} holds no private key in PEM, or one with a passphrase: {failure}") from failure


def demonstrate():
    url, aspid, secret = setting("SUVIDHA_GATEWAY"), setting("SUVIDHA_ASPID"), setting("SUVIDHA_ASP_SECRET")
    gsp = Gsp(url, aspid, secret, load_key(), os.environ.get("SUVIDHA_CA"))
    gstin = os.environ.get("SUVIDHA_GSTIN", "29DEMOS1234D1ZG")
    # What GSTN wants of a call; for a taxpayer's own data add `username`, `auth-token` and `ret_period`.
    headers = {"gstin": gstin, "state-cd": gstin[:2], "ip-usr": "127.0.0.1"}

    def search():
        reply = gsp.call("GET", f"/commonapi/v1.1/search?action=TP&gstin={gstin}", headers)
        print(f"search status_cd={reply['status_cd']}")

    search()
    gsp.ends = time.time()  # As if hours had passed: the next call finds its session about to end.
    search()


def selftest(path):
    with open(path, encoding="utf-8") as file:
        known = json.load(file)
    key, aspid, secret = load_key(), known["aspid"], known["asp_secret"]
    session_key = open_session_key(secret, {"enc_key": "AAAA", "enc_key_next": known["enc_key"]})
    made = {"session key": (base64.b64encode(session_key).decode(), known["session_key_b64"])}
    made["asp-secret"] = (asp_secret_header(session_key, secret), known["asp_secret_header"])
    for one in known["signatures"]:
        made[one["timestamp"]] = (sign(key, aspid, one["timestamp"]), one["signed_content"])
    for what, (ours, theirs) in made.items():
        print("ok" if ours == theirs else "WRONG", what)
    return int(any(ours != theirs for ours, theirs in made.values()))


if __name__ == "__main__":
    try:
        sys.exit(selftest(sys.argv[2]) if sys.argv[1:2] == ["--selftest"] else demonstrate())
    except (Refused, ValueError, OSError) as failure:
        sys.exit(f"error: {failure}")
