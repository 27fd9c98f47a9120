-- A chat of revision 0012, the first one in PostgreSQL: its tables as the program of then made them.
CREATE TABLE accounts (id BIGSERIAL NOT NULL, name TEXT COLLATE "C" NOT NULL, key TEXT COLLATE "C" NOT NULL, registered BOOLEAN NOT NULL, password_hash TEXT COLLATE "C", uuid_hash BYTEA, created_at BIGINT NOT NULL, lobby_read_seq BIGINT NOT NULL, skeleton TEXT COLLATE "C", PRIMARY KEY (id), UNIQUE (key), UNIQUE (uuid_hash));
CREATE INDEX accounts_skeleton ON accounts (skeleton);
CREATE TABLE entries (row BIGSERIAL NOT NULL, room_id BIGINT NOT NULL, seq BIGINT NOT NULL, message_count BIGINT NOT NULL, kind TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, usr TEXT COLLATE "C" NOT NULL, subject_id BIGINT, id TEXT COLLATE "C", msg TEXT COLLATE "C", "of" BIGINT, root BIGINT, changed BIGINT, extra TEXT COLLATE "C", PRIMARY KEY (row), UNIQUE (room_id, seq));
CREATE INDEX entries_rare ON entries (room_id, kind, seq) WHERE kind != 'speak';
CREATE TABLE heads (room_id BIGINT NOT NULL, seq BIGINT NOT NULL, messages BIGINT NOT NULL, first BIGINT NOT NULL, PRIMARY KEY (room_id));
CREATE TABLE index_state (id BIGINT NOT NULL, row BIGINT NOT NULL, version TEXT COLLATE "C" NOT NULL, erased BIGINT NOT NULL, PRIMARY KEY (id));
CREATE TABLE meta (key TEXT COLLATE "C" NOT NULL, value TEXT COLLATE "C" NOT NULL, PRIMARY KEY (key));
CREATE TABLE pending_deletes (room_id BIGSERIAL NOT NULL, PRIMARY KEY (room_id));
CREATE TABLE pins (room_id BIGINT NOT NULL, seq BIGINT NOT NULL, PRIMARY KEY (room_id, seq));
CREATE TABLE reactions (room_id BIGINT NOT NULL, account_id BIGINT NOT NULL, seq BIGINT NOT NULL, emoji TEXT COLLATE "C" NOT NULL, present BOOLEAN NOT NULL, entry_seq BIGINT NOT NULL, usr TEXT COLLATE "C" NOT NULL, changes INTEGER NOT NULL, PRIMARY KEY (room_id, account_id, seq, emoji));
CREATE INDEX reactions_order ON reactions (room_id, seq, emoji, present, entry_seq);
CREATE TABLE starts (id BIGSERIAL NOT NULL, at BIGINT NOT NULL, entries_mark BIGINT NOT NULL, PRIMARY KEY (id));
CREATE TABLE tombstones (key TEXT COLLATE "C" NOT NULL, deleted_at BIGINT NOT NULL, PRIMARY KEY (key));
CREATE TABLE txns (account_id BIGINT NOT NULL, txn TEXT COLLATE "C" NOT NULL, content BYTEA NOT NULL, id TEXT COLLATE "C" NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (account_id, txn));
CREATE INDEX txns_at ON txns (at);
CREATE TABLE versions (room_id BIGINT NOT NULL, seq BIGINT NOT NULL, version_seq BIGINT NOT NULL, msg TEXT COLLATE "C" NOT NULL, PRIMARY KEY (room_id, seq, version_seq));
CREATE TABLE account_networks (account_id BIGINT NOT NULL, network TEXT COLLATE "C" NOT NULL, seen_at BIGINT NOT NULL, PRIMARY KEY (account_id, network), FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE);
CREATE TABLE blocks (account_id BIGINT NOT NULL, blocked_id BIGINT NOT NULL, PRIMARY KEY (account_id, blocked_id), FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE, FOREIGN KEY(blocked_id) REFERENCES accounts (id) ON DELETE CASCADE);
CREATE INDEX blocks_blocked ON blocks (blocked_id);
CREATE TABLE devices (account_id BIGINT NOT NULL, device TEXT COLLATE "C" NOT NULL, token_hash BYTEA, name TEXT COLLATE "C" NOT NULL, created_at BIGINT NOT NULL, last_seen BIGINT NOT NULL, PRIMARY KEY (account_id, device), FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE, UNIQUE (token_hash));
CREATE INDEX devices_last_seen ON devices (last_seen);
CREATE INDEX devices_without_token ON devices (last_seen) WHERE token_hash IS NULL;
CREATE TABLE mentions (row BIGSERIAL NOT NULL, account_id BIGINT, room_id BIGINT NOT NULL, seq BIGINT NOT NULL, PRIMARY KEY (row), FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE);
CREATE INDEX mentions_account ON mentions (account_id, row);
CREATE INDEX mentions_message ON mentions (room_id, seq);
CREATE INDEX mentions_room ON mentions (room_id, account_id, seq);
CREATE TABLE phones (account_id BIGINT NOT NULL, number TEXT COLLATE "C" NOT NULL, left_at BIGINT NOT NULL, PRIMARY KEY (account_id), FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE, UNIQUE (number));
CREATE TABLE rooms (id BIGSERIAL NOT NULL, key TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL, public BOOLEAN NOT NULL, topic TEXT COLLATE "C" NOT NULL, max INTEGER NOT NULL, owner_id BIGINT, owner TEXT COLLATE "C" NOT NULL, skeleton TEXT COLLATE "C", creator_id BIGINT, kind TEXT COLLATE "C" DEFAULT 'room' NOT NULL, preview BOOLEAN DEFAULT false NOT NULL, public_since BIGINT DEFAULT '0' NOT NULL, PRIMARY KEY (id), UNIQUE (key), FOREIGN KEY(owner_id) REFERENCES accounts (id) ON DELETE SET NULL);
CREATE INDEX rooms_owner ON rooms (owner_id);
CREATE INDEX rooms_skeleton ON rooms (skeleton);
CREATE TABLE sessions (token_hash BYTEA NOT NULL, account_id BIGINT NOT NULL, began_at BIGINT NOT NULL, lost_at BIGINT, expires_from BIGINT, marks_read BOOLEAN DEFAULT false NOT NULL, start_id BIGINT, device TEXT COLLATE "C", protocol TEXT COLLATE "C" DEFAULT 'gtchat' NOT NULL, address TEXT COLLATE "C" DEFAULT '' NOT NULL, created_at BIGINT DEFAULT '0' NOT NULL, PRIMARY KEY (token_hash), FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE);
CREATE INDEX sessions_account ON sessions (account_id);
CREATE INDEX sessions_expires_from ON sessions (expires_from);
CREATE TABLE directs (account_id BIGINT NOT NULL, other_id BIGINT NOT NULL, room_id BIGINT NOT NULL, other TEXT COLLATE "C" NOT NULL, other_guest BOOLEAN NOT NULL, wrote BOOLEAN NOT NULL, read_seq BIGINT NOT NULL, delivered_seq BIGINT NOT NULL, pending INTEGER NOT NULL, newest BIGINT NOT NULL, PRIMARY KEY (account_id, other_id), FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE, FOREIGN KEY(room_id) REFERENCES rooms (id) ON DELETE CASCADE);
CREATE INDEX directs_newest ON directs (account_id, newest);
CREATE INDEX directs_pending ON directs (account_id, pending, wrote) WHERE pending > 0;
CREATE UNIQUE INDEX directs_room ON directs (room_id, account_id);
CREATE TABLE invitations (room_id BIGINT NOT NULL, account_id BIGINT NOT NULL, inviter TEXT COLLATE "C" NOT NULL, delivered BOOLEAN NOT NULL, at BIGINT NOT NULL, inviter_id BIGINT, postponed BOOLEAN DEFAULT false NOT NULL, PRIMARY KEY (room_id, account_id, inviter), FOREIGN KEY(room_id) REFERENCES rooms (id) ON DELETE CASCADE, FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE);
CREATE INDEX invitations_account ON invitations (account_id);
CREATE INDEX invitations_inviter ON invitations (inviter_id, account_id);
CREATE TABLE members (room_id BIGINT NOT NULL, account_id BIGINT NOT NULL, joined_seq BIGINT NOT NULL, read_seq BIGINT NOT NULL, PRIMARY KEY (room_id, account_id), FOREIGN KEY(room_id) REFERENCES rooms (id) ON DELETE CASCADE, FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE);
CREATE INDEX members_account ON members (account_id);
CREATE TABLE missed (account_id BIGINT NOT NULL, room_id BIGINT NOT NULL, seq BIGINT NOT NULL, PRIMARY KEY (account_id, room_id, seq), FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE, FOREIGN KEY(room_id) REFERENCES rooms (id) ON DELETE CASCADE);
CREATE INDEX missed_room ON missed (room_id);
CREATE TABLE notify_levels (account_id BIGINT NOT NULL, room_id BIGINT NOT NULL, level TEXT COLLATE "C" NOT NULL, PRIMARY KEY (account_id, room_id), FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE, FOREIGN KEY(room_id) REFERENCES rooms (id) ON DELETE CASCADE);
CREATE INDEX notify_levels_room ON notify_levels (room_id);
CREATE TABLE commits (n bigint NOT NULL) WITH (fillfactor = 50);
CREATE TABLE message_index (row bigint PRIMARY KEY, words tsvector NOT NULL, tags tsvector NOT NULL);
CREATE INDEX message_index_words ON message_index USING gin (words, tags) WITH (fastupdate = off);
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO accounts VALUES
	(1, 'Ann', 'ann', true, 'hash', NULL, 100, 0, '=ann'),
	(2, 'Bob', 'bob', true, 'hash', NULL, 100, 0, '=bob');
