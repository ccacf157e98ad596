"""The journal's tables, and how an older database becomes one of today."""

from __future__ import annotations

from types import MappingProxyType

APPLICATION_ID = 0x4E455647
"""What marks a file as a journal: "NEVG" (SQLite's ``application_id``)."""

VERSION = 2

_V1 = """
CREATE TABLE stream (
  ordinal INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  predecessor BLOB,
  last_number INTEGER NOT NULL DEFAULT 0,
  series BLOB
) STRICT;
CREATE TABLE block (
  number INTEGER PRIMARY KEY,
  stream INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  class TEXT NOT NULL,
  first_number INTEGER NOT NULL,
  last_number INTEGER NOT NULL,
  wall_ns INTEGER NOT NULL,
  size INTEGER NOT NULL,
  locked INTEGER NOT NULL,
  alarm INTEGER NOT NULL,
  header BLOB NOT NULL,
  commitment BLOB NOT NULL,
  ciphertext_hash BLOB NOT NULL,
  link BLOB NOT NULL,
  ciphertext BLOB
) STRICT;
CREATE INDEX block_held ON block (stream, kind, class, first_number) WHERE size > 0;
CREATE INDEX block_alarm ON block (stream, first_number) WHERE alarm = 1;
CREATE TABLE checkpoint (
  last INTEGER PRIMARY KEY,
  first INTEGER NOT NULL,
  signed BLOB NOT NULL,
  digest BLOB NOT NULL,
  receipt BLOB
) STRICT;
CREATE TABLE covered (
  destination TEXT NOT NULL,
  stream INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (destination, stream, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE message (
  position INTEGER PRIMARY KEY,
  destination TEXT NOT NULL,
  kind INTEGER NOT NULL,
  topic TEXT NOT NULL,
  stream INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  records INTEGER NOT NULL,
  key_id BLOB NOT NULL,
  sealed BLOB NOT NULL
) STRICT;
CREATE TABLE gap (
  destination TEXT NOT NULL,
  stream INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  cause INTEGER NOT NULL,
  PRIMARY KEY (destination, stream, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE erased (
  stream INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (stream, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE total (
  hop TEXT NOT NULL,
  name TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (hop, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE held (
  stream INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  class TEXT NOT NULL,
  locked INTEGER NOT NULL,
  blocks INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (stream, kind, class, locked)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER block_taken_in AFTER INSERT ON block WHEN NEW.size > 0 BEGIN
  INSERT INTO held VALUES (NEW.stream, NEW.kind, NEW.class, NEW.locked, 1, NEW.size)
    ON CONFLICT DO UPDATE SET blocks = blocks + 1, bytes = bytes + NEW.size;
END;
CREATE TRIGGER block_emptied AFTER UPDATE OF size ON block WHEN OLD.size > 0 AND NEW.size = 0 BEGIN
  UPDATE held SET blocks = blocks - 1, bytes = bytes - OLD.size
    WHERE stream = OLD.stream AND kind = OLD.kind AND class = OLD.class AND locked = OLD.locked;
END;
CREATE TABLE erasing (
  key_id BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
"""

_V2 = """
CREATE TABLE media_given (
  destination TEXT NOT NULL,
  number INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (destination, number, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE media_ended (
  destination TEXT NOT NULL,
  number INTEGER NOT NULL,
  cause INTEGER NOT NULL,
  PRIMARY KEY (destination, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE media_gone (
  hash BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE TRIGGER media_emptied AFTER UPDATE OF size ON block
WHEN OLD.kind = 5 AND OLD.size > 0 AND NEW.size = 0 AND OLD.ciphertext IS NULL BEGIN
  INSERT OR IGNORE INTO media_gone VALUES (OLD.ciphertext_hash);
END;
"""

MIGRATIONS = MappingProxyType({1: _V1, 2: _V2})
"""The statements that make a database of one version out of the one before; 0 is an empty file."""
