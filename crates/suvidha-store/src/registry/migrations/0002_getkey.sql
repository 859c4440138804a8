-- What an ASP proves itself with by GetKey, and the master keys that its sessions are derived from. All of it
-- belongs to one environment.

ALTER TABLE asp ADD COLUMN session_validity_min INTEGER -- NULL: as the gateway says
    CHECK (session_validity_min BETWEEN 5 AND 64800);

-- At most two are accepted at once; the newest has no end. What is over keeps its row; its text goes with the next change.
-- AES-256-GCM: the ciphertext ends in its tag; the additional data is `asp-secret:<environment>:<aspid>`.
CREATE TABLE asp_secret (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    aspid        TEXT    NOT NULL REFERENCES asp (aspid),
    environment  TEXT    NOT NULL CHECK (environment IN ('sandbox', 'production')),
    key_id       TEXT             REFERENCES sealing_key (key_id),
    nonce        BLOB             CHECK (length(nonce) = 12),
    ciphertext   BLOB             CHECK ((key_id IS NULL) = (ciphertext IS NULL) AND (key_id IS NULL) = (nonce IS NULL)),
    created_at   INTEGER NOT NULL,
    until        INTEGER,
    last_used_at INTEGER
) STRICT;
CREATE INDEX asp_secret_by_aspid ON asp_secret (aspid, environment);

CREATE TABLE asp_password (
    aspid         TEXT    NOT NULL REFERENCES asp (aspid),
    environment   TEXT    NOT NULL CHECK (environment IN ('sandbox', 'production')),
    password_hash BLOB    NOT NULL CHECK (length(password_hash) = 32), -- SHA-256
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (aspid, environment)
) STRICT, WITHOUT ROWID;

-- Rows stay when revoked or replaced, so that a refusal can say why.
CREATE TABLE asp_certificate (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    aspid        TEXT    NOT NULL REFERENCES asp (aspid),
    environment  TEXT    NOT NULL CHECK (environment IN ('sandbox', 'production')),
    spki         BLOB    NOT NULL, -- the RSA key: SubjectPublicKeyInfo in DER
    x509         BLOB,             -- the certificate in DER; NULL where a bare key was given
    not_before   INTEGER,          -- the certificate's own dates
    not_after    INTEGER,
    created_at   INTEGER NOT NULL,
    until        INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER
) STRICT;
CREATE INDEX asp_certificate_by_aspid ON asp_certificate (aspid, environment);

-- Sessions made before `valid_from`, a whole second, are refused.
CREATE TABLE asp_sessions (
    aspid       TEXT    NOT NULL REFERENCES asp (aspid),
    environment TEXT    NOT NULL CHECK (environment IN ('sandbox', 'production')),
    valid_from  INTEGER NOT NULL CHECK (valid_from % 1000 = 0),
    PRIMARY KEY (aspid, environment)
) STRICT, WITHOUT ROWID;

-- Master keys. A session id begins with the id of its key, one byte, which never means another key; a retired
-- key keeps its row and loses its bytes. The additional data is `session-key:<environment>:<id>`.
CREATE TABLE session_key (
    environment TEXT    NOT NULL CHECK (environment IN ('sandbox', 'production')),
    id          INTEGER NOT NULL CHECK (id BETWEEN 1 AND 255),
    key_id      TEXT             REFERENCES sealing_key (key_id),
    nonce       BLOB             CHECK (length(nonce) = 12),
    ciphertext  BLOB             CHECK ((key_id IS NULL) = (ciphertext IS NULL) AND (key_id IS NULL) = (nonce IS NULL)),
    created_at  INTEGER NOT NULL,
    mints_from  INTEGER NOT NULL,
    retired_at  INTEGER          CHECK ((retired_at IS NULL) = (key_id IS NOT NULL)),
    PRIMARY KEY (environment, id)
) STRICT;
