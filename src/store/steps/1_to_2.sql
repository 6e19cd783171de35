-- From schema 1 to 2: second factors, known places, events, what a session is called, who made an app, and the indexes by which
-- dead rows are swept.

ALTER TABLE users    ADD COLUMN totp_last_step INTEGER;
ALTER TABLE clients  ADD COLUMN made_by TEXT NOT NULL DEFAULT 'registration';
ALTER TABLE sessions ADD COLUMN browser TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';

CREATE TABLE recovery_codes (
    user INTEGER NOT NULL REFERENCES users (id),
    hash BLOB    NOT NULL,
    PRIMARY KEY (user, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE known_places (
    user         INTEGER NOT NULL REFERENCES users (id),
    place        BLOB    NOT NULL,
    signed_in_at INTEGER NOT NULL,
    PRIMARY KEY (user, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX known_places_by_age ON known_places (signed_in_at);

DROP INDEX access_tokens_live;
DROP INDEX access_tokens_live_by_user;
CREATE INDEX access_tokens_unended
    ON access_tokens (client, user, length(scopes), coalesce(last_used_at, created_at), expires_at, revoked_at) WHERE revoked_at IS NULL;
CREATE INDEX access_tokens_unended_by_user ON access_tokens (user) WHERE revoked_at IS NULL AND user IS NOT NULL;
CREATE INDEX access_tokens_by_end    ON access_tokens (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at) WHERE revoked_at IS NULL AND expires_at IS NOT NULL;

CREATE INDEX sessions_by_use  ON sessions (last_used_at);
CREATE INDEX sessions_by_age  ON sessions (created_at);

CREATE TABLE events (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    user    INTEGER REFERENCES users (id),
    client  INTEGER REFERENCES clients (id),
    address TEXT,
    detail  TEXT,
    request TEXT
) STRICT;

PRAGMA user_version = 2;
