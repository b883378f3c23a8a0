-- Why: where both servers may run, a release comes in two parts: admission is yielded first, and the compilation is
-- sealed when the requests under way have ended. And what was begun for a round that comes to nothing must be undone,
-- also after a restart: the furthest step is written down before it is begun.

-- 1: admission only is yielded; grant_requests and grant_digest mean nothing yet.
ALTER TABLE service_state ADD COLUMN grant_yielded INTEGER NOT NULL DEFAULT 0 CHECK (grant_yielded IN (0, 1));
-- 1: the host in tenure_from still completes the requests that it had.
ALTER TABLE service_state ADD COLUMN tenure_overlaps INTEGER NOT NULL DEFAULT 0 CHECK (tenure_overlaps IN (0, 1));
ALTER TABLE service_state ADD COLUMN begun_round TEXT;  -- null: nothing is to be undone
ALTER TABLE service_state ADD COLUMN begun_step TEXT CHECK ((begun_round IS NULL) = (begun_step IS NULL));
