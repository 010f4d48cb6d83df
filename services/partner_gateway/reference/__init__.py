"""What developers of other systems read: OpenAPI, AsyncAPI and pages, all made from the catalogue and the schemas."""
