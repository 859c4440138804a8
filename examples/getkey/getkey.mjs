#!/usr/bin/env node
// GetKey in one file, to be copied: open a session at the GSP, call with it, renew it.
//
//   node getkey.mjs                           the demonstration at the end of this file
//   node getkey.mjs --selftest vectors.json   the known answers, without a network
//
// Needs Node 18, and nothing from npm. Settings are environment variables; secrets do not belong on a command line,
// which every user of the machine can read:
//
//   SUVIDHA_GATEWAY      where the GSP listens, such as https://gsp.example.in
//   SUVIDHA_ASPID        the ten digits
//   SUVIDHA_ASP_SECRET   the 32 characters of the ASP secret; the account password is something else
//   SUVIDHA_ASP_KEY      a PEM file: the private key whose certificate the GSP has registered
//   SUVIDHA_CA           optional, a PEM file: the CA of the gateway's TLS certificate, if it is a private one
//   SUVIDHA_GSTIN        optional: whom to search

import { spawnSync } from 'node:child_process';
import { createCipheriv, createDecipheriv, createPrivateKey, randomBytes, sign as rsaSign } from 'node:crypto';
import { readFileSync } from 'node:fs';

const IST_MS = 330 * 60_000;
const MARGIN_MS = 60_000; // A session is replaced so long before it ends.

/** The GSP, or GSTN behind it, said no. */
class Refused extends Error {
  constructor(status, reply) {
    const { error_cd = '-', message = reply.message, remedy } = reply.error ?? {};
    super(`${error_cd} (HTTP ${status}) ${message}${remedy ? `\nremedy: ${remedy}` : ''}`);
    this.errorCd = error_cd;
  }
}

// AES-256, ECB, and the PKCS#7 padding that Node adds of itself: 32 bytes become 48.
function aes(cipher, bytes) {
  return Buffer.concat([cipher.update(bytes), cipher.final()]);
}
const aesEncrypt = (key, plain) => aes(createCipheriv('aes-256-ecb', key, null), plain);
const aesDecrypt = (key, sealed) => aes(createDecipheriv('aes-256-ecb', key, null), sealed);

/** ddMMyyyyHHmmss in IST, whatever the zone of this machine, and a tail that makes it unique. */
function newTimestamp() {
  const [yyyy, MM, dd, HH, mm, ss] = new Date(Date.now() + IST_MS).toISOString().split(/[-T:.]/);
  return dd + MM + yyyy + HH + mm + ss + randomBytes(3).toString('hex');
}

/** RSA, PKCS#1 v1.5, SHA-256: over the aspid, then the timestamp, with nothing in between. */
function sign(key, aspid, timestamp) {
  return rsaSign('sha256', Buffer.from(aspid + timestamp), key).toString('base64');
}

/**
 * AES-256 under the secret as it is written, not decoded from base64. While the GSP changes a secret, enc_key is under
 * the old one and enc_key_next under the new one.
 */
function openSessionKey(secret, { enc_key, enc_key_next }) {
  for (const encKey of [enc_key, enc_key_next].filter(Boolean)) {
    try {
      const sessionKey = aesDecrypt(Buffer.from(secret), Buffer.from(encKey, 'base64'));
      if (sessionKey.length === 32) return sessionKey;
    } catch {
      // The padding is wrong: it was encrypted under another secret.
    }
  }
  throw new Error('enc_key does not open: SUVIDHA_ASP_SECRET is not the ASP secret of this environment');
}

/** What proves us on each call: the secret, under the session key. */
function aspSecretHeader(sessionKey, secret) {
  return aesEncrypt(sessionKey, Buffer.from(secret)).toString('base64');
}

/** Calls, and the session they need. One session serves all calls, parallel ones too: share one `Gsp`. */
class Gsp {
  #url;
  #aspid;
  #secret;
  #key;
  #session;
  #ends = 0;
  #opening;

  constructor(url, aspid, secret, key) {
    if (Buffer.byteLength(secret) !== 32) throw new Error('SUVIDHA_ASP_SECRET must have 32 characters');
    this.#url = url.replace(/\/$/, '');
    this.#aspid = aspid;
    this.#secret = secret;
    this.#key = key;
  }

  /** Any API. GSP022 says that the session ended early; a new one mends that. */
  async call(method, path, headers = {}, body = undefined) {
    const session = await this.#liveSession();
    try {
      return await this.#exchange(method, path, { ...headers, ...session }, body);
    } catch (refused) {
      if (refused.errorCd !== 'GSP022') throw refused;
    }
    return this.#exchange(method, path, { ...headers, ...(await this.#liveSession(session)) }, body);
  }

