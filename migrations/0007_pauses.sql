-- Why: while operators work on a host, nothing must move by itself, and a service that keeps moving by itself must
-- stop doing so; both must outlive a restart of the daemon. The last word about each scope is kept, also that a pause
-- was ended: of two hosts' words the one with the higher stamp holds.

CREATE TABLE pauses (
    service    TEXT    NOT NULL,
    scope      TEXT    NOT NULL,   -- cluster, service, host (this one), flapping
    stamp      INTEGER NOT NULL,
    said_by    TEXT    NOT NULL,   -- the host that was told first
    said_at_ms INTEGER NOT NULL,
    paused_by  TEXT,               -- who; null: the pause was ended
    reason     TEXT,
    since_ms   INTEGER,
    until_ms   INTEGER,            -- null: until somebody ends it
    PRIMARY KEY (service, scope),
    CHECK ((paused_by IS NULL) = (reason IS NULL)),
    CHECK ((paused_by IS NULL) = (since_ms IS NULL))
) STRICT, WITHOUT ROWID;

-- The moves that nobody ordered, for the flap guard.
CREATE TABLE automatic_moves (
    service TEXT    NOT NULL,
    round   TEXT    NOT NULL,
    at_ms   INTEGER NOT NULL,
    PRIMARY KEY (service, round)
) STRICT, WITHOUT ROWID;

CREATE VIEW standing_pauses AS
SELECT service, scope, paused_by, reason,
       datetime(since_ms / 1000, 'unixepoch') AS since_utc,
       datetime(until_ms / 1000, 'unixepoch') AS until_utc
FROM pauses
WHERE paused_by IS NOT NULL AND (until_ms IS NULL OR until_ms > unixepoch('now') * 1000);
