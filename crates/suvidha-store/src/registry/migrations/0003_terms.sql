-- What is agreed with an ASP, environment by environment: its plan, the credits it bought, and its limits.

-- An ASP without a row here is unmetered.
CREATE TABLE asp_plan (
    aspid       TEXT    NOT NULL REFERENCES asp (aspid),
    environment TEXT    NOT NULL CHECK (environment IN ('sandbox', 'production')),
    kind        TEXT    NOT NULL CHECK (kind IN ('prepaid', 'postpaid', 'unmetered')),
    monthly_cap INTEGER          CHECK (monthly_cap IS NULL OR (kind = 'postpaid' AND monthly_cap > 0)), -- units
    PRIMARY KEY (aspid, environment)
) STRICT, WITHOUT ROWID;

-- Rows are never changed: a mistake is taken back by another row. What the ASP may use is the sum of the units, until the
-- `expires_at` that was named last.
CREATE TABLE credit (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    aspid       TEXT    NOT NULL REFERENCES asp (aspid),
    environment TEXT    NOT NULL CHECK (environment IN ('sandbox', 'production')),
    units       INTEGER NOT NULL,
    expires_at  INTEGER          CHECK (expires_at IS NOT NULL OR units < 0), -- NULL: as before
    note        TEXT,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX credit_by_aspid ON credit (aspid, environment);

-- NULL: as the environment says; 0: no limit.
CREATE TABLE asp_limits (
    aspid       TEXT    NOT NULL REFERENCES asp (aspid),
    environment TEXT    NOT NULL CHECK (environment IN ('sandbox', 'production')),
    family      TEXT    NOT NULL, -- the first segment of its paths; empty: every family
    per_second  INTEGER          CHECK (per_second >= 0),
    burst       INTEGER          CHECK (burst > 0),
    concurrent  INTEGER          CHECK (concurrent >= 0),
    per_day     INTEGER          CHECK (per_day >= 0),
    per_month   INTEGER          CHECK (per_month >= 0),
    PRIMARY KEY (aspid, environment, family)
) STRICT, WITHOUT ROWID;
