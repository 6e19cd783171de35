-- What hallpass remembers. This file is the newest schema in full.
--
-- Times are whole seconds since 1970-01-01 UTC. A `…_at` that is NULL has not happened.
-- Scopes are text, words separated by one space, so that people can read the file with `sqlite3`.
-- No secret is here, only the SHA-256 of one, as 32 bytes: access tokens, authorization codes, client secrets, session
-- ids (contract H-10). The exceptions: passwords, as argon2id PHC strings, and TOTP secrets, which must be readable to be used.
-- Nothing refers to a row that can vanish: accounts and apps are marked as deleted and stay, because their ids are in
-- other people's data and their names must not come back as somebody else's (H-27).

PRAGMA application_id = 0x68616c6c;  -- "hall"
PRAGMA user_version = 2;

-- The few things the command line must know of the server. `host`: the host of its base URL, as it was at the last start.
-- `unnamed_proxy`: an address that looks like a proxy's, and is none of `--trusted-proxy`.
-- `written`: when it was last proved that rows can be written (C-RUN-03).
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
    deleted_at    INTEGER,
    totp_last_step INTEGER                            -- the newest 30 seconds of which a code was used: none is used twice (RFC 6238 §5.2)
) STRICT;
CREATE UNIQUE INDEX users_by_username ON users (username) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX users_by_email    ON users (email)    WHERE deleted_at IS NULL;

-- Every name that was ever an account's, so that it is never given to another one (H-27).
CREATE TABLE usernames (
    username TEXT    NOT NULL COLLATE NOCASE PRIMARY KEY,
    user_id  INTEGER NOT NULL REFERENCES users (id)
) STRICT, WITHOUT ROWID;

-- What lets somebody in once who has lost their second factor.
CREATE TABLE recovery_codes (
    user INTEGER NOT NULL REFERENCES users (id),
    hash BLOB    NOT NULL,
    PRIMARY KEY (user, hash)
) STRICT, WITHOUT ROWID;

-- Where accounts signed in from: the SHA-256 of an address (IPv6: of its /64) or of a browser's device cookie. For 90 days
-- guesses from elsewhere do not keep the account's owner out there (H-24).
CREATE TABLE known_places (
    user         INTEGER NOT NULL REFERENCES users (id),
    place        BLOB    NOT NULL,
    signed_in_at INTEGER NOT NULL,
    PRIMARY KEY (user, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX known_places_by_age ON known_places (signed_in_at);

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
    deleted_at      INTEGER,
    made_by         TEXT    NOT NULL DEFAULT 'registration'  -- or 'command line', 'personal token', 'import'
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
-- The tokens of an app and an owner that nobody has ended: which can be given again (C-REU-01) and shows consent (C-AUT-06),
-- both only among those with scopes of the same length; how many there are, and which was used least recently (H-22).
CREATE INDEX access_tokens_unended
    ON access_tokens (client, user, length(scopes), coalesce(last_used_at, created_at), expires_at, revoked_at) WHERE revoked_at IS NULL;
CREATE INDEX access_tokens_unended_by_user ON access_tokens (user) WHERE revoked_at IS NULL AND user IS NOT NULL;
-- What is swept one day.
CREATE INDEX access_tokens_by_end    ON access_tokens (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at) WHERE revoked_at IS NULL AND expires_at IS NOT NULL;

-- Signed-in browsers. Nobody unknown has a row here (H-29).
CREATE TABLE sessions (
    hash         BLOB    NOT NULL PRIMARY KEY,
    user         INTEGER NOT NULL REFERENCES users (id),
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    browser      TEXT    NOT NULL DEFAULT '',         -- what it calls itself, in words: Firefox on Linux
    address      TEXT    NOT NULL DEFAULT ''          -- it signed in from
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user);
CREATE INDEX sessions_by_use  ON sessions (last_used_at);
CREATE INDEX sessions_by_age  ON sessions (created_at);

-- What happened, for the operator: who signed in, failed to, allowed what; tokens given and ended; what was administered.
-- Swept after 90 days. Never a secret, and nothing that was sent unchecked.
CREATE TABLE events (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    kind    TEXT    NOT NULL,                         -- sign_in, sign_in_failed, token_issued …; all of them are in src/oauth/event.rs
    user    INTEGER REFERENCES users (id),
    client  INTEGER REFERENCES clients (id),
    address TEXT,                                     -- of who asked; NULL: the command line
    detail  TEXT,
    request TEXT                                      -- the request's id, as in the log and in X-Request-Id
) STRICT;
