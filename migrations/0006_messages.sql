-- Why: after a takeover somebody must be able to prove what was said, by whom and in which order, with nothing but the
-- two hosts' records. So the protocol's messages are kept beside the journal, and written in the same transaction as the
-- line of the turn that heard or said them. A message that is repeated (a release is, until it is settled) is one row
-- that counts. What the address did is kept too: it is the nearest to what clients saw.

CREATE TABLE messages (
    id                   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    service              TEXT    NOT NULL,
    takeover             TEXT    NOT NULL,   -- the round, or forced-<service>-<term>
    line                 INTEGER NOT NULL,   -- the turn's journal line; of a turn that wrote none, the newest before it
    has_line             INTEGER NOT NULL CHECK (has_line IN (0, 1)),
    direction            TEXT    NOT NULL,   -- received, sent
    peer                 TEXT    NOT NULL,
    name                 TEXT    NOT NULL,
    body                 TEXT    NOT NULL,   -- JSON, as it goes over the wire
    at_ms                INTEGER NOT NULL,   -- the first time
    last_at_ms           INTEGER NOT NULL,
    times                INTEGER NOT NULL CHECK (times > 0),
    clock_offset_us      INTEGER,            -- the peer's wall clock less this host's, as measured; null: never measured
    clock_uncertainty_us INTEGER,
    CHECK ((clock_offset_us IS NULL) = (clock_uncertainty_us IS NULL))
) STRICT;

CREATE INDEX messages_by_takeover ON messages (takeover, id);

CREATE TABLE address_events (
    id      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at_ms   INTEGER NOT NULL,
    service TEXT    NOT NULL,
    event   TEXT    NOT NULL,   -- the event's name, for example address-held
    detail  TEXT    NOT NULL
) STRICT;

CREATE INDEX address_events_by_time ON address_events (service, at_ms);
