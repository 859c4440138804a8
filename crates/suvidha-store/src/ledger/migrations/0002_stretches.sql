-- Where the entries of each ASP stand, in place of an index: an index is changed for each entry, in as many places as there
-- are ASPs; this once for 16384 entries, at its end.

DROP INDEX entry_of_asp;

-- A stretch are the entries from 16384 * stretch to 16384 * stretch + 16383. It is here when all of them are written, with a
-- row for each ASP that has some. Of a stretch that is not here, whoever looks for an ASP's entries reads all.
CREATE TABLE stretch (
    stretch INTEGER NOT NULL,
    aspid TEXT NOT NULL,
    -- How far from the first of the stretch each entry of the ASP stands: two bytes each, big-endian, ascending.
    places BLOB NOT NULL CHECK (length(places) > 0 AND length(places) % 2 = 0),
    PRIMARY KEY (stretch, aspid)
) STRICT, WITHOUT ROWID;

INSERT INTO stretch (stretch, aspid, places)
SELECT seq / 16384, aspid, unhex(group_concat(printf('%04x', seq % 16384), '' ORDER BY seq))
FROM entry
WHERE aspid IS NOT NULL AND seq / 16384 < ((SELECT seq FROM head) + 1) / 16384
GROUP BY 1, 2;

-- From here on `head` is the last entry that the sums (`usage`, `account`, `quarter`) take in. Entries may follow it: they are
-- added to the sums together, so that not each of them changes all.
