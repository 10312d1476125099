-- What recipients do with their copies: who works on one, which document answers it. Owned by package exchange.

-- The officers whom a unit gave a copy to (phân công): one chủ trì, any number of phối hợp.
CREATE TABLE assignment (
    dispatch_id BIGINT NOT NULL,
    officer     TEXT NOT NULL,                      -- address of the officer's account
    role        TEXT NOT NULL CHECK (role IN ('lead', 'support')),
    state       TEXT NOT NULL CHECK (state IN ('assigned', 'in_progress', 'completed', 'withdrawn')),
    due_on      TEXT NOT NULL DEFAULT '',           -- hạn, civil; '' for none
    note        TEXT NOT NULL DEFAULT '',           -- ý kiến chỉ đạo
    assigned_at BIGINT NOT NULL,
    assigned_by TEXT NOT NULL,
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (dispatch_id, officer)
);
CREATE UNIQUE INDEX assignment_lead ON assignment (dispatch_id) WHERE role = 'lead' AND state <> 'withdrawn';
CREATE INDEX assignment_officer ON assignment (officer, state);

-- A copy and the document that its recipient answered it by.
CREATE TABLE answer (
    dispatch_id BIGINT NOT NULL,
    document_id BIGINT NOT NULL REFERENCES document (id),
    linked_at   BIGINT NOT NULL,
    linked_by   TEXT NOT NULL,
    PRIMARY KEY (dispatch_id, document_id)
);
CREATE INDEX answer_document ON answer (document_id);

-- Copies that joined later are unique per unit while they are open: nobody works on the same document twice.
CREATE UNIQUE INDEX dispatch_child_once ON dispatch (document_id, unit) WHERE unit <> '' AND parent IS NOT NULL AND deadline > 0;
