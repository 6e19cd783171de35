-- What hallpass remembers. This file is the newest schema in full.
--
-- Times are whole seconds since 1970-01-01 UTC. A `…_at` that is NULL has not happened.
-- Scopes are text, words separated by one space, so that people can read the file with `sqlite3`.
-- No secret is here, only the SHA-256 of one, as 32 bytes: access tokens, authorization codes, client secrets, session
-- ids (contract H-10). The exceptions: passwords, as argon2id PHC strings, and TOTP secrets, which must be readable to be used.
-- Nothing refers to a row that can vanish: accounts and apps are marked as deleted and stay, because their ids are in
-- other people's data and their names must not come back as somebody else's (H-27).

PRAGMA application_id = 0x68616c6c;  -- "hall"
PRAGMA user_version = 1;

-- The few things the command line must know of the server. `host`: the host of its base URL, as it was at the last start.
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The people, and the bots, who can sign in.
CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,  -- told to clients as the account's id; never given twice
    username      TEXT    NOT NULL COLLATE NOCASE,
    email         TEXT    NOT NULL,                   -- lower case
    display_name  TEXT    NOT NULL DEFAULT '',
    password_hash TEXT    NOT NULL,                   -- PHC string, $argon2id$…
    totp_secret   BLOB,                               -- not NULL: a second factor is asked for, and the password grant refuses (H-14)
    is_admin      INTEGER NOT NULL DEFAULT 0,         -- 1: this account's admin:* scopes count (H-21)
    created_at    INTEGER NOT NULL,
    disabled_at   INTEGER,                            -- cannot sign in; its tokens were revoked with it (H-26)
    deleted_at    INTEGER
) STRICT;
CREATE UNIQUE INDEX users_by_username ON users (username) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX users_by_email    ON users (email)    WHERE deleted_at IS NULL;

-- Every name that was ever an account's, so that it is never given to another one (H-27).
CREATE TABLE usernames (
    username TEXT    NOT NULL COLLATE NOCASE PRIMARY KEY,
    user_id  INTEGER NOT NULL REFERENCES users (id)
) STRICT, WITHOUT ROWID;

-- The registered apps. On the wire `id` is this row's, `client_id` is public, and the secret is told once.
CREATE TABLE clients (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id       TEXT    NOT NULL UNIQUE,
    secret_hash     BLOB    NOT NULL,
    name            TEXT    NOT NULL,
    redirect_uris   TEXT    NOT NULL,                 -- as sent; separated by whitespace (C-APP-05)
    scopes          TEXT    NOT NULL,
    website         TEXT,
    password_grant  INTEGER NOT NULL DEFAULT 1,       -- 0: unauthorized_client (H-14)
    resource_server INTEGER NOT NULL DEFAULT 0,       -- 1: may introspect every token (H-17)
    created_at      INTEGER NOT NULL,
    deleted_at      INTEGER
) STRICT;

-- Codes on their way from the browser to the app: ten minutes to be redeemed, once; kept for a day so that a second
-- attempt can be seen for what it is and end the token that the first one gave (H-01).
CREATE TABLE authorization_codes (
    hash           BLOB    NOT NULL PRIMARY KEY,
    client         INTEGER NOT NULL REFERENCES clients (id),
    user           INTEGER NOT NULL REFERENCES users (id),
    redirect_uri   TEXT    NOT NULL,                  -- of the authorization request, as sent
    scopes         TEXT    NOT NULL,
    code_challenge TEXT,                              -- S256, 43 characters
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    redeemed_at    INTEGER,
    revoked_at     INTEGER,
    token_hash     BLOB                               -- the token it gave
) STRICT, WITHOUT ROWID;
CREATE INDEX authorization_codes_by_grant ON authorization_codes (user, client);
CREATE INDEX authorization_codes_by_age   ON authorization_codes (expires_at);

-- Access tokens, of a person (user) or of an app for itself (user is NULL).
CREATE TABLE access_tokens (
    hash         BLOB    NOT NULL PRIMARY KEY,
    nonce        BLOB,      -- token = base64url(HMAC-SHA-256(client secret, nonce)); NULL: plain random, or made with an older secret; never given again, no consent (H-10)
    client       INTEGER NOT NULL REFERENCES clients (id),
    user         INTEGER          REFERENCES users (id),
    scopes       TEXT    NOT NULL,
    times_given  INTEGER NOT NULL DEFAULT 1,          -- how many answers carried it; a replayed code ends it only if 1 (H-01)
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,                             -- NULL: until revoked
    revoked_at   INTEGER,
    last_used_at INTEGER                              -- to the hour, and not for certain
) STRICT, WITHOUT ROWID;
-- the live tokens of an app and an owner: reuse (C-REU-01), the limit of H-22, the list of authorized applications
CREATE INDEX access_tokens_live ON access_tokens (client, user, created_at) WHERE revoked_at IS NULL;
CREATE INDEX access_tokens_live_by_user ON access_tokens (user) WHERE revoked_at IS NULL AND user IS NOT NULL;

-- Signed-in browsers. Nobody unknown has a row here (H-29).
CREATE TABLE sessions (
    hash         BLOB    NOT NULL PRIMARY KEY,
    user         INTEGER NOT NULL REFERENCES users (id),
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user);
