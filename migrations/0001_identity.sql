-- Why: a host must be able to say which store it speaks from and how often its daemon was started from it, so that
-- a message from before a restart, or from a disk that was lost, is recognised as stale. One row, for ever.

CREATE TABLE store_identity (
    only_row        INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    store_id        TEXT    NOT NULL CHECK (length(store_id) = 32),  -- 128 random bits, hexadecimal
    boot            INTEGER NOT NULL CHECK (boot >= 0),              -- starts of the daemon so far
    machine_boot_id TEXT,                                            -- the kernel's boot id at the last start
    created_at_ms   INTEGER NOT NULL,                                -- milliseconds since the Unix epoch, as all *_at_ms
    written_at_ms   INTEGER NOT NULL                                 -- last time the store was proven writable
) STRICT;
