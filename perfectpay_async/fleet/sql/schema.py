"""The tables of the ledger, in the SQL that PostgreSQL and SQLite have in common.

Of a row that is ok it holds one bit; of any other row its number, id, class, status, code, request
id, attempts and times. It never holds a card number, CVC, key, holder, body, month or year.
"""

from __future__ import annotations

from typing import Final

from perfectpay_async.bulk.report import Verdict

COUNTS: Final = tuple(verdict.value for verdict in Verdict)
"""The columns of a chunk that say how many of its rows ended how."""

MIGRATIONS: Final = (
    f"""
    CREATE TABLE fleet_job (
        id TEXT PRIMARY KEY,
        number INTEGER NOT NULL UNIQUE,  -- for people, who do not type ids
        created DOUBLE PRECISION NOT NULL,  -- seconds since 1970, as all times here
        generation INTEGER NOT NULL,
        operation TEXT NOT NULL,
        host TEXT NOT NULL,
        input TEXT NOT NULL,
        path TEXT NOT NULL,
        size BIGINT NOT NULL,
        sha256 TEXT NOT NULL,
        rows BIGINT NOT NULL,
        unit TEXT NOT NULL,
        options TEXT NOT NULL,   -- what a journal of one machine holds too
        settings TEXT NOT NULL,  -- what the workers need besides
        state TEXT NOT NULL,
        stopped_by TEXT NOT NULL,
        reason TEXT NOT NULL
    );
    CREATE TABLE fleet_chunk (
        job TEXT NOT NULL REFERENCES fleet_job (id),
        number INTEGER NOT NULL,
        start BIGINT NOT NULL,   -- its first byte
        stop BIGINT NOT NULL,    -- the one after its last
        lines BIGINT NOT NULL,   -- those before it
        rows INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        fingerprint {{blob}} NOT NULL,
        state TEXT NOT NULL DEFAULT 'open',  -- or done, or dead
        bitmap {{blob}},         -- rows that have ended
        skips {{blob}},          -- those of them that were skipped
        {", ".join(f"{column} INTEGER NOT NULL DEFAULT 0" for column in COUNTS)},
        requests INTEGER NOT NULL DEFAULT 0,
        retried INTEGER NOT NULL DEFAULT 0,
        holder TEXT,             -- the worker that has it
        fence INTEGER NOT NULL DEFAULT 0,   -- how often it was taken
        futile INTEGER NOT NULL DEFAULT 0,  -- how often begun since a row of it ended
        queued DOUBLE PRECISION, -- when its message was sent, NULL once it is taken
        note TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (job, number)
    );
    CREATE INDEX fleet_chunk_holder ON fleet_chunk (holder) WHERE holder IS NOT NULL;
    CREATE INDEX fleet_chunk_open ON fleet_chunk (job, number) WHERE state = 'open';
    CREATE TABLE fleet_problem (
        job TEXT NOT NULL REFERENCES fleet_job (id),
        position BIGINT NOT NULL,
        number BIGINT NOT NULL,
        payment_method_id TEXT,
        verdict TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        elapsed DOUBLE PRECISION NOT NULL,
        status INTEGER,
        code TEXT,
        request_id TEXT,
        message TEXT NOT NULL,
        ended DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (job, position)
    );
    CREATE TABLE fleet_worker (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        began DOUBLE PRECISION NOT NULL,
        until DOUBLE PRECISION NOT NULL,  -- the end of its lease
        rate DOUBLE PRECISION,            -- most requests per second of the fleet
        share DOUBLE PRECISION            -- those that this one may send
    );
    """,
    """
    -- The seconds in which a worker had a chunk of the job, and when one was last seen to have one.
    ALTER TABLE fleet_job ADD COLUMN worked DOUBLE PRECISION NOT NULL DEFAULT 0;
    ALTER TABLE fleet_job ADD COLUMN seen DOUBLE PRECISION NOT NULL DEFAULT 0;
    -- Whether the chunk was begun and not given back, and whether that was so when it was begun
    -- again: requests that its worker had not saved are not counted then.
    ALTER TABLE fleet_chunk ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE fleet_chunk ADD COLUMN uncounted INTEGER NOT NULL DEFAULT 0;
    """,
)
"""Each takes the tables to the next version, beginning with none."""

PROBLEM_FIELDS: Final = (
    "number, payment_method_id, verdict, attempts, elapsed, status, code, request_id, message"
)
