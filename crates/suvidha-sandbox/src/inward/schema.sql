-- What recipients see of their suppliers' returns. Times are Unix milliseconds of the tax clock, days yyyy-mm-dd.

-- Every IMS action, in order. What holds for a document at some time is the last line before it; a line whose checksum
-- is not the document's was about an earlier form of it and does not count.
CREATE TABLE IF NOT EXISTS ims_actions (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  gstin    TEXT NOT NULL, -- the recipient
  supplier TEXT NOT NULL,
  form     TEXT NOT NULL,
  period   TEXT NOT NULL,
  section  TEXT NOT NULL,
  part     TEXT NOT NULL,
  key      TEXT NOT NULL,
  chksum   TEXT NOT NULL,
  action   TEXT NOT NULL, -- A, R, P, or N when it was taken back
  remarks  TEXT,
  declared TEXT,          -- JSON: the reduction of credit that was declared
  at       INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS ims_actions_by_return ON ims_actions (gstin, supplier, form, period, seq);
CREATE INDEX IF NOT EXISTS ims_actions_by_time ON ims_actions (gstin, at, seq);
CREATE INDEX IF NOT EXISTS ims_actions_by_number ON ims_actions (gstin, seq);
CREATE INDEX IF NOT EXISTS ims_actions_pending ON ims_actions (gstin) WHERE action = 'P';
CREATE INDEX IF NOT EXISTS ims_actions_rejected ON ims_actions (supplier) WHERE action = 'R';

-- The statements that were made: GSTR-2B.
CREATE TABLE IF NOT EXISTS inward_statements (
  gstin        TEXT NOT NULL,
  period       TEXT NOT NULL,
  made_at      INTEGER NOT NULL,
  last_action  INTEGER NOT NULL, -- the last ims_actions.seq that counted
  accepted     INTEGER NOT NULL, -- documents in docdata
  documents    INTEGER NOT NULL, -- with those in docRejdata
  chksum       TEXT NOT NULL,
  itcsumm      TEXT NOT NULL,
  cpsumm       TEXT NOT NULL,
  cp_rejected  TEXT NOT NULL,
  PRIMARY KEY (gstin, period)
) STRICT;

-- Their documents, in order: those that count, then those rejected.
CREATE TABLE IF NOT EXISTS inward_statement_rows (
  gstin   TEXT NOT NULL,
  period  TEXT NOT NULL,
  ord     INTEGER NOT NULL,
  section TEXT NOT NULL,
  head    TEXT NOT NULL, -- JSON: the fields shared with the rows around it
  body    TEXT NOT NULL, -- JSON
  PRIMARY KEY (gstin, period, ord)
) STRICT, WITHOUT ROWID;

-- What reaches a recipient from forms and offices that the sandbox does not have: GSTR-6, 7, 8 and ICEGATE.
CREATE TABLE IF NOT EXISTS inward_seeds (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  gstin   TEXT NOT NULL,
  section TEXT NOT NULL,
  period  TEXT NOT NULL, -- in whose GSTR-2A it stands
  day     TEXT NOT NULL, -- by which it falls into a statement
  body    TEXT NOT NULL  -- JSON
) STRICT;
CREATE INDEX IF NOT EXISTS inward_seeds_by_period ON inward_seeds (gstin, period, section);
CREATE INDEX IF NOT EXISTS inward_seeds_by_day ON inward_seeds (gstin, day);
