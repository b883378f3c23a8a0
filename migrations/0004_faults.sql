-- Why: the question after every takeover is "what did it see?". Faults are kept with their evidence, from the first
-- sight to the end; and what the daemon had under way when it died is kept so that a restart can say so.

CREATE TABLE faults (
    id                 INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    service            TEXT    NOT NULL,
    host               TEXT    NOT NULL,
    code               TEXT    NOT NULL,
    kind               TEXT    NOT NULL,
    severity           TEXT    NOT NULL,
    verdict            TEXT    NOT NULL,
    message            TEXT    NOT NULL,
    shutdown_within_ms INTEGER,           -- null: not known
    evidence           TEXT    NOT NULL,  -- JSON: [[key, value], ...]
    first_seen_at_ms   INTEGER NOT NULL,
    last_seen_at_ms    INTEGER NOT NULL,
    ended_at_ms        INTEGER
) STRICT;

-- A fault that goes on is one fault, however often it is seen.
CREATE UNIQUE INDEX one_open_fault ON faults (service, host, code) WHERE ended_at_ms IS NULL;

CREATE TABLE work (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    service       TEXT    NOT NULL,
    work          TEXT    NOT NULL,   -- the work's name, for example stop-server
    detail        TEXT    NOT NULL,
    planned_at_ms INTEGER NOT NULL,
    started_at_ms INTEGER,
    ended_at_ms   INTEGER,
    result        TEXT,               -- done, failed, abandoned
    error         TEXT
) STRICT;

CREATE INDEX work_in_flight ON work (service) WHERE ended_at_ms IS NULL;
