-- Calibrations: at most one is active for each modality, contract and number of references.

CREATE TABLE calibration (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    modality TEXT NOT NULL,
    contract_id TEXT NOT NULL,       -- may precede the first template of its contract, so it refers to no row
    reference_count INTEGER NOT NULL CHECK (reference_count > 0),
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    document BLOB NOT NULL,          -- sealed JSON, so that nobody moves a threshold without the key
    created TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX calibration_active ON calibration (modality, contract_id, reference_count) WHERE active = 1;