  /** The headers that say who we are. One call opens a session, the others wait for it. */
  async #liveSession(ended = undefined) {
    if (this.#session === ended || Date.now() > this.#ends - MARGIN_MS) {
      this.#opening ??= this.#getKey().finally(() => (this.#opening = undefined));
      await this.#opening;
    }
    return this.#session;
  }

  async #getKey() {
    const timestamp = newTimestamp(); // A signed message serves once.
    const body = { timestamp, signed_content: sign(this.#key, this.#aspid, timestamp) };
    const reply = await this.#exchange('POST', '/aspapi/v1.0/getKey', { aspid: this.#aspid }, body);
    const header = aspSecretHeader(openSessionKey(this.#secret, reply), this.#secret);
    // Short-lived processes keep these two, as private as the secret, and take them up again.
    this.#session = { aspid: this.#aspid, 'session-id': reply.session_id, 'asp-secret': header };
    this.#ends = Date.now() + Number(reply.validity_min) * 60_000;
    console.log(`session_id=${reply.session_id} validity_min=${reply.validity_min}`);
  }

  async #exchange(method, path, headers, body) {
    const answer = await fetch(this.#url + path, {
      method,
      headers: { 'content-type': 'application/json', txn: randomBytes(16).toString('hex'), ...headers },
      body: JSON.stringify(body),
      redirect: 'error', // Our headers are for the GSP alone.
      signal: AbortSignal.timeout(30_000),
    }).catch((failure) => {
      throw new Error(`no answer from ${this.#url}`, { cause: failure.cause ?? failure });
    });
    const reply = await answer.json().catch(() => {
      return { status_cd: '0', message: 'The answer is no JSON: was it the GSP who answered?' };
    });
    if (!answer.ok || reply.status_cd === '0') throw new Refused(answer.status, reply);
    return reply;
  }

  /** For the demonstration: as if hours had passed, and the session were about to end. */
  pretendThatItEnds() {
    this.#ends = 0;
  }
}

function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is missing`);
  return value;
}

function loadKey() {
  const file = setting('SUVIDHA_ASP_KEY');
  const pem = readFileSync(file);
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new Error(`${file} holds no private key in PEM, or one with a passphrase`, { cause });
  }
}

async function demonstrate() {
  const gsp = new Gsp(setting('SUVIDHA_GATEWAY'), setting('SUVIDHA_ASPID'), setting('SUVIDHA_ASP_SECRET'), loadKey());
  const gstin = process.env.SUVIDHA_GSTIN ?? '29DEMOS1234D1ZG';
  // What GSTN wants of a call; for a taxpayer's own data add `username`, `auth-token` and `ret_period`.
  const headers = { gstin, 'state-cd': gstin.slice(0, 2), 'ip-usr': '127.0.0.1' };
  const search = async () => {
    const reply = await gsp.call('GET', `/commonapi/v1.1/search?action=TP&gstin=${gstin}`, headers);
    console.log(`search status_cd=${reply.status_cd}`);
  };
  await search();
  gsp.pretendThatItEnds();
  await search();
}

function selftest(file) {
  const known = JSON.parse(readFileSync(file, 'utf8'));
  const secret = known.asp_secret;
  const same = (what, ours, theirs) => {
    console.log(`${ours === theirs ? 'ok' : 'WRONG'} ${what}`);
    if (ours !== theirs) process.exitCode = 1;
  };
  const sessionKey = openSessionKey(secret, { enc_key: 'AAAA', enc_key_next: known.enc_key });
  same('session key', sessionKey.toString('base64'), known.session_key_b64);
  same('asp-secret', aspSecretHeader(sessionKey, secret), known.asp_secret_header);
  for (const { timestamp, signed_content } of known.signatures) {
    same(timestamp, sign(loadKey(), known.aspid, timestamp), signed_content);
  }
}

const { argv, env, execPath } = process;
try {
  if (argv[2] === '--selftest') {
    selftest(argv[3]);
  } else if (env.SUVIDHA_CA && env.NODE_EXTRA_CA_CERTS !== env.SUVIDHA_CA) {
    // `fetch` learns of a private CA from a variable that Node reads when it starts. Set it yourself, and drop this.
    const trusting = { ...env, NODE_EXTRA_CA_CERTS: env.SUVIDHA_CA };
    process.exitCode = spawnSync(execPath, argv.slice(1), { env: trusting, stdio: 'inherit' }).status ?? 1;
  } else {
    await demonstrate();
  }
} catch (failure) {
  console.error(`error: ${failure.message}${failure.cause ? ` (${failure.cause.message})` : ''}`);
  process.exitCode = 1;
}
