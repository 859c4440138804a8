-- What the simulated GSTN keeps, but for the returns themselves (those tables belong to the forms' own modules).
-- Times are Unix milliseconds, amounts are paise, civil dates are yyyy-mm-dd.

CREATE TABLE IF NOT EXISTS taxpayers (
  gstin           TEXT PRIMARY KEY,
  username        TEXT NOT NULL UNIQUE,
  legal_name      TEXT NOT NULL,
  trade_name      TEXT NOT NULL,
  status          TEXT NOT NULL,
  scheme          TEXT NOT NULL,
  turnover        INTEGER NOT NULL, -- of the year before, of the whole PAN
  filing          TEXT NOT NULL,    -- M or Q, where no preference is kept
  registered_on   TEXT NOT NULL,
  suspended_on    TEXT,
  cancelled_on    TEXT,
  api_access      INTEGER NOT NULL,
  consent_minutes INTEGER,
  created_at      INTEGER NOT NULL
) STRICT;

-- The last OTP asked for at login, until it is used.
CREATE TABLE IF NOT EXISTS login_otps (
  client_id    TEXT NOT NULL,
  username     TEXT NOT NULL,
  requested_at INTEGER NOT NULL,
  PRIMARY KEY (client_id, username)
) STRICT;

-- The last OTP asked for to sign a form, until it is used.
CREATE TABLE IF NOT EXISTS evc_otps (
  gstin        TEXT NOT NULL,
  form_type    TEXT NOT NULL,
  requested_at INTEGER NOT NULL,
  PRIMARY KEY (gstin, form_type)
) STRICT;

-- The certificates with which a taxpayer may sign, by the SHA-256 of their DER.
CREATE TABLE IF NOT EXISTS dsc_certificates (
  gstin       TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  PRIMARY KEY (gstin, fingerprint)
) STRICT;

-- Sessions of taxpayers, and of public users (those have no gstin). One that is ended leaves with its key; one that
-- expired is kept for a while, because an expired token is answered differently from an unknown one.
CREATE TABLE IF NOT EXISTS sessions (
  auth_token    TEXT PRIMARY KEY,
  client_id     TEXT NOT NULL,
  username      TEXT NOT NULL,
  gstin         TEXT,
  sek           BLOB NOT NULL,
  created_at    INTEGER NOT NULL,
  expires_at    INTEGER NOT NULL,
  consent_until INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_by_user ON sessions (client_id, username, gstin);
CREATE INDEX IF NOT EXISTS sessions_by_age ON sessions (expires_at);

-- Asynchronous work. A reference id is given out only once its row is here; `status` is null until it is done.
-- Jobs done are forgotten after 90 days.
CREATE TABLE IF NOT EXISTS jobs (
  arrival      INTEGER PRIMARY KEY AUTOINCREMENT,
  reference_id TEXT NOT NULL UNIQUE,
  gstin        TEXT NOT NULL,
  period       TEXT NOT NULL, -- empty where the form has none
  form         TEXT NOT NULL,
  action       TEXT NOT NULL,
  payload      TEXT,
  received_at  INTEGER NOT NULL,
  starts_at    INTEGER NOT NULL,
  due_at       INTEGER NOT NULL,
  status       TEXT,
  error_report TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS jobs_open ON jobs (due_at, arrival) WHERE status IS NULL;
CREATE INDEX IF NOT EXISTS jobs_by_age ON jobs (received_at);

-- The running number inside an ARN.
CREATE TABLE IF NOT EXISTS arn_serials (
  state  TEXT NOT NULL,
  period TEXT NOT NULL,
  last   INTEGER NOT NULL,
  PRIMARY KEY (state, period)
) STRICT;

-- How often a taxpayer files from a quarter on: M or Q. A quarter is named like 2025Q4, by the calendar year.
CREATE TABLE IF NOT EXISTS filing_preferences (
  gstin     TEXT NOT NULL,
  quarter   TEXT NOT NULL,
  frequency TEXT NOT NULL,
  PRIMARY KEY (gstin, quarter)
) STRICT;

-- Due dates that a notification moved, for everybody.
CREATE TABLE IF NOT EXISTS due_date_extensions (
  form   TEXT NOT NULL,
  period TEXT NOT NULL,
  due    TEXT NOT NULL,
  PRIMARY KEY (form, period)
) STRICT;

-- The tax clock: one row while it does not show the real time. At `real_ms` it showed `tax_ms`, and it gains `per_second`
-- milliseconds in a real second.
CREATE TABLE IF NOT EXISTS tax_clock (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  real_ms    INTEGER NOT NULL,
  tax_ms     INTEGER NOT NULL,
  per_second INTEGER NOT NULL
) STRICT;

-- The fault plan: its rules, and how many calls each has matched and struck. `origin` is added, file or strict.
CREATE TABLE IF NOT EXISTS faults (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  rule    TEXT NOT NULL,
  origin  TEXT NOT NULL,
  matched INTEGER NOT NULL,
  struck  INTEGER NOT NULL
) STRICT;

-- E-invoices as an invoice registration portal told them. `sections` is the document as a save of GSTR-1 states it.
CREATE TABLE IF NOT EXISTS einvoices (
  irn           TEXT PRIMARY KEY,
  gstin         TEXT NOT NULL,
  period        TEXT NOT NULL,
  section       TEXT NOT NULL,
  sections      TEXT NOT NULL,
  registered_at INTEGER NOT NULL, -- by the tax clock
  available_on  TEXT NOT NULL,
  state         TEXT NOT NULL,    -- waiting, populated, own_row, filed, refused, cancelled
  reason        TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS einvoices_waiting ON einvoices (available_on) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS einvoices_by_return ON einvoices (gstin, period, section);
