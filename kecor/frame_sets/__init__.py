"""Frame sets: their schema, validation and on-disk format."""
