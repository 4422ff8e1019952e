-- Keys, people, what was captured of them, and the log of what was done.
-- Columns of type BLOB are sealed (AES-256-GCM) unless their comment says otherwise.

CREATE TABLE vault (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    store_id TEXT NOT NULL,
    provider TEXT NOT NULL,          -- who holds the wrapping key
    parameters TEXT NOT NULL,        -- JSON: what the provider needs to find or derive it again; not secret
    check_value BLOB NOT NULL,       -- HMAC that tells a wrong wrapping key from a right one
    data_key BLOB NOT NULL           -- sealed with the wrapping key
) STRICT;

CREATE TABLE erasure (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    pending INTEGER NOT NULL CHECK (pending IN (0, 1))  -- 1: removed bytes may still be in the files
) STRICT;
INSERT INTO erasure (id, pending) VALUES (1, 0);

CREATE TABLE person (
    id TEXT PRIMARY KEY,
    name_index BLOB NOT NULL UNIQUE, -- HMAC of the folded name
    name BLOB NOT NULL,              -- sealed with the key of the person
    key BLOB NOT NULL,               -- key of the person, sealed with a key derived from the data key
    created TEXT NOT NULL
) STRICT;

CREATE TABLE contract (
    id TEXT PRIMARY KEY,
    encoder TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    preprocessing TEXT NOT NULL,
    dimension INTEGER NOT NULL CHECK (dimension > 0),
    normalisation TEXT NOT NULL
) STRICT;

CREATE TABLE sample (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    modality TEXT NOT NULL,
    facts BLOB NOT NULL,             -- digest, source, device class and quality; a file path may tell a name
    thumbnail BLOB,
    created TEXT NOT NULL
) STRICT;
CREATE INDEX sample_by_person ON sample (person_id);

CREATE TABLE template (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    sample_id TEXT NOT NULL REFERENCES sample (id) ON DELETE CASCADE,
    modality TEXT NOT NULL,
    contract_id TEXT NOT NULL REFERENCES contract (id),
    vector BLOB NOT NULL,
    created TEXT NOT NULL
) STRICT;
CREATE INDEX template_by_person ON template (person_id);
CREATE INDEX template_by_sample ON template (sample_id);
CREATE INDEX template_by_contract ON template (contract_id);

CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    event TEXT NOT NULL,
    subject_id TEXT,
    details TEXT NOT NULL,           -- JSON
    previous BLOB NOT NULL,          -- SHA-256 of the entry before, 32 zero bytes for the first
    digest BLOB NOT NULL             -- SHA-256 of this entry
) STRICT;
CREATE INDEX audit_by_subject ON audit (subject_id);
CREATE TRIGGER audit_keeps_entries BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log only grows');
END;
CREATE TRIGGER audit_keeps_words BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log only grows');
END;

CREATE TABLE audit_head (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL,         -- of the newest entry
    mac BLOB NOT NULL                -- HMAC over its number and digest: no entry can be cut off or rewritten without the key
) STRICT;
