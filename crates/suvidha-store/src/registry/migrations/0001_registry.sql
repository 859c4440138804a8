-- ASPs, what they prove themselves with, and the secrets of the GSP.
-- Times are milliseconds since 1970-01-01T00:00:00Z.

-- One row. `version` moves with every committed change that a snapshot could show.
CREATE TABLE registry (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL
) STRICT;
INSERT INTO registry (one, version) VALUES (1, 1);

CREATE TABLE asp (
    aspid          TEXT    PRIMARY KEY CHECK (length(aspid) = 10),
    name           TEXT    NOT NULL,
    contact_name   TEXT    NOT NULL,
    email          TEXT    NOT NULL,
    phone          TEXT    NOT NULL,
    status         TEXT    NOT NULL CHECK (status IN ('active', 'suspended')),
    always_200     INTEGER NOT NULL CHECK (always_200 IN (0, 1)),
    strict_headers INTEGER          CHECK (strict_headers IN (0, 1)), -- NULL: as the environment says
    created_at     INTEGER NOT NULL
) STRICT;

-- An ASP without a row here may call from anywhere.
CREATE TABLE asp_allowed_ip (
    aspid   TEXT NOT NULL REFERENCES asp (aspid),
    network TEXT NOT NULL, -- CIDR, host bits cleared
    PRIMARY KEY (aspid, network)
) STRICT, WITHOUT ROWID;

-- Rows stay when revoked, so that a revoked credential is told apart from an unknown one, and
-- AUTOINCREMENT keeps an id from ever meaning another credential.
CREATE TABLE credential (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    aspid        TEXT    NOT NULL REFERENCES asp (aspid),
    environment  TEXT    NOT NULL CHECK (environment IN ('sandbox', 'production')),
    kind         TEXT    NOT NULL CHECK (kind IN ('token', 'client')),
    label        TEXT,
    client_id    TEXT             CHECK ((kind = 'client') = (client_id IS NOT NULL)),
    secret_hash  BLOB    NOT NULL CHECK (length(secret_hash) = 32), -- SHA-256 of the token or client secret
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT;
CREATE UNIQUE INDEX credential_by_token_hash ON credential (secret_hash) WHERE kind = 'token';
CREATE UNIQUE INDEX credential_by_client_id ON credential (client_id, environment, secret_hash) WHERE kind = 'client';
CREATE INDEX credential_by_aspid ON credential (aspid);

-- AES-256-GCM: the ciphertext ends in its tag; the additional data is the name.
CREATE TABLE secret (
    name       TEXT    PRIMARY KEY,
    key_id     TEXT    NOT NULL REFERENCES sealing_key (key_id),
    nonce      BLOB    NOT NULL CHECK (length(nonce) = 12),
    ciphertext BLOB    NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- A known text sealed under each key in use: opening it shows that a key is the right one.
CREATE TABLE sealing_key (
    key_id     TEXT PRIMARY KEY,
    nonce      BLOB NOT NULL CHECK (length(nonce) = 12),
    ciphertext BLOB NOT NULL
) STRICT;
