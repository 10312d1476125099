-- What an officer who is away has said to whom writes (RFC 3834): one text for some days, and who was told when.
CREATE TABLE vacation (
    account_id BIGINT PRIMARY KEY REFERENCES account (id),
    text       TEXT NOT NULL,
    from_day   TEXT NOT NULL,                       -- civil dates, first and last day
    to_day     TEXT NOT NULL
);

CREATE TABLE vacation_reply (
    account_id BIGINT NOT NULL REFERENCES account (id),
    sender     TEXT NOT NULL,
    sent_at    BIGINT NOT NULL,
    PRIMARY KEY (account_id, sender)
);
