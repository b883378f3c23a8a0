-- Why: no accepted request may vanish. The compilation is the written status of every request the first server had;
-- the second proves with count and digest that it holds all of them, and writes beside each what became of it.
-- A list can have a million entries: requests are clustered by compilation and id, the order in which they are hashed,
-- worked through and removed. A further index would double what an unsorted page writes; so they are counted as they
-- change, and not when somebody looks.

CREATE TABLE compilations (
    id             INTEGER NOT NULL PRIMARY KEY,
    round          TEXT    NOT NULL UNIQUE,
    service        TEXT    NOT NULL,
    first_host     TEXT    NOT NULL,
    second_host    TEXT,               -- null: nobody could be found
    begun_at_ms    INTEGER NOT NULL,
    revision       INTEGER NOT NULL,   -- +1 with every change of a request; a seal is of one revision
    sealed_at_ms   INTEGER,
    sealed_count   INTEGER,
    sealed_digest  TEXT,
    resolved_at_ms INTEGER,            -- when the last request got its disposition
    closed_at_ms   INTEGER,            -- when this host needed it no more
    closed_reason  TEXT,
    CHECK ((sealed_at_ms IS NULL) = (sealed_count IS NULL)),
    CHECK ((sealed_at_ms IS NULL) = (sealed_digest IS NULL)),
    CHECK ((closed_at_ms IS NULL) = (closed_reason IS NULL))
) STRICT;

CREATE INDEX compilations_by_service ON compilations (service, id);

CREATE TABLE requests (
    compilation     INTEGER NOT NULL REFERENCES compilations (id),
    id              TEXT    NOT NULL,   -- the plugin's; unique within the compilation
    client          TEXT    NOT NULL,
    operation       TEXT    NOT NULL,
    state           TEXT    NOT NULL,   -- how far it got on the first
    started_at_ms   INTEGER NOT NULL,   -- 0: unknown
    progress_done   INTEGER,            -- null: the server does not know
    progress_total  INTEGER,
    progress_unit   TEXT,
    idempotency_key TEXT,
    resume          BLOB,
    attributes      TEXT    NOT NULL,   -- JSON: [[key, value], ...]
    outcome         TEXT,               -- what became of it on the second; null: not said yet
    outcome_message TEXT,
    outcome_at_ms   INTEGER,
    PRIMARY KEY (compilation, id),
    CHECK ((progress_done IS NULL) = (progress_unit IS NULL)),
    CHECK ((outcome IS NULL) = (outcome_message IS NULL)),
    CHECK ((outcome IS NULL) = (outcome_at_ms IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE request_counts (
    compilation INTEGER NOT NULL,
    state       TEXT    NOT NULL,
    outcome     TEXT    NOT NULL,   -- '': not said yet
    requests    INTEGER NOT NULL,
    PRIMARY KEY (compilation, state, outcome)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER requests_count_new AFTER INSERT ON requests BEGIN
    INSERT INTO request_counts VALUES (NEW.compilation, NEW.state, coalesce(NEW.outcome, ''), 1)
    ON CONFLICT DO UPDATE SET requests = requests + 1;
END;

CREATE TRIGGER requests_count_changed AFTER UPDATE OF state, outcome ON requests
WHEN OLD.state IS NOT NEW.state OR OLD.outcome IS NOT NEW.outcome BEGIN
    UPDATE request_counts SET requests = requests - 1
    WHERE compilation = OLD.compilation AND state = OLD.state AND outcome = coalesce(OLD.outcome, '');
    INSERT INTO request_counts VALUES (NEW.compilation, NEW.state, coalesce(NEW.outcome, ''), 1)
    ON CONFLICT DO UPDATE SET requests = requests + 1;
END;

CREATE TRIGGER requests_count_gone AFTER DELETE ON requests BEGIN
    UPDATE request_counts SET requests = requests - 1
    WHERE compilation = OLD.compilation AND state = OLD.state AND outcome = coalesce(OLD.outcome, '');
END;

CREATE TRIGGER compilations_gone AFTER DELETE ON compilations BEGIN
    DELETE FROM request_counts WHERE compilation = OLD.id;
END;

-- For people: every request with the round it belongs to, in words.
CREATE VIEW compiled_requests AS
SELECT c.service, c.round, r.id, r.client, r.operation, r.state, r.outcome, r.outcome_message
FROM requests r JOIN compilations c ON c.id = r.compilation;
