-- The ledger of one environment. The chain over `entry` is told in the documentation of the module `ledger`.

-- What this ledger is. One row.
CREATE TABLE ledger (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    environment TEXT NOT NULL CHECK (environment IN ('sandbox', 'production')),
    -- Random; with the environment it makes the hash before the first entry.
    id BLOB NOT NULL CHECK (length(id) = 16)
) STRICT;

-- The last entry; seq 0 and the hash of the beginning while there is none. One row.
CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL CHECK (seq >= 0),
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- The entry before the first that is kept; seq 0 and the hash of the beginning while all are. One row.
CREATE TABLE anchor (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL CHECK (seq >= 0),
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE entry (
    seq INTEGER PRIMARY KEY CHECK (seq > 0),
    -- A UUIDv7: the request id.
    id BLOB NOT NULL CHECK (length(id) = 16),
    -- Microseconds since 1970-01-01T00:00:00Z.
    at INTEGER NOT NULL,
    aspid TEXT,
    claimed_aspid TEXT,
    txn TEXT,
    gstin TEXT,
    ip_usr TEXT,
    appver TEXT,
    method TEXT,
    api TEXT,
    action TEXT,
    version TEXT,
    status INTEGER,
    status_cd TEXT,
    error_cd TEXT,
    origin TEXT,
    outcome TEXT NOT NULL CHECK (outcome IN ('answered', 'broken-off', 'abandoned', 'refused', 'unrecorded')),
    bytes_in INTEGER NOT NULL CHECK (bytes_in >= 0),
    bytes_out INTEGER NOT NULL CHECK (bytes_out >= 0),
    gstn_us INTEGER CHECK (gstn_us >= 0),
    total_us INTEGER NOT NULL CHECK (total_us >= 0),
    plan TEXT CHECK (plan IN ('prepaid', 'postpaid', 'unmetered')),
    units INTEGER NOT NULL CHECK (units >= 0),
    admitted INTEGER NOT NULL CHECK (admitted IN (0, 1)),
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE INDEX entry_of_asp ON entry (aspid) WHERE aspid IS NOT NULL;

-- Where the entries of a quarter of an hour stand: quarters since 1970-01-01T00:00:00Z, after `entry.at`. Entries are
-- written when calls end, so those of one quarter may be mixed with those of the next.
CREATE TABLE quarter (
    quarter INTEGER PRIMARY KEY,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    CHECK (first_seq <= last_seq)
) STRICT;

-- The sums of the entries that are kept. Strangers' calls are under aspid '', calls that led nowhere under api ''.
CREATE TABLE usage (
    -- After IST, such as 2026-11-22.
    day TEXT NOT NULL,
    aspid TEXT NOT NULL,
    api TEXT NOT NULL,
    calls INTEGER NOT NULL,
    admitted INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    units INTEGER NOT NULL,
    prepaid_units INTEGER NOT NULL,
    postpaid_units INTEGER NOT NULL,
    asp_errors INTEGER NOT NULL,
    gsp_errors INTEGER NOT NULL,
    gstn_errors INTEGER NOT NULL,
    network_errors INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    gstn_us INTEGER NOT NULL,
    total_us INTEGER NOT NULL,
    PRIMARY KEY (day, aspid, api)
) STRICT, WITHOUT ROWID;

-- What an ASP was ever charged on a prepaid plan, and how much of it by entries that are no longer kept.
CREATE TABLE account (
    aspid TEXT PRIMARY KEY,
    prepaid_units INTEGER NOT NULL,
    forgotten_units INTEGER NOT NULL,
    CHECK (forgotten_units BETWEEN 0 AND prepaid_units)
) STRICT, WITHOUT ROWID;

-- The sessions of taxpayers at GSTN, as this ASP opened, renewed and ended them. Microseconds since 1970.
CREATE TABLE consent (
    aspid TEXT NOT NULL,
    gstin TEXT NOT NULL,
    username TEXT NOT NULL,
    granted_at INTEGER,
    refreshed_at INTEGER,
    lapses_at INTEGER,
    ended_at INTEGER,
    PRIMARY KEY (aspid, gstin, username)
) STRICT, WITHOUT ROWID;
