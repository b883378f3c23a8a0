-- Why: plugins keep an opaque state between calls and their versions must be nameable afterwards; operators' changes
-- are audited; and a repeated REST request must get the first one's answer, also after a restart.

CREATE TABLE plugin_state (
    service TEXT NOT NULL,
    plugin  TEXT NOT NULL,
    state   BLOB NOT NULL,
    PRIMARY KEY (service, plugin)
) STRICT, WITHOUT ROWID;

CREATE TABLE plugins (
    name         TEXT    NOT NULL,
    digest       TEXT    NOT NULL,   -- of the component, as the runtime writes it
    version      TEXT    NOT NULL,
    path         TEXT    NOT NULL,
    loaded_at_ms INTEGER NOT NULL,   -- last time
    PRIMARY KEY (name, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE plugin_grants (
    plugin        TEXT    NOT NULL,
    digest        TEXT    NOT NULL,  -- a grant is for one component only
    permission    TEXT    NOT NULL,
    granted_by    TEXT    NOT NULL,
    granted_at_ms INTEGER NOT NULL,
    PRIMARY KEY (plugin, digest, permission)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at_ms   INTEGER NOT NULL,
    who     TEXT    NOT NULL,
    what    TEXT    NOT NULL,
    service TEXT,                    -- null: not about one service
    reason  TEXT    NOT NULL,
    result  TEXT    NOT NULL
) STRICT;

CREATE TABLE idempotency_keys (
    key         TEXT    NOT NULL PRIMARY KEY,
    body_digest TEXT    NOT NULL,    -- the same key with another body is the client's mistake
    begun_at_ms INTEGER NOT NULL,
    status      INTEGER,             -- null: the first request is still under way
    headers     TEXT,                -- JSON: [[name, value], ...]
    body        BLOB,
    CHECK ((status IS NULL) = (headers IS NULL)),
    CHECK ((status IS NULL) = (body IS NULL))
) STRICT, WITHOUT ROWID;
