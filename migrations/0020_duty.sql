-- Working time, deadlines, bells and reminders: owned by package exchange; posts by package recipients.

ALTER TABLE dispatch ADD COLUMN due_on TEXT NOT NULL DEFAULT '';       -- hạn giải quyết, civil; told by the issuer or the head
ALTER TABLE dispatch ADD COLUMN since BIGINT NOT NULL DEFAULT 0;       -- when its state changed last: deadlines count from there
ALTER TABLE dispatch ADD COLUMN calendar BIGINT NOT NULL DEFAULT -1;   -- calendar_change that its deadline was reckoned by
ALTER TABLE dispatch ADD COLUMN rung BIGINT NOT NULL DEFAULT 0;        -- how far an urgent one has been told up the ladder
ALTER TABLE dispatch ADD COLUMN alarm BIGINT NOT NULL DEFAULT 0;       -- when an urgent one is told next, 0 for never
UPDATE dispatch SET since = COALESCE((SELECT MAX(e.at) FROM event e WHERE e.chain = dispatch.id AND e.kind IN (
    'queued', 'relayed', 'uncertain', 'exception', 'delivered', 'settled', 'undelivered', 'cancelled', 'recalled', 'superseded',
    'received', 'refused', 'accepted', 'completed', 'noted', 'forwarded')), changed_at);
CREATE INDEX dispatch_calendar ON dispatch (calendar) WHERE deadline > 0;
CREATE INDEX dispatch_owner ON dispatch (owner, deadline) WHERE deadline > 0;
CREATE INDEX dispatch_unopened ON dispatch (since) WHERE deadline > 0 AND handling = 'received' AND opened_at IS NULL;
CREATE INDEX dispatch_alarm ON dispatch (alarm) WHERE alarm > 0;

-- What decides over the rules: holidays as announced, days off in lieu, Saturdays worked.
CREATE TABLE calendar_day (
    day    TEXT PRIMARY KEY,                        -- civil
    kind   TEXT NOT NULL CHECK (kind IN ('off', 'working', 'half')), -- half: the morning is worked
    source TEXT NOT NULL                            -- document that says so, or what the day is
);

-- Office hours (giờ làm việc) from a day on; yearly ones begin anew every year on that day: the hours of a season.
CREATE TABLE office_hours (
    from_day  TEXT NOT NULL,
    yearly    BOOLEAN NOT NULL,
    morning   TEXT NOT NULL,                        -- 07:30-11:30
    afternoon TEXT NOT NULL,                        -- 13:30-17:00, '' for none
    days_off  TEXT NOT NULL,                        -- weekdays, 1 for Monday to 7 for Sunday: '67'
    source    TEXT NOT NULL,
    PRIMARY KEY (from_day, yearly)
);

-- The journal of the calendar. digest covers both tables above as they were after the change.
CREATE TABLE calendar_change (
    id      BIGINT PRIMARY KEY,                     -- 1, 2, 3 …
    at      BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    what    TEXT NOT NULL,                          -- JSON
    digest  TEXT NOT NULL
);

-- A half-day whose bell was rung; one node at a time holds it.
CREATE TABLE bell (
    day         TEXT NOT NULL,
    half        TEXT NOT NULL CHECK (half IN ('am', 'pm')),
    at          BIGINT NOT NULL,
    lease_until BIGINT NOT NULL DEFAULT 0,
    done_at     BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (day, half)
);

-- Who was told of what, once: the row stands in the transaction of the letter and of the event (chain, ordinal).
CREATE TABLE reminder (
    name    TEXT PRIMARY KEY,                       -- digest:snv:2026-02-23:am
    kind    TEXT NOT NULL,
    unit    TEXT NOT NULL,                          -- whose duty it is about
    day     TEXT NOT NULL,
    half    TEXT NOT NULL,
    told    TEXT NOT NULL,                          -- addresses, one space between
    at      BIGINT NOT NULL,
    chain   BIGINT NOT NULL,
    ordinal BIGINT NOT NULL
);
CREATE INDEX reminder_by_day ON reminder (day, half, unit);

-- That a unit looked after its mail in a half-day (QĐ 22/2009 Điều 11). A weak look is an interactive SELECT of an inbox that
-- held nothing new; whatever is stronger replaces it.
CREATE TABLE checked (
    unit  TEXT NOT NULL,
    day   TEXT NOT NULL,
    half  TEXT NOT NULL CHECK (half IN ('am', 'pm')),
    how   TEXT NOT NULL CHECK (how IN ('opened', 'acted', 'console', 'looked')),
    at    BIGINT NOT NULL,
    actor TEXT NOT NULL,
    PRIMARY KEY (unit, day, half)
);
CREATE INDEX checked_by_day ON checked (day, half);

-- Copies whose recipient the issuing unit shall call by telephone.
CREATE TABLE call_item (
    dispatch_id BIGINT PRIMARY KEY,
    agency      TEXT NOT NULL,                      -- who calls
    listed_at   BIGINT NOT NULL,
    calls       BIGINT NOT NULL DEFAULT 0,
    called_at   BIGINT NOT NULL DEFAULT 0,
    reached     BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX call_by_agency ON call_item (agency) WHERE NOT reached;

-- When the gateway itself was not running, so that nobody is blamed for it.
CREATE TABLE outage (
    from_at BIGINT PRIMARY KEY,
    to_at   BIGINT NOT NULL
);
CREATE TABLE heartbeat (
    id      BIGINT PRIMARY KEY CHECK (id = 1),
    last_at BIGINT NOT NULL
);

-- Who leads a unit, for reminders that its mailbox does not answer.
CREATE TABLE post (
    unit       TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('head', 'deputy', 'clerk')),
    name       TEXT NOT NULL,
    address    TEXT NOT NULL DEFAULT '',            -- of a mailbox here
    phone      TEXT NOT NULL DEFAULT '',
    valid_from TEXT NOT NULL DEFAULT '',
    valid_to   TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (unit, role, name, valid_from)
);

CREATE INDEX mailbox_visit_by_hour ON mailbox_visit (kind, hour);
