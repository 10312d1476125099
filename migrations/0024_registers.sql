-- Registers: how an agency numbers its documents, entries that exist on paper alone, and search. Owned by package exchange.

-- Of the series '' of outgoing documents: 'one' for all kinds of documents, or one series each 'kind'.
ALTER TABLE register_series ADD COLUMN scheme TEXT NOT NULL DEFAULT 'one' CHECK (scheme IN ('one', 'kind'));

-- What a clerk entered for a number whose document is not in this system: sent or received on paper.
CREATE TABLE register_entry (
    series_id  BIGINT NOT NULL REFERENCES register_series (id),
    reference  TEXT NOT NULL,                       -- of register_number
    document   TEXT NOT NULL DEFAULT '',            -- incoming: số, ký hiệu of the document itself
    author     TEXT NOT NULL DEFAULT '',            -- incoming: tác giả
    kind       TEXT NOT NULL DEFAULT '',
    abstract   TEXT NOT NULL DEFAULT '',
    dated_on   TEXT NOT NULL DEFAULT '',            -- civil date on the document
    entered_on TEXT NOT NULL DEFAULT '',            -- civil date: ngày đến, ngày chuyển
    signer     TEXT NOT NULL DEFAULT '',
    recipients TEXT NOT NULL DEFAULT '',            -- outgoing: nơi nhận; incoming: đơn vị hoặc người nhận
    filed      TEXT NOT NULL DEFAULT '',            -- outgoing: who keeps the file copy
    copies     BIGINT NOT NULL DEFAULT 0,
    due_on     TEXT NOT NULL DEFAULT '',            -- incoming: thời hạn giải quyết
    note       TEXT NOT NULL DEFAULT '',
    search     TEXT NOT NULL DEFAULT '',            -- folded words of all of it
    PRIMARY KEY (series_id, reference)
);

-- Folded words of a document, its lines and its files, one space between and around them.
ALTER TABLE document ADD COLUMN search TEXT NOT NULL DEFAULT '';
CREATE INDEX document_unfolded ON document (id) WHERE search = '';
CREATE INDEX incoming_by_number ON incoming (unit, arrival_number);
CREATE INDEX register_number_order ON register_number (series_id, number, reference);