INSERT INTO alembic_version VALUES
	('0012');
INSERT INTO commits VALUES
	(4294967305);
INSERT INTO rooms VALUES
	(1, 'lobby', 'lobby', true, '', 0, NULL, '', '=lobby', NULL, 'room', false, 0),
	(2, 'garden', 'Garden', true, 'plants', 7, 1, 'Ann', '=garden', 1, 'room', false, 0);
INSERT INTO entries VALUES
	(1, 2, 1, 0, 'room_created', 900, 'Ann', 1, NULL, NULL, NULL, NULL, NULL, '{"public":true,"topic":"plants","max":7,"owner":"Ann"}'),
	(2, 2, 2, 1, 'speak', 1000, 'Ann', 1, 'id of green tea', 'green tea', NULL, NULL, NULL, NULL),
	(3, 1, 1, 1, 'speak', 1000, 'Ann', 2, 'id of hello', 'hello', NULL, NULL, NULL, NULL);
INSERT INTO heads VALUES
	(1, 1, 1, 1),
	(2, 2, 1, 1);
INSERT INTO index_state VALUES
	(1, 3, '1 14.0.0', 0);
INSERT INTO members VALUES
	(2, 1, 1, 1);
INSERT INTO message_index VALUES
	(2, '''green'':1 ''tea'':2', '''r2'':1 ''uann'':2'),
	(3, '''hello'':1', '''r1'':1 ''uann'':2');
INSERT INTO meta VALUES
	('epoch', 'e0Ls_a-0m5jI');
INSERT INTO starts VALUES
	(1, 1795735681836, 0);
INSERT INTO txns VALUES
	(1, 't1', '\xfea64a3b583ea96bd8c45e8a76498b4c', 'id of green tea', 2, 1000);
SELECT pg_catalog.setval('accounts_id_seq', 2, true);
SELECT pg_catalog.setval('entries_row_seq', 3, true);
SELECT pg_catalog.setval('mentions_row_seq', 1, false);
SELECT pg_catalog.setval('pending_deletes_room_id_seq', 1, false);
SELECT pg_catalog.setval('rooms_id_seq', 2, true);
SELECT pg_catalog.setval('starts_id_seq', 1, true);
