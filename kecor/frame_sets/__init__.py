"""Frame sets: schema, validation and files."""
