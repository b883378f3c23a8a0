-- Why: the protocol may act only on what is written down. The journal says what happened and why; service_state is
-- the durable record after it. Both are written in one transaction. Every field has a column of its own, so that an
-- operator with nothing but sqlite3 can see who holds what and who was ordered to stay down.

CREATE TABLE journal (
    seq       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,  -- never used twice: clients resume from it
    at_ms     INTEGER NOT NULL,
    service   TEXT    NOT NULL,
    step      TEXT    NOT NULL,   -- the transition's name
    reason    TEXT    NOT NULL,   -- why, in the transition table's words
    detail    TEXT    NOT NULL,   -- what it was about
    from_role TEXT    NOT NULL,
    to_role   TEXT    NOT NULL,
    term      INTEGER NOT NULL,
    round     TEXT                -- <store id, 32 hexadecimal digits>-<counter>
) STRICT;

CREATE TABLE service_state (
    service                  TEXT    NOT NULL PRIMARY KEY,
    adopted                  INTEGER NOT NULL CHECK (adopted IN (0, 1)),
    known_term               INTEGER NOT NULL,  -- the highest term seen held by anybody
    promised_term            INTEGER NOT NULL,  -- the highest term fenced for somebody else
    held_term                INTEGER,           -- the term this host holds
    tenure_from              TEXT,              -- who released it to this host; null when forced
    tenure_round             TEXT,
    tenure_served            INTEGER CHECK (tenure_served IN (0, 1)),    -- null: no tenure
    tenure_resolved          INTEGER CHECK (tenure_resolved IN (0, 1)),
    grant_term               INTEGER,           -- the outstanding release; null: none
    grant_to                 TEXT,
    grant_round              TEXT,
    grant_requests           INTEGER,           -- how many requests its compilation has
    grant_digest             TEXT,              -- the compilation's SHA-256, hexadecimal
    round_counter            INTEGER NOT NULL,
    stay_down_released_term  INTEGER,           -- the order to stay down; null: none
    stay_down_fault          TEXT,
    stay_down_phase          TEXT,
    stay_down_since_ms       INTEGER,
    givebacks                INTEGER NOT NULL,
    updated_at_ms            INTEGER NOT NULL,
    CHECK (held_term IS NULL OR grant_term IS NULL),  -- the right to serve is one token: held, or given away
    CHECK ((tenure_served IS NULL) = (tenure_resolved IS NULL)),
    CHECK ((grant_term IS NULL) = (grant_to IS NULL)),
    CHECK ((grant_term IS NULL) = (grant_round IS NULL)),
    CHECK ((grant_term IS NULL) = (grant_requests IS NULL)),
    CHECK ((grant_term IS NULL) = (grant_digest IS NULL)),
    CHECK ((stay_down_released_term IS NULL) = (stay_down_fault IS NULL)),
    CHECK ((stay_down_released_term IS NULL) = (stay_down_phase IS NULL))
) STRICT;

CREATE VIEW held_stay_down_orders AS
SELECT service,
       stay_down_phase                                             AS phase,
       stay_down_fault                                             AS fault,
       stay_down_released_term                                     AS released_term,
       datetime(stay_down_since_ms / 1000, 'unixepoch')            AS since_utc
FROM service_state
WHERE stay_down_released_term IS NOT NULL;
