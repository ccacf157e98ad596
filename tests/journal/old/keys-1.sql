CREATE TABLE state (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        generation INTEGER NOT NULL, -- of the wrapping key in use, 0 before the first
        highest INTEGER NOT NULL,    -- generation that was ever used
        proof BLOB NOT NULL,         -- a key of zeros, wrapped: tells whether a wrapping key is the right one
        settled INTEGER NOT NULL     -- goes up in every transaction, so that each one writes and is synced
    ) STRICT;
CREATE TABLE passing (           -- generations to be destroyed unless a commit says otherwise
        generation INTEGER PRIMARY KEY
    ) STRICT;
CREATE TABLE data_key (
        key_id BLOB PRIMARY KEY,
        data_class TEXT NOT NULL,
        period TEXT NOT NULL,
        purpose TEXT NOT NULL,
        generation INTEGER NOT NULL,
        wrapped BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
INSERT INTO state VALUES (1, 1, 1, x'fd3feb3c9250b7974a9b528b2fa6c528337556d1d42126e2bb0bd5e792bb7ec5d3b9189243571ba9c9f60cde0483de3412fa9f9b1c7deb6315deaa80', 4);
INSERT INTO data_key VALUES (x'44066542ec38008d', 'vehicle', 'day 20780', '', 1, x'b048f279829caa652af899a3258a8afdbfa18671bd8ea7b696df589c06b458be49fdbb0ee3372804014f1e976dee8186dd0ebb68f4279912d7f84e46');
INSERT INTO data_key VALUES (x'69636321a461b55e', 'position', 'day 20780', 'consent', 1, x'9f52a8e8a95f64d6589c1f7836cc3220b14c4aa5109eb96ef041668824a80c57a0c2719a3e3fb1fdda23e89ea0d34580051200de54fafbbcd74baac2');
PRAGMA application_id = 1313166923;
PRAGMA user_version = 1;
